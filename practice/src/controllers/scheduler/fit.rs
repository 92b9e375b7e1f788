//! Whether a pod fits a node, and if not, why, in the scheduler's words.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, ResourceRequirements, Taint,
    Toleration,
};
use kube::ResourceExt;

use crate::controllers::selector;
use crate::quantity::amount;

/// Where a pod goes, or why it goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Bind(String),
    /// The message of the condition and the event.
    Unschedulable(String),
}

/// Decides about one pod. `bound` are the pods that already have a node.
pub fn decide<'a>(pod: &Pod, nodes: impl IntoIterator<Item = &'a Node>, bound: &[&Pod]) -> Verdict {
    let mut total = 0;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes {
        total += 1;
        let name = node.name_any();
        let here: Vec<&Pod> = bound
            .iter()
            .copied()
            .filter(|other| crate::controllers::pods::node(other) == Some(&name))
            .collect();
        let problems = problems(pod, node, &here);
        if problems.is_empty() {
            return Verdict::Bind(name);
        }
        for problem in problems {
            *reasons.entry(problem).or_default() += 1;
        }
    }
    if total == 0 {
        return Verdict::Unschedulable("no nodes available to schedule pods".to_owned());
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let reasons = reasons.join(", ");
    // Preempting would only help where a lower priority runs; there are no priorities here.
    Verdict::Unschedulable(format!(
        "0/{total} nodes are available: {reasons}. preemption: 0/{total} nodes are available: \
         {total} No preemption victims found for incoming pod."
    ))
}

/// Whether the node takes this pod of a DaemonSet at all, room aside.
pub fn may_run(pod: &Pod, node: &Node) -> bool {
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default();
    let taints = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten());
    let refused = taints
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
        .any(|taint| !tolerates(tolerations, taint));
    !refused && matches_affinity(pod, node)
}

fn problems(pod: &Pod, node: &Node, here: &[&Pod]) -> Vec<String> {
    let spec = pod.spec.as_ref();
    let node_spec = node.spec.as_ref();
    let tolerations = spec
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default();
    if node_spec.and_then(|node| node.unschedulable) == Some(true)
        && !tolerates(
            tolerations,
            &taint("node.kubernetes.io/unschedulable", "NoSchedule"),
        )
    {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    let mut taints: Vec<Taint> = node_spec
        .and_then(|node| node.taints.clone())
        .unwrap_or_default();
    // A node that is not ready carries this taint; here nobody else puts it on.
    let not_ready = taint("node.kubernetes.io/not-ready", "NoSchedule");
    if !is_ready(node) && !taints.iter().any(|taint| taint.key == not_ready.key) {
        taints.push(not_ready);
    }
    let untolerated = taints
        .iter()
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
        .find(|taint| !tolerates(tolerations, taint));
    if let Some(taint) = untolerated {
        let value = taint.value.as_deref().unwrap_or_default();
        return vec![format!(
            "node(s) had untolerated taint {{{}: {value}}}",
            taint.key
        )];
    }
    if !matches_affinity(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
    }
    if port_conflict(pod, here) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    shortages(pod, node, here)
}

fn taint(key: &str, effect: &str) -> Taint {
    Taint {
        key: key.to_owned(),
        effect: effect.to_owned(),
        ..Taint::default()
    }
}

/// The Ready condition is True.
pub fn is_ready(node: &Node) -> bool {
    node.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let key = toleration.key.as_deref().unwrap_or_default();
        let exists = toleration.operator.as_deref() == Some("Exists");
        (effect.is_empty() || effect == taint.effect)
            && (if key.is_empty() {
                exists
            } else {
                key == taint.key
            })
            && (exists
                || toleration.value.as_deref().unwrap_or_default()
                    == taint.value.as_deref().unwrap_or_default())
    })
}

fn matches_affinity(pod: &Pod, node: &Node) -> bool {
    let Some(spec) = pod.spec.as_ref() else {
        return true;
    };
    let labels = node.metadata.labels.as_ref();
    if let Some(wanted) = &spec.node_selector
        && !selector::map_matches(wanted, labels)
    {
        return false;
    }
    let required = spec.affinity.as_ref().and_then(|affinity| {
        affinity
            .node_affinity
            .as_ref()?
            .required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    required.is_none_or(|required| {
        required
            .node_selector_terms
            .iter()
            .any(|term| term_matches(term, node))
    })
}

fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    // An empty term matches no node.
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|wanted| {
            let value = node
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(&wanted.key));
            requirement_matches(wanted, value.map(String::as_str))
        })
        && fields.iter().all(|wanted| {
            wanted.key == "metadata.name"
                && requirement_matches(wanted, node.metadata.name.as_deref())
        })
}

