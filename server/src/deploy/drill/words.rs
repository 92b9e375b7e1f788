//! The words of break and heal.

use std::time::Duration;

use app::model::{ComponentName, Fault, Finding, NextAction, StepId, Subject};

use crate::adapters::kube::client::KubeError;
use crate::deploy::words as deploy;

/// The titles of a fault's two stages.
pub(super) fn titles(fault: Fault, component: &ComponentName) -> (String, String) {
    match fault {
        Fault::KillPod => (
            format!("Kill a pod of {component}"),
            "Wait for another pod".to_owned(),
        ),
        Fault::FailReadiness => (
            format!("Fail the readiness of a new pod of {component}"),
            "Put the probe right".to_owned(),
        ),
        Fault::BadRollout => (
            format!("Roll out an image of {component} that does not exist"),
            "Roll back".to_owned(),
        ),
    }
}

fn about(finding: Finding, component: &ComponentName) -> Finding {
    finding.about(Subject::Component {
        component: component.clone(),
    })
}

pub(super) fn nothing_to_break(component: &ComponentName) -> Finding {
    Finding::new(
        "DRILL_EMPTY",
        "There is nothing to break",
        format!(
            "A drill needs a component of this project and at least one fault; it was asked for {component}."
        ),
    )
}

pub(super) fn unconfirmed(cluster: &str) -> Finding {
    Finding::new(
        "DRILL_UNCONFIRMED",
        format!("{cluster} was not confirmed"),
        "This is not the practice cluster: breaking something here needs the cluster's name, typed. \
         Nothing was done.",
    )
    .attention()
    .next(NextAction::advice(format!("Type {cluster} and start again")))
}

pub(super) fn not_well(component: &ComponentName) -> Finding {
    about(
        Finding::new(
            "DRILL_NOT_WELL",
            format!("{component} is not well enough to be broken"),
            "Only a component whose rollout is complete and whose pods are all ready is broken on \
             purpose: otherwise nobody could tell what was healed.",
        )
        .attention()
        .next(NextAction::Open {
            step: StepId::Live,
            label: "See what is wrong".to_owned(),
        }),
        component,
    )
}

pub(super) fn not_seen(component: &ComponentName, what: &str, limit: Duration) -> Finding {
    about(
        Finding::new(
            "DRILL_NOT_SEEN",
            format!("It did not show that {what}"),
            format!(
                "Slipway waited for {} seconds. The fault is taken out all the same.",
                limit.as_secs()
            ),
        )
        .next(NextAction::advice("Look at the pods of the component")),
        component,
    )
}

pub(super) fn refused(component: &ComponentName, error: &KubeError) -> Finding {
    about(
        deploy::refused("Deployment", component.as_str(), "break and heal", error),
        component,
    )
}
