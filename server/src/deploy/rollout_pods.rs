//! The pods of a workload's newest template, asked for directly: for workloads that are no component
//! and so have no watch of their own.

use app::model::{ComponentName, PodRow};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::replica_sets;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::engine::clock;
use crate::live::pod_facts::PodFacts;
use crate::live::pod_row::{Surroundings, pod_row};

/// Which controller template a StatefulSet's or DaemonSet's pod was made from.
const REVISION_HASH: &str = "controller-revision-hash";
const TEMPLATE_GENERATION: &str = "pod-template-generation";
const SET_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The pods of the newest template of a Deployment, StatefulSet or DaemonSet.
pub async fn newest(client: &Client, workload: &Value) -> Result<Vec<PodRow>, KubeError> {
    let metadata = &workload["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let uid = metadata["uid"].as_str().unwrap_or_default();
    let name = metadata["name"].as_str().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&selector(&workload["spec"]["selector"]));
    let pods = within(REQUEST_LIMIT, api.list(&params)).await?;
    let owner = match workload["kind"].as_str() {
        Some("Deployment") => current_set(client, workload).await?,
        _ => Some(uid.to_owned()),
    };
    let component: Option<ComponentName> = name.parse().ok();
    let now = clock::now();
    Ok(pods
        .items
        .iter()
        .map(PodFacts::of)
        .filter(|pod| !pod.deleted)
        .filter(|pod| {
            pod.owner
                .as_ref()
                .is_some_and(|of| Some(&of.uid) == owner.as_ref())
        })
        .filter(|pod| is_current(workload, pod))
        .map(|pod| {
            pod_row(
                &pod,
                &Surroundings {
                    component: component.clone(),
                    current: true,
                    stale_secrets: false,
                    probe_news: None,
                    warning: None,
                    now,
                },
            )
        })
        .collect())
}

async fn current_set(client: &Client, workload: &Value) -> Result<Option<String>, KubeError> {
    let Ok(deployment) = serde_json::from_value::<Deployment>(workload.clone()) else {
        return Ok(None);
    };
    let current = replica_sets::current_revision(&deployment);
    let sets = replica_sets::of(client, &deployment).await?;
    Ok(sets
        .into_iter()
        .find(|set| set.revision == current)
        .map(|set| set.uid))
}

/// Whether a StatefulSet's or DaemonSet's pod is of the newest template, as far as its labels say.
fn is_current(workload: &Value, pod: &PodFacts) -> bool {
    let same = |label: &str, wanted: &Value| match (pod.labels.get(label), wanted.as_str()) {
        (Some(has), Some(wanted)) if !wanted.is_empty() => has == wanted,
        _ => true,
    };
    match workload["kind"].as_str() {
        Some("StatefulSet") => same(REVISION_HASH, &workload["status"]["updateRevision"]),
        Some("DaemonSet") => same(
            TEMPLATE_GENERATION,
            &workload["metadata"]["annotations"][SET_GENERATION],
        ),
        _ => true,
    }
}

/// The newest words of a controller that could not make a pod, when they are of the last minute.
pub async fn refusal(client: &Client, workload: &Value) -> Result<Option<String>, KubeError> {
    let metadata = &workload["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let uid = metadata["uid"].as_str().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
    let events = within(REQUEST_LIMIT, api.list(&params)).await?;
    let now = clock::now();
    Ok(events
        .items
        .iter()
        .filter(|event| event.reason.as_deref() == Some("FailedCreate"))
        .filter_map(|event| {
            let at = event
                .last_timestamp
                .as_ref()
                .map(crate::adapters::kube::times::millis)?;
            (now.since(at) < 60_000).then(|| (at, event.message.clone().unwrap_or_default()))
        })
        .max_by_key(|(at, _)| *at)
        .map(|(_, message)| message))
}

/// A label selector in the words of a query.
pub fn selector(selector: &Value) -> String {
    let labels = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|expression| {
            let key = expression["key"].as_str()?;
            let values = expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(",");
            match expression["operator"].as_str()? {
                "In" => Some(format!("{key} in ({values})")),
                "NotIn" => Some(format!("{key} notin ({values})")),
                "Exists" => Some(key.to_owned()),
                "DoesNotExist" => Some(format!("!{key}")),
                _ => None,
            }
        });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_is_put_in_the_words_of_a_query() {
        let whole = json!({"matchLabels": {"app": "web", "tier": "x"}, "matchExpressions": [
            {"key": "env", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ]});
        assert_eq!(selector(&whole), "app=web,tier=x,env in (a,b),!old");
        assert_eq!(selector(&Value::Null), "");
    }

    #[test]
    fn pods_of_an_older_template_do_not_count() {
        let pod = |label: &str, value: &str| PodFacts {
            labels: [(label.to_owned(), value.to_owned())].into(),
            ..PodFacts::default()
        };
        let set = json!({"kind": "StatefulSet", "status": {"updateRevision": "web-2"}});
        assert!(is_current(&set, &pod(REVISION_HASH, "web-2")));
        assert!(!is_current(&set, &pod(REVISION_HASH, "web-1")));
        let daemon =
            json!({"kind": "DaemonSet", "metadata": {"annotations": {SET_GENERATION: "3"}}});
        assert!(is_current(&daemon, &pod(TEMPLATE_GENERATION, "3")));
        assert!(!is_current(&daemon, &pod(TEMPLATE_GENERATION, "2")));
        assert!(is_current(&daemon, &pod("other", "2")));
    }
}