fn requirement_matches(wanted: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = wanted.values.as_deref().unwrap_or_default();
    let among = |value: &str| values.iter().any(|wanted| wanted == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = values.first().and_then(|text| number(text));
    match wanted.operator.as_str() {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => value
            .and_then(number)
            .zip(bound)
            .is_some_and(|(value, bound)| value > bound),
        "Lt" => value
            .and_then(number)
            .zip(bound)
            .is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = (i32, &str)> {
    pod.spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            Some((number, port.protocol.as_deref().unwrap_or("TCP")))
        })
}

fn port_conflict(pod: &Pod, here: &[&Pod]) -> bool {
    host_ports(pod).any(|wanted| {
        here.iter()
            .filter(|other| !crate::controllers::pods::is_finished(other))
            .any(|other| host_ports(other).any(|taken| taken == wanted))
    })
}

/// What one pod asks of a resource, in thousandths: its containers together, or its largest
/// initial container if that is more. Sidecars count with both.
pub fn request(pod: &Pod, resource: &str) -> i128 {
    let Some(spec) = pod.spec.as_ref() else {
        return 0;
    };
    let of = |resources: Option<&ResourceRequirements>| {
        let resources = resources?;
        amount(resources.requests.as_ref(), resource)
            // A limit without a request is also the request.
            .or_else(|| amount(resources.limits.as_ref(), resource))
    };
    let of_container = |container: &Container| of(container.resources.as_ref()).unwrap_or_default();
    let mut sidecars = 0;
    let mut largest_init = 0;
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars += of_container(container);
            largest_init = largest_init.max(sidecars);
        } else {
            largest_init = largest_init.max(sidecars + of_container(container));
        }
    }
    let running: i128 = spec.containers.iter().map(of_container).sum();
    let whole = of(spec.resources.as_ref());
    let overhead = amount(spec.overhead.as_ref(), resource).unwrap_or_default();
    whole.unwrap_or_else(|| (running + sidecars).max(largest_init)) + overhead
}

fn shortages(pod: &Pod, node: &Node, here: &[&Pod]) -> Vec<String> {
    let allocatable = node
        .status
        .as_ref()
        .and_then(|status| status.allocatable.as_ref());
    let alive: Vec<&&Pod> = here
        .iter()
        .filter(|pod| !crate::controllers::pods::is_finished(pod))
        .collect();
    let mut problems = Vec::new();
    if let Some(room) = amount(allocatable, "pods")
        && i128::try_from(alive.len())
            .unwrap_or(i128::MAX)
            .saturating_mul(1000)
            >= room
    {
        problems.push("Too many pods".to_owned());
    }
    for resource in ["cpu", "memory", "ephemeral-storage"] {
        let wanted = request(pod, resource);
        if wanted == 0 {
            continue;
        }
        // A node that does not say how much it has is not asked.
        let Some(room) = amount(allocatable, resource) else {
            continue;
        };
        let taken: i128 = alive.iter().map(|pod| request(pod, resource)).sum();
        if wanted > room - taken {
            problems.push(format!("Insufficient {resource}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(change: impl FnOnce(&mut Value)) -> Node {
        let mut node = json!({
            "metadata": {"name": "practice", "labels": {"kubernetes.io/os": "linux"}},
            "spec": {},
            "status": {
                "allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        });
        change(&mut node);
        serde_json::from_value(node).unwrap()
    }

    fn pod(cpu: &str, memory: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "app", "resources": {
                "requests": {"cpu": cpu, "memory": memory}}}]},
        }))
        .unwrap()
    }

    fn bound(cpu: &str, memory: &str) -> Pod {
        let mut pod = pod(cpu, memory);
        pod.spec.as_mut().unwrap().node_name = Some("practice".to_owned());
        pod
    }

    fn reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Unschedulable(message) => message,
            Verdict::Bind(node) => panic!("bound to {node}"),
        }
    }

    #[test]
    fn a_pod_that_fits_is_bound() {
        let node = node(|_| {});
        let verdict = decide(&pod("1", "512Mi"), [&node], &[&bound("1", "512Mi")]);
        assert_eq!(verdict, Verdict::Bind("practice".to_owned()));
    }

    #[test]
    fn shortages_are_named_by_resource() {
        let node = node(|_| {});
        let message = reason(decide(&pod("3", "2Gi"), [&node], &[]));
        assert!(
            message.starts_with(
                "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. preemption:"
            ),
            "{message}"
        );
        let message = reason(decide(
            &pod("100m", "1Mi"),
            [&node],
            &[&bound("1950m", "1Mi")],
        ));
        assert!(message.contains("1 Insufficient cpu."), "{message}");
    }

    #[test]
    fn finished_pods_take_no_room() {
        let node = node(|_| {});
        let mut done = bound("2", "1Gi");
        done.status = serde_json::from_value(json!({"phase": "Succeeded"})).unwrap();
        assert_eq!(
            decide(&pod("2", "1Gi"), [&node], &[&done]),
            Verdict::Bind("practice".to_owned())
        );
    }

    #[test]
    fn a_node_holds_only_so_many_pods() {
        let node = node(|_| {});
        let small = bound("0", "0");
        let message = reason(decide(&pod("0", "0"), [&node], &[&small, &small, &small]));
        assert!(message.contains("1 Too many pods."), "{message}");
    }

    #[test]
    fn selectors_taints_and_readiness_are_obeyed() {
        let mut picky = pod("0", "0");
        picky.spec.as_mut().unwrap().node_selector =
            Some([("disk".to_owned(), "ssd".to_owned())].into());
        let good = node(|_| {});
        let message = reason(decide(&picky, [&good], &[]));
        assert!(message.contains("1 node(s) didn't match Pod's node affinity/selector."));

        let broken = node(|node| node["status"]["conditions"][0]["status"] = json!("False"));
        let message = reason(decide(&pod("0", "0"), [&broken], &[]));
        assert!(
            message.contains("node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
            "{message}"
        );

        let cordoned = node(|node| node["spec"]["unschedulable"] = json!(true));
        let message = reason(decide(&pod("0", "0"), [&cordoned], &[]));
        assert!(
            message.contains("1 node(s) were unschedulable."),
            "{message}"
        );
        assert_eq!(
            reason(decide(&pod("0", "0"), [], &[])),
            "no nodes available to schedule pods"
        );
    }

    #[test]
    fn initial_containers_count_by_the_largest() {
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}},
                           {"name": "b", "resources": {"limits": {"cpu": "200m"}}}],
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "400m"}}}],
        }}))
        .unwrap();
        assert_eq!(request(&pod, "cpu"), 450);
    }
}
