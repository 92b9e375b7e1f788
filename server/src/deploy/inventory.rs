//! What the project has in the cluster: every object that carries its label.

use std::collections::BTreeSet;

use app::model::DeployedView;
use kube::Client;
use kube::api::ListParams;
use serde_json::Value;

use super::identity::{APPLY_SET, stamped};
use crate::adapters::kube::apply::api;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::discovery::{Discovery, Served};

/// Kinds that are looked through even when no manifest names them (any more).
const COMMON: [(&str, &str); 15] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
];

/// An object of the project in the cluster.
#[derive(Clone, Debug)]
pub struct Owned {
    pub served: Served,
    pub object: Value,
}

impl Owned {
    pub fn kind(&self) -> &str {
        &self.served.resource.kind
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn uid(&self) -> Option<String> {
        self.object["metadata"]["uid"].as_str().map(str::to_owned)
    }
}

/// Lists them in the namespace. `more` are the kinds of the manifests, as (apiVersion, kind).
/// Kinds that are not served or that may not be listed are left out.
pub async fn owned(
    client: &Client,
    discovery: &mut Discovery,
    namespace: &str,
    project: &str,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Owned>, KubeError> {
    let kinds: BTreeSet<(String, String)> = COMMON
        .iter()
        .map(|(version, kind)| ((*version).to_owned(), (*kind).to_owned()))
        .chain(more)
        .collect();
    let mut found = Vec::new();
    let params = ListParams::default().labels(&format!("{APPLY_SET}={project}"));
    for (version, kind) in kinds {
        let Some(served) = discovery.find(client, &version, &kind).await? else {
            continue;
        };
        if !served.namespaced || !served.can_list {
            continue;
        }
        let list = within(REQUEST_LIMIT, api(client, &served, namespace).list(&params)).await;
        let items = match list {
            Ok(list) => list.items,
            Err(error) if error.is_forbidden() || error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        found.extend(items.into_iter().filter_map(|item| {
            // What a controller made carries its owner's labels sometimes; it goes with its owner.
            let controlled = item
                .metadata
                .owner_references
                .as_ref()
                .is_some_and(|owners| !owners.is_empty());
            let object = serde_json::to_value(&item).ok()?;
            (!controlled).then(|| Owned {
                served: served.clone(),
                object,
            })
        }));
    }
    Ok(found)
}

/// The newest deploy as the objects carry it; none when no object carries one.
pub fn deployed<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Option<DeployedView> {
    let mut count = 0;
    let mut newest = None;
    for object in objects {
        if let Some(stamp) = stamped(object) {
            count += 1;
            newest = newest.max(Some(stamp));
        }
    }
    newest.map(|(revision, at)| DeployedView {
        revision,
        at,
        objects: count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::identity::stamp;
    use app::model::UnixMillis;
    use serde_json::json;

    #[test]
    fn the_newest_deploy_counts_and_unmarked_objects_do_not() {
        let marked = |revision| {
            let mut object = json!({"metadata": {"name": "a"}});
            stamp(&mut object, revision, UnixMillis(revision as i64 * 1000));
            object
        };
        let objects = [marked(2), marked(3), json!({"metadata": {"name": "b"}})];
        assert_eq!(
            deployed(&objects),
            Some(DeployedView {
                revision: 3,
                at: UnixMillis(3000),
                objects: 2
            })
        );
        assert_eq!(deployed(&objects[2..]), None);
    }
}
