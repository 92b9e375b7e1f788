//! Working with what runs, on a real practice cluster: a pod is deleted and replaced, objects are read.

use app::model::{ObjectKey, Outcome, RolloutAct};
use app::ports::{Live, Rollouts};

use super::deploy_world::{finding, succeeded};
use super::live_world::{LiveWorld, VALUE};

fn key(text: &str) -> ObjectKey {
    text.parse().expect("a key")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_is_replaced_and_a_wish_about_it_means_no_other() {
    let world = LiveWorld::deployed(1).await;
    let before = world.pod();
    assert_eq!(
        before.owner.as_ref().map(|owner| owner.kind.as_str()),
        Some("ReplicaSet")
    );
    let run = world.panel.live.delete_pod(before.uid.clone()).await;
    succeeded(world.panel.core.runs.wait(run.expect("a run")).await);
    let after = world.pod();
    assert!(after.ready && after.uid != before.uid, "{after:#?}");
    let again = world.panel.live.delete_pod(before.uid.clone()).await;
    assert_eq!(finding(again.expect_err("it is gone")).code, "POD_GONE");

    // What the page shows may be behind: then the cluster itself refuses by the UID.
    let mut row = after.clone();
    row.uid = before.uid;
    let shown = app::model::PanelEvent::Pod(Box::new(row.clone()));
    let connected = world.panel.cluster.current().expect("connected");
    connected.voice.publish(shown);
    let run = world.panel.live.delete_pod(row.uid).await.expect("a run");
    let Outcome::Failed { finding } = world.panel.core.runs.wait(run).await else {
        panic!("another pod was deleted");
    };
    assert_eq!(finding.code, "POD_GONE");
    assert!(
        world
            .panel
            .core
            .hub
            .read(|state| state.pods.contains_key(&after.uid))
    );

    // A rollout leaves the revision before to go back to.
    let app = "app".parse::<app::model::ComponentName>().expect("a name");
    let restart = world.panel.deploys.steer(app.clone(), RolloutAct::Restart);
    succeeded(
        world
            .panel
            .core
            .runs
            .wait(restart.await.expect("a run"))
            .await,
    );
    world
        .until("the revision before is known", |state| {
            let row = state.components.get(&app);
            row.is_some_and(|row| row.previous == Some(1) && row.revision == 2)
        })
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_objects_are_shown_without_a_secret_value() {
    let world = LiveWorld::deployed(1).await;
    let live = &world.panel.live;
    let pod = world.pod().name;
    for (text, wanted) in [
        (format!("Pod/{pod}"), "kind: Pod"),
        ("Deployment/app".to_owned(), "apiVersion: apps/v1"),
        ("Secret/t-secrets".to_owned(), "TOKEN:"),
    ] {
        let bare = live.object(key(&text), false).await.expect(&text);
        let all = live.object(key(&text), true).await.expect(&text);
        assert!(bare.yaml.contains(wanted), "{}", bare.yaml);
        assert!(!bare.yaml.contains("resourceVersion"), "{}", bare.yaml);
        assert!(all.yaml.contains("resourceVersion"), "{}", all.yaml);
        for value in [VALUE, "YS12ZXJ5LXNlY3JldC12YWx1ZS00NzEx"] {
            assert!(!all.yaml.contains(value), "{text} shows a secret value");
        }
    }
    let secret = live.object(key("Secret/t-secrets"), false).await;
    assert!(secret.expect("read").hidden >= 1);
    let none = live.object(key("Service/nowhere"), false).await;
    assert_eq!(finding(none.expect_err("not there")).code, "OBJECT_GONE");
    world.end().await;
}
