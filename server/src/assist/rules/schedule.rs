//! Pods without a node, pods that are refused, and pods a node gave up.

use app::model::{ComponentName, Finding, NextAction, PodRow, Rollout};

use super::code::{Code, PLACEMENT, UPKEEP};
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};
use crate::deploy::causes;

/// The controller tries again with growing pauses, up to some minutes.
const REFUSED_LATELY_MS: u64 = 300_000;

pub const QUOTA_EXCEEDED: Code = Code {
    code: "QUOTA_EXCEEDED",
    what: "Pods are refused because the namespace's quota is used up.",
    why: "A ResourceQuota limits pods, CPU or memory of the namespace, and the sum would go beyond it. During a rollout old and new pods count together.",
    next: "`kubectl describe resourcequota` shows what is used. Ask for less in the manifest, remove what is not needed, or raise the quota.",
    ..PLACEMENT
};

pub const QUOTA_NEEDS_RESOURCES: Code = Code {
    code: "QUOTA_NEEDS_RESOURCES",
    what: "Pods are refused because they do not say what they need.",
    why: "A ResourceQuota counts a resource, so every container has to ask for it.",
    next: "Add `resources.requests` and `limits` for what the message names, then deploy.",
    ..PLACEMENT
};

pub const LIMIT_RANGE_REFUSES: Code = Code {
    code: "LIMIT_RANGE_REFUSES",
    what: "Pods are refused because they ask for more or less than the namespace allows.",
    why: "A LimitRange sets the least and the most a container or pod may ask for.",
    next: "`kubectl describe limitrange` shows the limits. Correct `resources` in the manifest, then deploy.",
    ..PLACEMENT
};

pub const POD_SECURITY_REFUSES: Code = Code {
    code: "POD_SECURITY_REFUSES",
    what: "Pods are refused by the namespace's pod security level.",
    why: "The label `pod-security.kubernetes.io/enforce` demands what their `securityContext` does not say.",
    next: "Set what the message names (`runAsNonRoot`, `allowPrivilegeEscalation: false`, dropped capabilities, a seccomp profile), then deploy.",
    ..PLACEMENT
};

pub const SERVICE_ACCOUNT_MISSING: Code = Code {
    code: "SERVICE_ACCOUNT_MISSING",
    what: "Pods are refused because their ServiceAccount does not exist.",
    why: "`serviceAccountName` names an account that the manifests do not contain, or misspells it.",
    next: "Add the ServiceAccount to the manifests, or set `serviceAccountName: default`, then deploy. Leaving the name out is not enough: the API server keeps it in the field's older name `serviceAccount`.",
    ..PLACEMENT
};

pub const WEBHOOK_DENIES: Code = Code {
    code: "WEBHOOK_DENIES",
    what: "Pods are refused by an admission webhook.",
    why: "A policy of the cluster forbids them, or the webhook itself does not answer; the evidence has its words.",
    next: "Correct the manifest by the webhook's message, or see whether the webhook runs.",
    ..PLACEMENT
};

pub const QUOTA_OR_ADMISSION: Code = Code {
    code: "QUOTA_OR_ADMISSION",
    what: "Pods, or other objects, are refused before they exist.",
    why: "A rule of the cluster does not let them in; the evidence has the API server's words.",
    next: "Correct the manifest by the message in the evidence, then deploy.",
    ..PLACEMENT
};

pub const NODE_MEMORY_SHORT: Code = Code {
    code: "NODE_MEMORY_SHORT",
    what: "No node has the memory a pod asks for.",
    why: "The requests of all pods together are more than the node has; what they really use does not count.",
    next: "Lower `resources.requests.memory`, or give the cluster more memory (`minikube start --memory`, for a new cluster).",
    ..PLACEMENT
};

pub const NODE_CPU_SHORT: Code = Code {
    code: "NODE_CPU_SHORT",
    what: "No node has the CPU a pod asks for.",
    why: "The requests of all pods together are more than the node has; what they really use does not count.",
    next: "Lower `resources.requests.cpu`, or give the cluster more CPUs (`minikube start --cpus`, for a new cluster).",
    ..PLACEMENT
};

pub const NODE_TAINTED: Code = Code {
    code: "NODE_TAINTED",
    what: "The nodes have a taint that a pod does not tolerate.",
    why: "The node is not ready, short of disk or memory, or reserved for something else: the taint's name says which.",
    next: "`kubectl describe node` shows taints and conditions. Heal the node, or add a toleration where the taint is meant.",
    ..PLACEMENT
};

pub const NODE_CORDONED: Code = Code {
    code: "NODE_CORDONED",
    what: "The nodes take no new pods.",
    why: "Somebody cordoned or drained them.",
    next: "`kubectl uncordon` the node.",
    ..PLACEMENT
};

