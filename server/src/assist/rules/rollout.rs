//! Rollouts that do not get on: stuck, not placed, or refused.

use app::model::{Finding, NextAction, Rollout, StepId};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

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
            let event = facts
                .state
                .events
                .values()
                .filter(|event| event.object_uid == pod.uid && event.reason == "FailedScheduling")
                .max_by_key(|event| event.at)?;
            let lower = event.message.to_ascii_lowercase();
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
                .evidence(format!("Pod {}, FailedScheduling", pod.name), event.message.clone()),
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
            let deployment = facts.cluster.deployments.get(component.as_str())?;
            let message = deployment.replica_failure.as_ref()?;
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
                .evidence(
                    format!("Deployment {component}, ReplicaFailure"),
                    message.clone(),
                ),
            )
        })
        .collect()
}
