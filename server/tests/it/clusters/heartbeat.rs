//! A cluster that stops answering in any way is noticed within seconds, and so is its return.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use app::model::{NextAction, PanelState, ProfileAct, Remedy};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api as KubeApi, PostParams};
use server::adapters::kube::follow::{News, Scope, follow};
use server::process::Surroundings;
use tokio_util::sync::CancellationToken;

use super::front::{Front, Mood};
use super::{Api, World};
use crate::standin_minikube::Machine;

/// Two beats, their deadlines, and a busy machine.
const NOTICED: Duration = Duration::from_secs(9);
const HEALED: Duration = Duration::from_secs(16);

fn problem(state: &PanelState) -> Option<&str> {
    let problem = state.cluster.as_ref()?.problem.as_ref()?;
    Some(problem.code.as_str())
}

fn is_lost(state: &PanelState) -> bool {
    state
        .cluster
        .as_ref()
        .is_some_and(|cluster| cluster.freshness.lost.is_some())
}

fn is_well(state: &PanelState) -> bool {
    !is_lost(state) && problem(state).is_none()
}

async fn world(front: &Front) -> World {
    let world = World::new(&front.kubeconfig("front")).await;
    world.choose("front").await.expect("it answers");
    world
}

#[tokio::test]
async fn silence_refusal_and_strangers_are_told_apart_and_heal_by_themselves() {
    let api = Api::start().await;
    let front = Front::before(api.cluster.client()).await;
    let world = world(&front).await;
    let era = world
        .core
        .hub
        .read(|state| state.cluster.as_ref().map(|cluster| cluster.era));
    for (mood, code) in [
        (Mood::Frozen, "CLUSTER_UNREACHABLE"),
        (Mood::Slow(Duration::from_secs(3)), "CLUSTER_UNREACHABLE"),
        (Mood::Says(500), "CLUSTER_NOT_READY"),
        (Mood::Says(401), "CLUSTER_LOGIN_REFUSED"),
    ] {
        let since = Instant::now();
        front.be(mood);
        world
            .until(&format!("{mood:?} is noticed"), NOTICED, |state| {
                is_lost(state) && problem(state) == Some(code)
            })
            .await;
        println!("{mood:?} noticed after {:?}", since.elapsed());
        let since = Instant::now();
        front.be(Mood::Honest);
        world.until("it is well again", HEALED, is_well).await;
        println!("{mood:?} healed after {:?}", since.elapsed());
    }
    // Nothing was forgotten: it is the same cluster all the time.
    let now = world
        .core
        .hub
        .read(|state| state.cluster.as_ref().map(|cluster| cluster.era));
    assert_eq!(now, era);
    world.end().await;
}

#[tokio::test]
async fn who_may_not_ask_for_readiness_still_has_a_living_cluster() {
    let api = Api::start().await;
    let front = Front::before(api.cluster.client()).await;
    let world = world(&front).await;
    front.be(Mood::Says(403));
    let heard = |state: &PanelState| state.cluster.as_ref().and_then(|view| view.freshness.heard);
    let before = world.core.hub.read(heard);
    world
        .until("two more signs of life", NOTICED, |state| {
            let age = heard(state).zip(before).map(|(now, then)| now.since(then));
            age.is_some_and(|age| age > 3_000)
        })
        .await;
    assert!(world.core.hub.read(is_well));
    world.end().await;
}

#[tokio::test]
async fn a_cluster_that_comes_back_at_another_port_is_followed_there() {
    let api = Api::start().await;
    let mut front = Front::before(api.cluster.client()).await;
    let world = world(&front).await;
    let first = world.room.current().expect("connected").server.clone();
    front.close();
    world
        .until("the closed port is noticed", NOTICED, |state| {
            problem(state) == Some("CLUSTER_UNREACHABLE")
        })
        .await;
    front.move_away().await;
    fs::write(&world.kubeconfig, front.kubeconfig("front")).expect("written");
    world
        .until("it is well at the new port", HEALED, is_well)
        .await;
    let connected = world.room.current().expect("connected");
    assert_ne!(connected.server, first);
    let shown = world
        .core
        .hub
        .read(|state| state.cluster.clone())
        .expect("a view");
    assert_eq!(shown.server, connected.server);
    world.end().await;
}