pub const NODE_NOT_MATCHED: Code = Code {
    code: "NODE_NOT_MATCHED",
    what: "No node has the labels a pod asks for.",
    why: "`nodeSelector` or a node affinity names a label that no node carries: another architecture, zone or name.",
    next: "`kubectl get nodes --show-labels` shows them. Correct `nodeSelector` or the affinity, then deploy.",
    ..PLACEMENT
};

pub const HOST_PORT_TAKEN: Code = Code {
    code: "HOST_PORT_TAKEN",
    what: "No node has the host port free that a pod asks for.",
    why: "`hostPort` exists once on every node, and another pod has it; during a rollout the old pod of the same Deployment does.",
    next: "Use a Service instead of `hostPort`, or the rollout strategy `Recreate`.",
    ..PLACEMENT
};

pub const UNSCHEDULABLE: Code = Code {
    code: "UNSCHEDULABLE",
    what: "No node takes a pod.",
    why: "The scheduler's words in the evidence say why.",
    next: "Correct what they name in the manifest, or on the node.",
    ..PLACEMENT
};

pub const POD_EVICTED: Code = Code {
    code: "POD_EVICTED",
    what: "A node put a pod out.",
    why: "The node ran short of memory, disk or process numbers, or the pod used more than its volume's limit. Another pod has taken its place; this one is only the trace.",
    next: "Set requests near what the program really uses and make space on the node. `kubectl delete pod` removes the trace.",
    ..UPKEEP
};

/// No node takes the pod.
pub fn unschedulable(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .pods()
        .filter(|(_, pod)| pod.phase == "Pending" && pod.node.is_none())
        .filter_map(|(component, pod)| {
            // Events are forgotten after an hour; the pod's own condition stays.
            let event = facts
                .events_of(pod, "FailedScheduling")
                .max_by_key(|event| event.at);
            let message = match event {
                Some(event) => event.message.as_str(),
                None => pod
                    .why_not_ready
                    .as_deref()
                    .filter(|why| why.starts_with("It cannot be placed"))?,
            };
            Some(causes::no_node(
                &capitalized(component),
                about(component),
                &pod.name,
                facts.namespace(),
                message,
            ))
        })
        .collect()
}

/// The API server refuses the pods, so there are none to look at.
pub fn refused(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .components
        .keys()
        .filter_map(|component| {
            let message = refusal(facts, component)?;
            Some(causes::pods_refused(
                component.as_str(),
                about(component),
                &format!("Deployment {component}"),
                message,
            ))
        })
        .collect()
}

/// Why pods are refused: the Deployment's condition, or else the newest event of its ReplicaSets
/// while there is no pod.
fn refusal<'a>(facts: &Facts<'a>, component: &ComponentName) -> Option<&'a str> {
    let deployment = facts.cluster.deployments.get(component.as_str());
    if let Some(message) = deployment.and_then(|own| own.replica_failure.as_deref()) {
        return Some(message);
    }
    let live = facts.state.components.get(component)?;
    if live.rollout == Rollout::Complete || facts.pods().any(|(of, _)| of == component) {
        return None;
    }
    facts
        .state
        .events
        .values()
        .filter(|event| event.reason == "FailedCreate" && event.kind == "ReplicaSet")
        .filter(|event| {
            let hash = event.name.strip_prefix(component.as_str());
            hash.and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|hash| !hash.contains('-'))
        })
        .filter(|event| facts.now.since(event.at) < REFUSED_LATELY_MS)
        .max_by_key(|event| event.at)
        .map(|event| event.message.as_str())
}

/// POD_EVICTED: it stays as a trace until somebody deletes it.
pub fn evicted(facts: &Facts<'_>) -> Vec<Finding> {
    let was_evicted = |pod: &PodRow| {
        let why = pod.why_not_ready.as_deref().unwrap_or_default();
        pod.phase == "Failed" && why.starts_with("Evicted")
    };
    facts
        .all_pods()
        .filter(|(_, pod)| was_evicted(pod))
        .map(|(component, pod)| {
            POD_EVICTED
                .finding(
                    format!("The node put a pod of {component} out"),
                    "It ran short of something that the pod used; the node's words are below.",
                )
                .about(about(component))
                .next(NextAction::advice("Set requests and limits near what it really uses, and see what else fills the node"))
                .next(NextAction::Command {
                    command: format!("kubectl delete pod {}{}", pod.name, facts.namespace_flag()),
                    why: "Removes what is left of it; its place is taken already".to_owned(),
                })
                .evidence(
                    format!("Pod {}", pod.name),
                    pod.why_not_ready.clone().unwrap_or_default(),
                )
        })
        .collect()
}
