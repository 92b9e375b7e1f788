//! Objects that are no longer as they were deployed.

use app::model::{DriftedObject, Finding, NextAction, Subject};

use super::code::{ANYTHING, Code, UPKEEP};
use crate::assist::Facts;
use crate::assist::facts::about;

pub const DEPLOY_DRIFTED: Code = Code {
    code: "DEPLOY_DRIFTED",
    follows: ANYTHING,
    what: "An object in the cluster is not as it was deployed.",
    why: "Somebody changed or deleted it by hand, or an approved change did. The next deploy takes that back.",
    next: "Deploy to have it as the manifests say, or put the change into the manifests.",
    ..UPKEEP
};

/// Scaling and pausing are done on purpose, with buttons of their own.
const BY_HAND: [&str; 2] = [".spec.replicas", ".spec.paused"];

/// DEPLOY_DRIFTED: what differs, unless it is what broke the component: then that is the finding.
pub fn drifted(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.is_deploying() {
        return Vec::new();
    }
    let raw = facts.state.drift.iter().flatten();
    let helm = facts.state.helm.drift.iter().flatten();
    raw.chain(helm)
        .filter_map(|object| one(facts, object))
        .collect()
}

fn one(facts: &Facts<'_>, object: &DriftedObject) -> Option<Finding> {
    let fields: Vec<_> = object
        .fields
        .iter()
        .filter(|field| !BY_HAND.contains(&field.path.as_str()))
        .collect();
    if !object.deleted && fields.is_empty() {
        return None;
    }
    let component = facts
        .state
        .components
        .keys()
        .find(|component| component.as_str() == object.name);
    // A Deployment that is gone has a finding of its own.
    if object.deleted && component.is_some() && object.kind == "Deployment" {
        return None;
    }
    let subject = match component {
        Some(component) if matches!(object.kind.as_str(), "Deployment" | "Service") => {
            about(component)
        }
        _ => Subject::Object {
            kind: object.kind.clone(),
            name: object.name.clone(),
        },
    };
    let (kind, name) = (&object.kind, &object.name);
    let finding = if object.deleted {
        DEPLOY_DRIFTED.finding(
            format!("{kind} {name} is gone"),
            "It was deployed, and somebody deleted it since.",
        )
    } else {
        DEPLOY_DRIFTED.finding(
            format!("{kind} {name} is not as it was deployed"),
            "Fields of it were changed by hand since; the next deploy takes that back.",
        )
    };
    let mut finding = finding.about(subject).next(NextAction::Open {
        step: app::model::StepId::Deploy,
        label: "See the difference, and deploy".to_owned(),
    });
    for field in fields.into_iter().take(5) {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        finding = finding.evidence(
            format!("{kind} {name}, {}", field.path),
            format!("{} → {}", shown(&field.before), shown(&field.after)),
        );
    }
    Some(finding)
}
