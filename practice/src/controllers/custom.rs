//! Custom kinds come and go while the cluster runs: their objects have owners too, and go with
//! their namespace.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use kube::api::DynamicObject;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, ServedKind, keep_metadata};
use super::garbage::GarbageCollector;
use super::informer::Informer;
use super::worker::supervise;

/// Follows the definitions until `shutdown`.
pub async fn run(
    cluster: Arc<Cluster>,
    garbage: Arc<GarbageCollector>,
    changed: Arc<Notify>,
    shutdown: CancellationToken,
) {
    let mut watched: HashMap<String, CancellationToken> = HashMap::new();
    loop {
        let custom = match cluster.rediscover().await {
            Ok(custom) => custom,
            Err(error) => {
                tracing::warn!(%error, "discovery failed, will try again");
                // Another change, or the supervisor's next try, brings it up to date.
                return;
            }
        };
        let name = |kind: &ServedKind| {
            let resource = &kind.resource;
            format!(
                "{}.{}.{}",
                resource.plural, resource.version, resource.group
            )
        };
        watched.retain(|known, stop| {
            let served = custom.iter().any(|kind| name(kind) == *known);
            if !served {
                stop.cancel();
            }
            served
        });
        for kind in &custom {
            if let Entry::Vacant(entry) = watched.entry(name(kind)) {
                let stop = entry.insert(shutdown.child_token()).clone();
                watch(&cluster, &garbage, kind, stop);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = changed.notified() => {}
        }
    }
}

fn watch(
    cluster: &Arc<Cluster>,
    garbage: &GarbageCollector,
    kind: &ServedKind,
    stop: CancellationToken,
) {
    let informer: Arc<Informer<DynamicObject>> = Arc::default();
    garbage.listen(kind.clone(), &informer);
    let api = kind.api(cluster.client.clone(), None);
    tokio::spawn(async move {
        supervise("custom", stop.clone(), || {
            informer.run(api.clone(), keep_metadata, &stop)
        })
        .await;
    });
}

/// A signal for every change of a definition.
pub fn definitions_changed(cluster: &Cluster) -> Arc<Notify> {
    let changed = Arc::new(Notify::new());
    for (kind, informer) in &cluster.others {
        if kind.group_kind() == ("apiextensions.k8s.io", "CustomResourceDefinition") {
            let changed = Arc::clone(&changed);
            informer.on_change(move |_| changed.notify_one());
        }
    }
    changed
}
