//! What to do about a DaemonSet, decided from its pods and the nodes alone.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, Toleration,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::controllers::deployment::resolve_share;
use crate::controllers::pod_control::pod_from_template;
use crate::controllers::pods;
use crate::controllers::replica_set::next_availability;
use crate::controllers::revisions::POD_LABEL;
use crate::controllers::scheduler::may_run;

/// A set, its pods and the nodes, at one moment.
pub struct Observed<'a> {
    pub set: &'a DaemonSet,
    pub pods: &'a [Arc<Pod>],
    pub nodes: &'a [Arc<Node>],
    /// Of the current template.
    pub hash: &'a str,
    pub now: Timestamp,
}

/// What to do.
#[derive(Debug, Default)]
pub struct Plan {
    pub create: Vec<Pod>,
    pub delete: Vec<Arc<Pod>>,
    pub status: DaemonSetStatus,
    pub look_again: Option<Duration>,
}

/// The node a daemon pod is for: the one it has, or the one its affinity names.
fn target(pod: &Pod) -> Option<&str> {
    pods::node(pod).or_else(|| {
        let affinity = pod.spec.as_ref()?.affinity.as_ref()?;
        let required = affinity
            .node_affinity
            .as_ref()?
            .required_during_scheduling_ignored_during_execution
            .as_ref()?;
        let fields = required
            .node_selector_terms
            .first()?
            .match_fields
            .as_ref()?;
        Some(fields.first()?.values.as_ref()?.first()?.as_str())
    })
}

fn is_current(pod: &Pod, hash: &str) -> bool {
    pod.labels().get(POD_LABEL).map(String::as_str) == Some(hash)
}

/// Decides.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let Observed {
        set,
        pods: own,
        nodes,
        hash,
        now,
    } = *observed;
    let spec = &set.spec;
    let mut plan = Plan::default();
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let available = |pod: &Pod| !is_going(pod) && pods::is_available(pod, min_ready, now);
    // Every node that takes the pod, with the living pod it has.
    let mut covered: Vec<Option<&Arc<Pod>>> = Vec::new();
    for node in nodes {
        let name = node.name_any();
        let wanted = new_pod(set, spec, &name, hash);
        let mut here = own.iter().filter(|pod| target(pod) == Some(name.as_str()));
        if !may_run(&wanted, node) {
            plan.delete
                .extend(here.filter(|pod| !is_going(pod)).cloned());
            continue;
        }
        let ended = here
            .clone()
            .filter(|pod| pods::is_finished(pod) && !is_going(pod));
        plan.delete.extend(ended.cloned());
        let alive = here.find(|pod| !pods::is_finished(pod));
        if alive.is_none() {
            plan.create.push(wanted);
        }
        covered.push(alive);
    }
    let count = |holds: &dyn Fn(&Pod) -> bool| {
        let pods = covered.iter().flatten();
        i32::try_from(pods.filter(|pod| holds(pod)).count()).unwrap_or(i32::MAX)
    };
    let desired = i32::try_from(covered.len()).unwrap_or(i32::MAX);
    let filled = |count: i32| (count > 0).then_some(count);
    let able = count(&available);
    plan.status = DaemonSetStatus {
        current_number_scheduled: count(&|_| true),
        desired_number_scheduled: desired,
        number_available: filled(able),
        number_misscheduled: i32::try_from(plan.delete.len()).unwrap_or_default(),
        number_ready: count(&|pod| !is_going(pod) && pods::is_ready(pod)),
        number_unavailable: filled(desired - able),
        observed_generation: set.metadata.generation,
        updated_number_scheduled: filled(count(&|pod| is_current(pod, hash))),
        ..DaemonSetStatus::default()
    };
    if min_ready > 0 {
        plan.look_again =
            next_availability(own, min_ready, now).map(|wait| wait + Duration::from_millis(20));
    }
    roll(spec, &covered, hash, desired - able, &available, &mut plan);
    plan
}

fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Takes old pods away, as many as may be missing at a time; those that do not work anyway first.
fn roll(
    spec: &DaemonSetSpec,
    covered: &[Option<&Arc<Pod>>],
    hash: &str,
    unavailable: i32,
    available: &dyn Fn(&Pod) -> bool,
    plan: &mut Plan,
) {
    let strategy = spec.update_strategy.as_ref();
    if strategy.and_then(|s| s.type_.as_deref()) == Some("OnDelete") {
        return;
    }
    let limit = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .and_then(|rolling| rolling.max_unavailable.as_ref());
    let desired = i32::try_from(covered.len()).unwrap_or(i32::MAX);
    let limit = limit
        .map_or(1, |share| resolve_share(Some(share), desired, true))
        .max(1);
    let old = covered
        .iter()
        .flatten()
        .filter(|pod| !is_current(pod, hash) && !is_going(pod));
    let (working, broken): (Vec<&Arc<Pod>>, Vec<&Arc<Pod>>) = old.partition(|pod| available(pod));
    plan.delete.extend(broken.into_iter().cloned());
    let room = usize::try_from(limit - unavailable).unwrap_or_default();
    plan.delete.extend(working.into_iter().take(room).cloned());
}

/// The pod for one node.
fn new_pod(set: &DaemonSet, spec: &DaemonSetSpec, node: &str, hash: &str) -> Pod {
    let mut pod = pod_from_template(set, &spec.template);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_LABEL.to_owned(), hash.to_owned());
    let generation = set.metadata.generation.unwrap_or(1).to_string();
    labels.insert("pod-template-generation".to_owned(), generation);
    let Some(spec) = &mut pod.spec else {
        return pod;
    };
    let field = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let required = spec
        .affinity
        .get_or_insert_default()
        .node_affinity
        .get_or_insert_default()
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(NodeSelector::default);
    if required.node_selector_terms.is_empty() {
        required
            .node_selector_terms
            .push(NodeSelectorTerm::default());
    }
    for term in &mut required.node_selector_terms {
        term.match_fields = Some(vec![field.clone()]);
    }
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ] {
        tolerations.push(Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        });
    }
    pod
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(labels: Value) -> Arc<Node> {
        let node = json!({
            "metadata": {"name": "practice", "labels": labels},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        Arc::new(serde_json::from_value(node).unwrap())
    }

    fn set(selector: Value) -> DaemonSet {
        serde_json::from_value(json!({
            "metadata": {"name": "agent", "generation": 1},
            "spec": {
                "selector": {"matchLabels": {"app": "agent"}},
                "template": {
                    "metadata": {"labels": {"app": "agent"}},
                    "spec": {"containers": [{"name": "app"}], "nodeSelector": selector},
                },
            },
        }))
        .unwrap()
    }

    fn decide(set: &DaemonSet, pods: &[Arc<Pod>], nodes: &[Arc<Node>]) -> Plan {
        plan(&Observed {
            set,
            pods,
            nodes,
            hash: "new",
            now: Timestamp::now(),
        })
    }

    fn running(hash: &str) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": "agent-x", "labels": {POD_LABEL: hash}},
            "spec": {"nodeName": "practice", "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn every_node_that_takes_it_gets_one() {
        let plan = decide(&set(json!({})), &[], &[node(json!({}))]);
        assert_eq!(plan.create.len(), 1);
        assert_eq!(target(&plan.create[0]), Some("practice"));
        assert_eq!(plan.status.desired_number_scheduled, 1);
        let picky = set(json!({"disk": "ssd"}));
        let none = decide(&picky, &[running("new")], &[node(json!({}))]);
        assert!(none.create.is_empty());
        assert_eq!(
            (none.delete.len(), none.status.desired_number_scheduled),
            (1, 0)
        );
    }

    #[test]
    fn an_old_pod_makes_room_for_the_new_one() {
        let plan = decide(&set(json!({})), &[running("old")], &[node(json!({}))]);
        assert_eq!((plan.delete.len(), plan.create.len()), (1, 0));
        let done = decide(&set(json!({})), &[running("new")], &[node(json!({}))]);
        assert!(done.delete.is_empty() && done.create.is_empty());
        assert_eq!(done.status.updated_number_scheduled, Some(1));
        assert_eq!(done.status.number_ready, 1);
    }
}
