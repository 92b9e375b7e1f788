//! Rollouts that do not get on: stuck, not placed, or refused.

use app::model::{ComponentName, Finding, NextAction, Rollout, StepId};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};
use crate::deploy::causes;

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

/// SCALED_TO_ZERO: nobody asks for pods of a component.
pub fn scaled_to_zero(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .components
        .iter()
        .filter(|(_, live)| live.replicas == 0 && live.rollout != Rollout::Absent)
        .map(|(component, _)| {
            Finding::new(
                "SCALED_TO_ZERO",
                format!("{component} is scaled to 0"),
                "Its Deployment asks for no pods, so nothing answers. Nothing is broken: somebody or something scaled it.",
            )
            .attention()
            .about(about(component))
            .next(NextAction::Open {
                step: StepId::Deploy,
                label: "Open Deploy".to_owned(),
            })
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
            Some(causes::no_node(
                &capitalized(component),
                about(component),
                &pod.name,
                facts
                    .project()
                    .map_or("", |project| project.namespace.as_str()),
                message,
            ))
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
