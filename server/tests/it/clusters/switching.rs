//! Another cluster is chosen at once and completely: never is anything of the old one beside the new.

use std::sync::Arc;
use std::time::Duration;

use app::model::{ClusterChoice, ClusterView, GoingRuns, PanelEvent, PanelState, Remedy, RunKind};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api as KubeApi, DeleteParams, PostParams};
use serde_json::json;
use server::engine::hub::Delivery;
use server::engine::{Core, RunError};
use server::panel::Panel;
use server::project::Project;
use tokio_util::sync::CancellationToken;

use super::{Api, World, core, finding, kubeconfig};

const NAMES: [&str; 2] = ["one", "two"];

/// A kubeconfig of both APIs, as contexts `one` and `two`.
fn both(apis: &[Api; 2]) -> String {
    let mut merged = kube::config::Kubeconfig::default();
    for (name, api) in NAMES.iter().zip(apis) {
        let credentials = api.credentials();
        let text = kubeconfig(
            name,
            &format!(
                "server: '{}', certificate-authority-data: {}",
                credentials.server, credentials.authority
            ),
            &format!("token: {}", credentials.token),
        )
        // The parts of the two must not share their names.
        .replace("name: c\n", &format!("name: c-{name}\n"))
        .replace("name: u\n", &format!("name: u-{name}\n"))
        .replace("cluster: c,", &format!("cluster: c-{name},"))
        .replace("user: u}", &format!("user: u-{name}}}"));
        let config = kube::config::Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        merged = merged.merge(config).expect("merged");
    }
    serde_json::to_string(&merged).expect("JSON is YAML")
}

fn choice(name: &str) -> ClusterChoice {
    ClusterChoice::Context(name.parse().expect("a name"))
}

/// Pods that come and go, called after their cluster.
async fn churn(client: kube::Client, cluster: &'static str, stop: CancellationToken) {
    let namespaces: KubeApi<Namespace> = KubeApi::all(client.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some("todo".into());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("a namespace");
    let pods: KubeApi<Pod> = KubeApi::namespaced(client, "todo");
    for number in 0.. {
        let name = format!("{cluster}-{}", number % 12);
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": format!("{cluster}:{number}")}]},
        }))
        .expect("a pod");
        let work = async {
            let _ = pods
                .delete(&name, &DeleteParams::default().grace_period(0))
                .await;
            let _ = pods.create(&PostParams::default(), &pod).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = work => {}
        }
    }
}

/// Fails when anything in the state is called after another cluster than the chosen one.
fn check(state: &PanelState) {
    let Some(ClusterView { choice, .. }) = &state.cluster else {
        assert!(state.pods.is_empty() && state.events.is_empty());
        return;
    };
    let own = choice.label();
    let foreign: Vec<_> = state
        .pods
        .values()
        .map(|pod| pod.name.as_str())
        .chain(state.events.values().map(|event| event.name.as_str()))
        .filter(|name| !name.starts_with(own))
        .collect();
    assert!(foreign.is_empty(), "on {own} is shown: {foreign:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_pods_churn_on_both_no_event_of_the_old_cluster_lands_on_the_new_one() {
    let apis = [Api::start().await, Api::start().await];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, both(&apis)).expect("written");
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    let project = Arc::new(Project::load(&example).expect("a project"));
    let options = server::cluster::ClusterOptions {
        kubeconfig: Some(vec![path]),
        ..Default::default()
    };
    let panel = Panel::new(core(&folder.path().join("state")), project, options).expect("a panel");
    panel.spawn();
    let stop = CancellationToken::new();
    let churning: Vec<_> = NAMES
        .into_iter()
        .zip(&apis)
        .map(|(name, api)| tokio::spawn(churn(api.cluster.client(), name, stop.clone())))
        .collect();
    let watching = tokio::spawn(watch_events(panel.core.clone(), stop.clone()));
    for round in 0..30 {
        let name = NAMES[round % 2];
        panel
            .cluster
            .choose(choice(name), GoingRuns::Refuse)
            .await
            .expect("chosen");
        panel.core.hub.read(check);
        // Sometimes at once, sometimes after its pods have come.
        if round % 3 != 0 {
            let filled = panel.core.hub.until(|state| state.pods.len() >= 8);
            tokio::time::timeout(Duration::from_secs(20), filled)
                .await
                .expect("its pods come");
        }
    }
    stop.cancel();
    let (pods, choices) = watching.await.expect("no mix was seen");
    assert!(
        choices == 30 && pods > 60,
        "{choices} choices, {pods} pod events"
    );
    for churning in churning {
        churning.await.expect("ended");
    }
    panel.core.shutdown.cancel();
    panel.cluster.shutdown().await;
}

/// Folds as a page does and looks after every event.
async fn watch_events(core: Core, stop: CancellationToken) -> (usize, usize) {
    let mut listener = core.hub.subscribe();
    let (mut state, mut pods, mut choices) = (PanelState::default(), 0, 0);
    loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => return (pods, choices),
            delivery = listener.next() => delivery,
        };
        match delivery {
            Delivery::Snapshot { state: whole, .. } => state = *whole,
            Delivery::Event(published) => {
                match &published.event {
                    PanelEvent::Pod(_) => pods += 1,
                    PanelEvent::PodsReplaced(rows) => pods += rows.len(),
                    PanelEvent::ClusterChosen(_) => choices += 1,
                    _ => {}
                }
                state.apply(&published.event);
            }
        }
        check(&state);
    }
}

#[tokio::test]
async fn a_going_run_is_in_the_way_until_it_is_cancelled_for_the_choice() {
    let apis = [Api::start().await, Api::start().await];
    let world = World::new(&both(&apis)).await;
    world.choose("one").await.expect("chosen");
    let run = world
        .core
        .runs
        .start(RunKind::Build, vec![], |run| async move {
            run.cancelled().cancelled().await;
            Err(RunError::Cancelled)
        })
        .expect("started");
    let refused = world.choose("two").await.expect_err("in the way");
    assert_eq!(refused.code, "RUN_IN_PROGRESS");
    let offered = format!("{:?}", refused.next);
    let switch = Remedy::UseCluster {
        choice: choice("two"),
        going: GoingRuns::Cancel,
    };
    assert!(offered.contains(&format!("{switch:?}")), "{offered}");
    world
        .room
        .choose(choice("two"), GoingRuns::Cancel)
        .await
        .map_err(finding)
        .expect("cancelled and chosen");
    let (used, runs) = world.core.hub.read(|state| {
        let used = state.cluster.as_ref().map(|view| view.choice.clone());
        (used, state.runs.clone())
    });
    assert_eq!(used, Some(choice("two")));
    assert!(
        !runs.contains_key(&run),
        "what ended on the old cluster says nothing here"
    );
    // The one in use stays when the other cannot be had.
    let unknown = world.choose("three").await.expect_err("unknown");
    assert_eq!(unknown.code, "CONTEXT_UNKNOWN");
    assert_eq!(
        world.room.current().map(|now| now.choice.clone()),
        Some(choice("two"))
    );
    world.end().await;
}
