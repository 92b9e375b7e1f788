//! The project's secrets: not set, changed behind our back, read by nobody, or older in the pods.

use app::model::{
    ComponentName, ContainerRow, ContainerState, Finding, NextAction, Remedy, Rollout, SecretKey,
    SecretOrigin, SecretState, StepId, Subject,
};

use super::code::{Code, NOT_STARTED, START, UPKEEP};
use super::config::{Complaint, complaint, open_secrets};
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const SECRET_NOT_SET: Code = Code {
    code: "SECRET_NOT_SET",
    what: "A required value is not set although a component that reads it is deployed.",
    why: "It was deleted after the start, or the pods do not need it yet.",
    next: "Enter it on the Secrets page.",
    ..START
};

pub const SECRET_DRIFTED: Code = Code {
    code: "SECRET_DRIFTED",
    what: "A secret in the cluster is not the value that was entered here.",
    why: "Somebody or something else wrote it since: the fingerprint in the cluster differs from the one that was kept.",
    next: "Enter the value again on the Secrets page, or keep the one in the cluster there.",
    ..UPKEEP
};

pub const SECRET_NOT_READ: Code = Code {
    code: "SECRET_NOT_READ",
    what: "A secret is set, and no workload reads it although `slipway.toml` says so.",
    why: "The manifests or the chart do not name the key, or misspell it, so the program never gets the value.",
    next: "Add `env` with `valueFrom.secretKeyRef` (or `envFrom`) to the container, then deploy; or remove the key from `slipway.toml`.",
    ..UPKEEP
};

pub const PODS_STALE_SECRETS: Code = Code {
    code: "PODS_STALE_SECRETS",
    follows: NOT_STARTED,
    what: "Pods run with values from before the last change.",
    why: "A pod reads its environment when it starts.",
    next: "Restart them on the Secrets page, which restarts exactly those.",
    ..UPKEEP
};

/// A pod already says that it misses this key; that finding knows more.
fn is_complained_about(facts: &Facts<'_>, wanted: &str) -> bool {
    facts.containers().any(|(_, _, container)| {
        let ContainerState::Waiting { message, .. } = &container.state else {
            return false;
        };
        match complaint(message) {
            Complaint::SecretKey { key, .. } => key == wanted,
            Complaint::Secret { secret } => facts
                .project()
                .is_some_and(|project| project.secret_name == secret),
            _ => false,
        }
    })
}

/// SECRET_NOT_SET: something is deployed that needs a value nobody entered.
pub fn not_set(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .secrets
        .iter()
        .filter(|secret| secret.required && secret.state == SecretState::Unset)
        .filter(|secret| !is_complained_about(facts, secret.key.as_str()))
        .filter_map(|secret| {
            let reader = secret.components.iter().find(|component| {
                facts
                    .state
                    .components
                    .get(*component)
                    .is_some_and(|live| live.rollout != Rollout::Absent)
            })?;
            Some(
                SECRET_NOT_SET
                    .finding(
                        format!("{} is not set", secret.key),
                        format!(
                            "{} is deployed and needs it ({}).",
                            capitalized(reader),
                            secret.label
                        ),
                    )
                    .about(Subject::Secret {
                        key: secret.key.clone(),
                    })
                    .next(open_secrets()),
            )
        })
        .collect()
}

/// PODS_STALE_SECRETS: pods run with values from before the last change.
pub fn stale(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .pods()
        .filter(|(_, pod)| {
            let runs = |container: &ContainerRow| {
                matches!(container.state, ContainerState::Running { .. })
            };
            // What has not started yet will read the new values.
            pod.stale_secrets && pod.containers.iter().any(runs)
        })
        .map(|(component, pod)| {
            PODS_STALE_SECRETS.finding(format!("{} still runs with old secrets", capitalized(component)),
                "A pod reads its environment when it starts, and a secret was changed after that.",
            )
            .about(about(component))
            .next(NextAction::Do {
                action: Remedy::RestartComponent {
                    component: component.clone(),
                },
                label: format!("Restart {component}"),
            })
            .evidence(
                format!("Pod {}", pod.name),
                "started before the newest change",
            )
        })
        .collect()
}

/// SECRET_DRIFTED: what is in the cluster is not what was entered here.
pub fn drifted(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .secrets
        .iter()
        .filter_map(|secret| {
            let SecretState::Drifted { by, .. } = &secret.state else {
                return None;
            };
            let who = by.as_deref().unwrap_or("somebody else");
            Some(
                SECRET_DRIFTED
                    .finding(
                        format!("{} was changed behind Slipway's back", secret.key),
                        format!("The value in the cluster is not the one that was entered here: {who} changed it since."),
                    )
                    .about(Subject::Secret {
                        key: secret.key.clone(),
                    })
                    .next(NextAction::Open {
                        step: StepId::Secrets,
                        label: "Enter it again, or keep it".to_owned(),
                    }),
            )
        })
        .collect()
}

/// SECRET_NOT_READ: `slipway.toml` says who reads it, and neither the manifests nor what runs does.
pub fn not_read(facts: &Facts<'_>) -> Vec<Finding> {
    let secret_name = facts
        .project()
        .map_or("", |project| project.secret_name.as_str());
    let deployments = &facts.cluster.deployments;
    // Also those that somebody else deployed.
    let is_read = |key: &SecretKey| {
        let mut reads = deployments.values().flat_map(|own| &own.reads_secrets);
        reads.any(|read| {
            let is_it = |name: &String| name == key.as_str();
            read.secret == secret_name && read.key.as_ref().is_none_or(is_it)
        })
    };
    facts
        .state
        .secrets
        .iter()
        .filter(|secret| secret.origin == SecretOrigin::Declared)
        .filter(|secret| secret.state.is_set() && secret.users.is_empty())
        .filter(|secret| !is_read(&secret.key))
        .filter_map(|secret| {
            let is_deployed = |component: &ComponentName| {
                deployments.contains_key(component.as_str())
                    && facts.pods().any(|(of, _)| of == component)
            };
            let reader = secret.components.first()?;
            secret.components.iter().all(is_deployed).then_some(())?;
            let key = &secret.key;
            Some(
                SECRET_NOT_READ
                    .finding(
                        format!("Nothing reads {key}"),
                        format!("slipway.toml names it for {reader}, and neither manifests nor pods read it."),
                    )
                    .about(Subject::Secret { key: key.clone() })
                    .next(NextAction::Patch {
                        file: format!("the manifest of {reader}"),
                        patch: format!(
                            "env:\n  - name: {key}\n    valueFrom:\n      secretKeyRef:\n        name: {secret_name}\n        key: {key}\n"
                        ),
                    })
                    .next(NextAction::Open {
                        step: StepId::Deploy,
                        label: "Deploy after mending the manifest".to_owned(),
                    }),
            )
        })
        .collect()
}
