use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher;
use serde_json::json;

use super::support::*;

async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    tokio::time::timeout(Duration::from_secs(10), stream.next())
        .await
        .expect("in time")
        .expect("an event")
}

fn told(event: kube::Result<WatchEvent<ConfigMap>>) -> (&'static str, String) {
    let name = |map: ConfigMap| map.metadata.name.unwrap_or_default();
    match event.expect("an event") {
        WatchEvent::Added(map) => ("added", name(map)),
        WatchEvent::Modified(map) => ("modified", name(map)),
        WatchEvent::Deleted(map) => ("deleted", name(map)),
        WatchEvent::Bookmark(_) => ("bookmark", String::new()),
        WatchEvent::Error(status) => ("error", status.reason),
    }
}

#[tokio::test]
async fn a_watch_resumes_where_a_list_ended() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    maps.create(&PostParams::default(), &config_map("old", "1"))
        .await
        .expect("created");
    let list = maps.list(&Default::default()).await.expect("listed");
    let version = list.metadata.resource_version.expect("a version");
    maps.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let patch = json!({"data": {"key": "2"}});
    maps.patch("a", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .expect("patched");
    maps.delete("a", &DeleteParams::default())
        .await
        .expect("deleted");
    let mut events = pin!(
        maps.watch(&WatchParams::default(), &version)
            .await
            .expect("watching")
    );
    for expected in ["added", "modified", "deleted"] {
        assert_eq!(told(next(&mut events).await), (expected, "a".to_owned()));
    }
}

#[tokio::test]
async fn an_object_that_leaves_a_selector_is_deleted_for_its_watchers() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    let params = WatchParams::default().labels("on=yes");
    let mut events = pin!(maps.watch(&params, "0").await.expect("watching"));
    maps.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    for (value, expected) in [("yes", "added"), ("no", "deleted")] {
        let patch = json!({"metadata": {"labels": {"on": value}}});
        maps.patch("a", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("patched");
        assert_eq!(told(next(&mut events).await), (expected, "a".to_owned()));
    }
}

#[tokio::test]
async fn a_version_from_before_the_history_is_expired() {
    let cluster = Cluster::start().await;
    let mut events = pin!(
        cluster
            .config_maps()
            .watch(&WatchParams::default(), "0")
            .await
            .expect("watching")
    );
    drop(
        cluster
            .config_maps()
            .create(&PostParams::default(), &config_map("a", "1"))
            .await,
    );
    assert_eq!(told(next(&mut events).await).0, "added");
    // Folders that were used before begin far above version 1.
    let Cluster {
        folder,
        running,
        client,
    } = cluster;
    running.shutdown().await;
    drop(client);
    let running =
        practice::PracticeCluster::start(practice::PracticeConfig::api_only(folder.path()))
            .await
            .expect("starts");
    let client = tls_client(running.kubeconfig()).await;
    let maps: kube::Api<ConfigMap> = kube::Api::namespaced(client, "default");
    let mut events = pin!(
        maps.watch(&WatchParams::default(), "1")
            .await
            .expect("watching")
    );
    assert_eq!(
        told(next(&mut events).await),
        ("error", "Expired".to_owned())
    );
}

#[tokio::test]
async fn streaming_lists_end_with_a_marked_bookmark() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    maps.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let config = watcher::Config::default().streaming_lists();
    let mut events = pin!(watcher(maps.clone(), config));
    assert!(matches!(
        next(&mut events).await.expect("an event"),
        watcher::Event::Init
    ));
    assert!(matches!(
        next(&mut events).await.expect("an event"),
        watcher::Event::InitApply(_)
    ));
    assert!(matches!(
        next(&mut events).await.expect("an event"),
        watcher::Event::InitDone
    ));
    maps.create(&PostParams::default(), &config_map("b", "1"))
        .await
        .expect("created");
    assert!(matches!(
        next(&mut events).await.expect("an event"),
        watcher::Event::Apply(_)
    ));
}