#[tokio::test]
async fn a_frozen_server_costs_the_watches_their_connection_and_they_see_again_what_happens() {
    let api = Api::start().await;
    let front = Front::before(api.cluster.client()).await;
    let world = world(&front).await;
    let before = world.room.current().expect("connected");
    let mut clusters = world.room.watch();
    clusters.mark_unchanged();
    front.be(Mood::Frozen);
    world.until("the frost is noticed", NOTICED, is_lost).await;
    // Beyond the third miss. What was asked meanwhile is never answered, as on a dead connection.
    tokio::time::sleep(Duration::from_secs(5)).await;
    front.be(Mood::Honest);
    tokio::time::timeout(HEALED, clusters.changed())
        .await
        .expect("a new client")
        .expect("the room lives");
    let after = world.room.current().expect("connected");
    assert!(!std::sync::Arc::ptr_eq(&before, &after));
    assert_eq!(before.id, after.id);
    assert!(!before.gone.is_cancelled());
    world.end().await;
}

#[tokio::test]
async fn watches_that_are_too_old_are_listed_anew_without_a_storm() {
    let api = Api::start().await;
    let front = Front::before(api.cluster.client()).await;
    let world = world(&front).await;
    let client = world.room.current().expect("connected").client.clone();
    let maps: KubeApi<ConfigMap> = KubeApi::namespaced(client, "default");
    front.be(Mood::WatchSays(410));
    let stop = CancellationToken::new();
    let (sender, mut news) = tokio::sync::mpsc::unbounded_channel();
    let following = tokio::spawn(follow(maps, Scope::default(), stop.clone(), move |told| {
        if let News::Applied(map) | News::Listed(map) = told {
            let map: ConfigMap = map;
            let _ = sender.send(map.metadata.name.unwrap_or_default());
        }
    }));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let lists = front.lists.load(Ordering::SeqCst);
    assert!((1..=8).contains(&lists), "{lists} lists in four seconds");
    front.be(Mood::Honest);
    let own: KubeApi<ConfigMap> = KubeApi::namespaced(api.cluster.client(), "default");
    let mut map = ConfigMap::default();
    map.metadata.name = Some("late".into());
    own.create(&PostParams::default(), &map)
        .await
        .expect("created");
    let seen = async {
        while let Some(name) = news.recv().await {
            if name == "late" {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(25), seen)
        .await
        .expect("the watch sees what happens");
    stop.cancel();
    following.await.expect("ended");
    world.end().await;
}

#[tokio::test]
async fn a_paused_or_stopped_minikube_is_named_with_the_act_that_mends_it() {
    let api = Api::start().await;
    let front = Front::before(api.cluster.client()).await;
    let machine = Machine::with_minikube();
    assert!(machine.minikube("start -p front").status.success());
    let cluster = format!(
        "server: 'http://127.0.0.1:{}', extensions: [{{name: cluster_info, extension: {{provider: minikube.sigs.k8s.io}}}}]",
        front.port
    );
    let around = Surroundings::with(machine.env());
    let world = World::with(&super::kubeconfig("front", &cluster, ""), |options| {
        server::cluster::ClusterOptions { around, ..options }
    })
    .await;
    world.choose("front").await.expect("it answers");
    let offers = |code: &'static str, wanted: ProfileAct| {
        move |state: &PanelState| {
            problem(state) == Some(code)
                && state.cluster.as_ref().is_some_and(|cluster| {
                    cluster.problem.as_ref().is_some_and(|problem| {
                        matches!(
                            &problem.next[0],
                            NextAction::Do { action: Remedy::Minikube { act, .. }, .. } if *act == wanted
                        )
                    })
                })
        }
    };
    front.be(Mood::Frozen);
    assert!(machine.minikube("pause -p front").status.success());
    world
        .until(
            "it is said to be paused",
            HEALED,
            offers("CLUSTER_PAUSED", ProfileAct::Unpause),
        )
        .await;
    assert!(machine.minikube("stop -p front").status.success());
    world
        .until(
            "it is said to be stopped",
            HEALED * 2,
            offers("CLUSTER_STOPPED", ProfileAct::Start),
        )
        .await;
    front.be(Mood::Honest);
    world.until("it is well again", HEALED, is_well).await;
    world.end().await;
}
