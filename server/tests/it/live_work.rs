//! Working with what runs, on a real practice cluster: a pod is deleted and replaced, objects are read.

use std::time::Duration;

use app::model::{ObjectKey, Outcome, RolloutAct};
use app::ports::{Forwards, Live, Rollouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
    assert_eq!(
        finding(none.expect_err("not there")).code,
        "OBJECT_NOT_THERE"
    );
    world.end().await;
}

/// One request of a client that knows the URL alone; the status line of the answer.
async fn get(url: &str) -> std::io::Result<String> {
    let place = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(place).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_port_leads_to_the_next_pod_when_its_pod_is_deleted() {
    let world = LiveWorld::deployed(1).await;
    let live = &world.panel.live;
    let none = live.open("app".into(), 8000).await;
    assert_eq!(
        finding(none.expect_err("no such port")).code,
        "FORWARD_NO_PORT"
    );
    let none = live.open("../app".into(), 80).await;
    assert_eq!(finding(none.expect_err("no name")).code, "FORWARD_NO_PORT");

    let forward = live.open("app".into(), 80).await.expect("a port");
    let url = forward.url();
    let again = live.open("app".into(), 80).await.expect("the same");
    assert_eq!(again.url(), url);
    assert_eq!(get(&url).await.expect("an answer"), "HTTP/1.1 200 OK");
    let first = world.pod();
    world
        .until("the page knows where it leads", |state| {
            state.forwards.len() == 1 && state.forwards[0].pod.as_ref() == Some(&first.name)
        })
        .await;

    let run = live.delete_pod(first.uid.clone()).await.expect("a run");
    // Asked while the pod goes and none is ready: the connection waits for the next one.
    world
        .until("the pod is going", |state| {
            state.pods.get(&first.uid).is_none_or(|pod| pod.terminating)
        })
        .await;
    assert_eq!(get(&url).await.expect("an answer"), "HTTP/1.1 200 OK");
    succeeded(world.panel.core.runs.wait(run).await);
    let second = world.pod();
    assert_ne!(second.uid, first.uid);
    world
        .until("it leads to the next pod", |state| {
            let forward = &state.forwards[0];
            forward.pod.as_ref() == Some(&second.name) && forward.problem.is_none()
        })
        .await;

    live.close("app".into(), 80).await.expect("closed");
    world
        .until("it is off the page", |state| state.forwards.is_empty())
        .await;
    let closed = async {
        while get(&url).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .expect("nothing listens any more");

    // One that is open ends with the cluster.
    let forward = live.open("app".into(), 80).await.expect("a port");
    assert_eq!(
        get(&forward.url()).await.expect("an answer"),
        "HTTP/1.1 200 OK"
    );
    world.panel.cluster.shutdown().await;
    world.panel.core.shutdown.cancel();
    let ended = async {
        while get(&forward.url()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("it ended with the cluster");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_shows_what_owns_reads_and_leads_to_what() {
    let world = LiveWorld::deployed(2).await;
    let map = world.panel.live.map().await.expect("a map");
    let name = |at: usize| map.nodes[at].key.to_string();
    let pods: Vec<String> = world.panel.core.hub.read(|state| {
        let rows = state.pods.values();
        rows.map(|pod| format!("Pod/{}", pod.name)).collect()
    });
    let edges: Vec<(String, &str, String)> = map
        .edges
        .iter()
        .map(|edge| (name(edge.from), edge.link.words(), name(edge.to)))
        .collect();
    let has = |from: &str, link: &str, to: &str| {
        edges
            .iter()
            .any(|edge| edge.0.starts_with(from) && edge.1 == link && edge.2 == to)
    };
    assert!(
        has("Deployment/app", "reads", "Secret/t-secrets"),
        "{edges:?}"
    );
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        assert!(has("ReplicaSet/app-", "owns", pod), "{edges:?}");
        assert!(has("Service/app", "leads to", pod), "{edges:?}");
    }
    let all_well = map
        .nodes
        .iter()
        .all(|node| matches!(node.state, app::model::MapState::Well(_)));
    assert!(all_well, "{:#?}", map.nodes);
    assert!(!format!("{map:?}").contains(VALUE));
    world.end().await;
}
