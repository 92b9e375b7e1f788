//! The ReplicaSets behind a Deployment: its history, and the pods of its newest template.

use app::model::{RolloutHistory, RolloutRevision, UnixMillis};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::identity::REVISION as DEPLOY_REVISION;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::times::millis;
use crate::live::rollout::REVISION;

const CAUSE: &str = "kubernetes.io/change-cause";
/// The ReplicaSet's own mark on its pods; no part of the Deployment's template.
const HASH: &str = "pod-template-hash";

/// What is kept of a ReplicaSet.
#[derive(Clone, Debug)]
pub struct OwnedSet {
    pub uid: String,
    pub name: String,
    pub revision: u64,
    /// The pod template as the Deployment had it.
    pub template: Value,
    pub cause: Option<String>,
    pub deploy: Option<u64>,
    pub created: UnixMillis,
    pub pods: u32,
    pub ready: u32,
}

/// The ReplicaSets a Deployment controls, newest revision first.
pub async fn of(client: &Client, deployment: &Deployment) -> Result<Vec<OwnedSet>, KubeError> {
    let namespace = deployment.metadata.namespace.clone().unwrap_or_default();
    let api: Api<ReplicaSet> = Api::namespaced(client.clone(), &namespace);
    let selector = serde_json::to_value(&deployment.spec.selector).unwrap_or_default();
    let params = ListParams::default().labels(&super::rollout_pods::selector(&selector));
    let list = within(REQUEST_LIMIT, api.list(&params)).await?;
    let owner = deployment.metadata.uid.clone().unwrap_or_default();
    let mut sets: Vec<OwnedSet> = list
        .items
        .iter()
        .filter(|set| {
            let mut owners = set.metadata.owner_references.iter().flatten();
            owners.any(|of| of.controller == Some(true) && of.uid == owner)
        })
        .map(owned_set)
        .collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.revision));
    Ok(sets)
}

fn owned_set(set: &ReplicaSet) -> OwnedSet {
    let annotation = |key: &str| {
        set.metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(key).cloned())
    };
    let count = |number: Option<i32>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let mut template = set
        .spec
        .template
        .as_ref()
        .and_then(|template| serde_json::to_value(template).ok())
        .unwrap_or_default();
    if let Some(labels) = template
        .get_mut("metadata")
        .and_then(|metadata| metadata.get_mut("labels"))
        .and_then(Value::as_object_mut)
    {
        labels.shift_remove(HASH);
    }
    OwnedSet {
        uid: set.metadata.uid.clone().unwrap_or_default(),
        name: set.metadata.name.clone().unwrap_or_default(),
        revision: annotation(REVISION)
            .and_then(|revision| revision.parse().ok())
            .unwrap_or(0),
        template,
        cause: annotation(CAUSE),
        deploy: annotation(DEPLOY_REVISION).and_then(|revision| revision.parse().ok()),
        created: set
            .metadata
            .creation_timestamp
            .as_ref()
            .map(millis)
            .unwrap_or_default(),
        pods: set
            .status
            .as_ref()
            .map_or(0, |status| count(Some(status.replicas))),
        ready: count(set.status.as_ref().and_then(|status| status.ready_replicas)),
    }
}

/// The revision a Deployment stands at.
pub fn current_revision(deployment: &Deployment) -> u64 {
    deployment
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(REVISION))
        .and_then(|revision| revision.parse().ok())
        .unwrap_or(0)
}

/// The history as the page shows it.
pub fn history(deployment: &Deployment, sets: &[OwnedSet]) -> RolloutHistory {
    let current = current_revision(deployment);
    RolloutHistory {
        paused: deployment.spec.paused.unwrap_or(false),
        wanted: deployment
            .spec
            .replicas
            .and_then(|replicas| u32::try_from(replicas).ok())
            .unwrap_or(1),
        revisions: sets
            .iter()
            .map(|set| RolloutRevision {
                revision: set.revision,
                replica_set: set.name.clone(),
                images: images(&set.template),
                cause: set.cause.clone(),
                deploy: set.deploy,
                created: set.created,
                pods: set.pods,
                ready: set.ready,
                is_current: set.revision == current,
            })
            .collect(),
    }
}

fn images(template: &Value) -> Vec<String> {
    template["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["image"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_replica_set_tells_its_revision_its_images_and_its_deploy() {
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"name": "web-5d9", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {REVISION: "3", DEPLOY_REVISION: "7", CAUSE: "a new image"}},
            "spec": {"selector": {}, "template": {
                "metadata": {"labels": {"app": "web", HASH: "5d9"}},
                "spec": {"containers": [{"name": "web", "image": "web:3"}]}}},
            "status": {"replicas": 2, "readyReplicas": 1}}))
        .expect("a ReplicaSet");
        let set = owned_set(&set);
        assert_eq!(
            (set.revision, set.deploy, set.pods, set.ready),
            (3, Some(7), 2, 1)
        );
        assert_eq!(set.template["metadata"]["labels"], json!({"app": "web"}));
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"annotations": {REVISION: "3"}},
            "spec": {"replicas": 2, "paused": true, "selector": {}, "template": {}}}))
        .expect("a Deployment");
        let history = history(&deployment, &[set]);
        assert!(history.paused && history.revisions[0].is_current);
        assert_eq!(history.revisions[0].images, ["web:3"]);
        assert_eq!(history.revisions[0].cause.as_deref(), Some("a new image"));
    }
}
