//! Rollouts that do not get on, or that nobody asks for.

use app::model::{Finding, NextAction, Rollout, Severity, StepId};

use super::code::{Code, Layer, NOT_READY, NOTHING, PLACEMENT};
use crate::assist::Facts;
use crate::assist::facts::about;

pub const COMPONENT_NOT_DEPLOYED: Code = Code {
    code: "COMPONENT_NOT_DEPLOYED",
    what: "A component has no Deployment although others of the project are deployed.",
    why: "Somebody deleted it, or the manifests or the chart's values leave it out.",
    next: "Deploy again; the plan shows whether it would be made.",
    ..PLACEMENT
};

pub const ROLLOUT_STUCK: Code = Code {
    code: "ROLLOUT_STUCK",
    layer: Layer::Rollout,
    follows: NOT_READY,
    severity: Severity::Failed,
    what: "A rollout made no progress for longer than the Deployment allows.",
    why: "New pods do not get ready. Shown only when no deeper cause is known.",
    next: "Look at the newest pods on the Live page.",
};

pub const SCALED_TO_ZERO: Code = Code {
    code: "SCALED_TO_ZERO",
    layer: Layer::Rollout,
    follows: NOTHING,
    severity: Severity::Attention,
    what: "A component is scaled to 0.",
    why: "Its Deployment asks for no pods. Somebody or something scaled it; nothing is broken.",
    next: "Propose to start it and approve, or deploy by the manifests.",
};

pub const DEPLOYMENT_PAUSED: Code = Code {
    code: "DEPLOYMENT_PAUSED",
    layer: Layer::Rollout,
    follows: NOTHING,
    severity: Severity::Attention,
    what: "A Deployment is paused.",
    why: "Somebody paused it to make several changes at once. Until it is resumed, no change of its template reaches a pod: new images and settings wait.",
    next: "Propose to resume it and approve, or press Resume on the Deploy page.",
};

/// COMPONENT_NOT_DEPLOYED: its neighbours are there.
pub fn not_deployed(facts: &Facts<'_>) -> Vec<Finding> {
    let components = &facts.state.components;
    let is_there = |rollout: &Rollout| *rollout != Rollout::Absent;
    if facts.is_deploying() || !components.values().any(|live| is_there(&live.rollout)) {
        return Vec::new();
    }
    components
        .iter()
        .filter(|(_, live)| !is_there(&live.rollout))
        .map(|(component, _)| {
            COMPONENT_NOT_DEPLOYED
                .finding(
                    format!("{component} is not deployed"),
                    format!(
                        "Other components are, and the namespace has no Deployment {component}."
                    ),
                )
                .about(about(component))
                .next(NextAction::Open {
                    step: StepId::Deploy,
                    label: "See what a deploy would make".to_owned(),
                })
        })
        .collect()
}

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
                ROLLOUT_STUCK
                    .finding(
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
            SCALED_TO_ZERO
                .finding(
                    format!("{component} is scaled to 0"),
                    "Its Deployment asks for no pods, so nothing answers. Nothing is broken: somebody or something scaled it.",
                )
                .about(about(component))
                .next(NextAction::Open {
                    step: StepId::Deploy,
                    label: "Open Deploy".to_owned(),
                })
        })
        .collect()
}

/// DEPLOYMENT_PAUSED: changes wait.
pub fn paused(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .components
        .iter()
        .filter(|(_, live)| live.paused && live.rollout != Rollout::Absent)
        .map(|(component, _)| {
            DEPLOYMENT_PAUSED
                .finding(
                    format!("The rollout of {component} is paused"),
                    "Until it is resumed, no change of its pod template reaches a pod.",
                )
                .about(about(component))
                .next(NextAction::Open {
                    step: StepId::Deploy,
                    label: "Open Deploy".to_owned(),
                })
        })
        .collect()
}
