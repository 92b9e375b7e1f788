//! Rollouts that do not get on: stuck, not placed, or refused.

use app::model::{ComponentName, Finding, NextAction, Rollout, StepId};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

/// The controller tries again with growing pauses, up to some minutes.
const REFUSED_LATELY_MS: u64 = 300_000;

/// ROLLOUT_STUCK: no progress for longer than the Deployment allows.
pub fn stuck(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .components
        .iter()
        .filter_map(|(component, live)| {
            let Rollout::Stuck { why } = &live.rollout else {
                return None;
            };
            Some(
                Finding::new(
                    "ROLLOUT_STUCK",
                    format!("The rollout of {component} does not get on"),
                    format!(
                        "{} of {} pods are ready, and nothing has moved for longer than the Deployment allows.",
                        live.ready, live.replicas
                    ),
                )
                .about(about(component))
                .next(NextAction::Open {
                    step: StepId::Live,
                    label: "Look at its pods".to_owned(),
                })
                .evidence(format!("Deployment {component}"), why.clone()),
            )
        })
        .collect()
}

/// UNSCHEDULABLE: no node takes the pod.
pub fn unschedulable(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .pods()
        .filter(|(_, pod)| pod.phase == "Pending" && pod.node.is_none())
        .filter_map(|(component, pod)| {
            // Events are forgotten after an hour; the pod's own condition stays.
            let event = facts
                .state
                .events
                .values()
                .filter(|event| event.object_uid == pod.uid && event.reason == "FailedScheduling")
                .max_by_key(|event| event.at);
            let message = match event {
                Some(event) => event.message.as_str(),
                None => pod
                    .why_not_ready
                    .as_deref()
                    .filter(|why| why.starts_with("It cannot be placed"))?,
            };
            let lower = message.to_ascii_lowercase();
            let (cause, advice) = if lower.contains("insufficient memory") {
                ("no node has the memory it asks for", "Lower resources.requests.memory, or give the cluster more memory")
            } else if lower.contains("insufficient cpu") {
                ("no node has the CPU it asks for", "Lower resources.requests.cpu, or give the cluster more CPUs")
            } else if lower.contains("taint") {
                ("the nodes have taints it does not tolerate", "See `kubectl describe node` for the taint: not ready, disk or memory pressure?")
            } else if lower.contains("persistentvolumeclaim") {
                ("a volume it needs is not there", "Create the claim it names, or a storage class for it")
            } else if lower.contains("affinity") || lower.contains("selector") {
                ("no node matches its node selector or affinity", "Correct nodeSelector or affinity in its manifest")
            } else {
                ("no node takes it", "The message below says why")
            };
            Some(
                Finding::new(
                    "UNSCHEDULABLE",
                    format!("{} has no node to run on", capitalized(component)),
                    format!("Its pod waits because {cause}."),
                )
                .about(about(component))
                .next(NextAction::Advice {
                    text: advice.to_owned(),
                })
                .next(NextAction::Command {
                    command: format!("kubectl describe pod {}{}", pod.name, namespace_flag(facts)),
                    why: "Shows what the scheduler says in full".to_owned(),
                })
                .evidence(format!("Pod {}, FailedScheduling", pod.name), message),
            )
        })
        .collect()
}

/// QUOTA_OR_ADMISSION: the API server refuses the pods, so there are none to look at.
pub fn refused(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .components
        .keys()
        .filter_map(|component| {
            let message = refusal(facts, component)?;
            let lower = message.to_ascii_lowercase();
            let (cause, advice) = if lower.contains("exceeded quota") {
                (
                    "the namespace's quota is used up",
                    "Raise the ResourceQuota, or ask for less in the manifest",
                )
            } else if lower.contains("podsecurity") {
                (
                    "the namespace's pod security level forbids them",
                    "Correct securityContext in the manifest by the message below",
                )
            } else if lower.contains("serviceaccount") {
                (
                    "the ServiceAccount they name does not exist",
                    "Create the ServiceAccount, or remove serviceAccountName",
                )
            } else if lower.contains("admission webhook") {
                (
                    "an admission webhook denies them",
                    "Correct the manifest by the webhook's message below",
                )
            } else {
                (
                    "the API server does not take them",
                    "Correct the manifest by the message below",
                )
            };
            Some(
                Finding::new(
                    "QUOTA_OR_ADMISSION",
                    format!("The pods of {component} are refused"),
                    format!("None can be created: {cause}."),
                )
                .about(about(component))
                .next(NextAction::Advice {
                    text: advice.to_owned(),
                })
                .next(NextAction::Open {
                    step: StepId::Deploy,
                    label: "Deploy after mending the manifest".to_owned(),
                })
                .evidence(format!("Deployment {component}"), message),
            )
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

fn namespace_flag(facts: &Facts<'_>) -> String {
    facts
        .project()
        .map(|project| format!(" --namespace {}", project.namespace))
        .unwrap_or_default()
}
