//! Secrets and ConfigMaps the pods need and do not find.

use app::model::{
    ContainerRow, ContainerState, Finding, NextAction, Remedy, Rollout, SecretState, StepId,
    Subject,
};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

fn open_secrets() -> NextAction {
    NextAction::Open {
        step: StepId::Secrets,
        label: "Enter the secret".to_owned(),
    }
}

/// What a `CreateContainerConfigError` complains about.
#[derive(Debug, PartialEq, Eq)]
pub enum Complaint {
    SecretKey { key: String, secret: String },
    Secret { secret: String },
    ConfigMapKey { key: String, map: String },
    ConfigMap { map: String },
    Root,
    Other,
}

/// Reads the kubelet's message.
pub fn complaint(message: &str) -> Complaint {
    let lower = message.to_ascii_lowercase();
    if lower.contains("runasnonroot") || lower.contains("image will run as root") {
        return Complaint::Root;
    }
    if let Some((_, rest)) = message.split_once("couldn't find key ")
        && let Some((key, rest)) = rest.split_once(" in ")
    {
        let key = key.trim().to_owned();
        let mut words = rest.split_whitespace();
        let kind = words.next().unwrap_or_default();
        // `todo/todo-secrets`
        let name = words.next().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name).to_owned();
        return if kind.eq_ignore_ascii_case("configmap") {
            Complaint::ConfigMapKey { key, map: name }
        } else {
            Complaint::SecretKey { key, secret: name }
        };
    }
    let quoted = |before: &str| {
        let at = lower.find(before)? + before.len();
        let (name, rest) = message[at..].split_once('"')?;
        rest.trim_start()
            .starts_with("not found")
            .then(|| name.to_owned())
    };
    if let Some(map) = quoted("configmap \"").or_else(|| quoted("configmaps \"")) {
        return Complaint::ConfigMap { map };
    }
    if let Some(secret) = quoted("secret \"").or_else(|| quoted("secrets \"")) {
        return Complaint::Secret { secret };
    }
    Complaint::Other
}

/// SECRET_KEY_MISSING, SECRET_OBJECT_MISSING, CONFIGMAP_MISSING, RUNS_AS_ROOT and CONTAINER_CONFIG: the container cannot be
/// created as the pod asks for it.
pub fn container_config(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let ContainerState::Waiting { reason, message } = &container.state else {
                return None;
            };
            if !matches!(reason.as_str(), "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") {
                return None;
            }
            let name = capitalized(component);
            let open_deploy = NextAction::Open {
                step: StepId::Deploy,
                label: "Deploy again".to_owned(),
            };
            let finding = match complaint(message) {
                Complaint::SecretKey { key, secret } => Finding::new(
                    "SECRET_KEY_MISSING",
                    format!("{name} cannot start without {key}"),
                    format!("Its pod reads the key {key} of the Secret {secret}, and the Secret has no such key."),
                )
                .next(open_secrets()),
                Complaint::Secret { secret } => Finding::new(
                    "SECRET_OBJECT_MISSING",
                    format!("{name} cannot start without its secrets"),
                    format!("Its pod reads the Secret {secret}, and the cluster has none of that name."),
                )
                .next(open_secrets()),
                Complaint::ConfigMapKey { key, map } => Finding::new(
                    "CONFIGMAP_MISSING",
                    format!("{name} cannot start without {key}"),
                    format!("Its pod reads the key {key} of the ConfigMap {map}, and the ConfigMap has no such key."),
                )
                .next(open_deploy),
                Complaint::ConfigMap { map } => Finding::new(
                    "CONFIGMAP_MISSING",
                    format!("{name} cannot start without its configuration"),
                    format!("Its pod reads the ConfigMap {map}, and the cluster has none of that name."),
                )
                .next(open_deploy),
                Complaint::Root => Finding::new(
                    "RUNS_AS_ROOT",
                    format!("{name} may not run as root"),
                    "Its manifest says runAsNonRoot, and its image names no unprivileged user by number.".to_owned(),
                )
                .next(NextAction::Advice {
                    text: "Add a line like USER 10001:10001 to its Dockerfile, or runAsUser to its manifest".to_owned(),
                }),
                Complaint::Other => Finding::new(
                    "CONTAINER_CONFIG",
                    format!("{name} cannot be created"),
                    "The node refuses to create its container as the manifest describes it.".to_owned(),
                )
                .next(NextAction::Advice {
                    text: "Correct the manifest by the message below, then deploy".to_owned(),
                }),
            };
            Some(
                finding
                    .about(about(component))
                    .evidence(format!("Pod {}, container {}, {reason}", pod.name, container.name), message.clone()),
            )
        })
        .collect()
}

/// A pod already says that it misses this key; that finding knows more.
fn is_complained_about(facts: &Facts<'_>, wanted: &str) -> bool {
    facts.containers().any(|(_, _, container)| {
        let ContainerState::Waiting { message, .. } = &container.state else {
            return false;
        };
        match complaint(message) {
            Complaint::SecretKey { key, .. } => key == wanted,
            Complaint::Secret { .. } => true,
            _ => false,
        }
    })
}

/// SECRET_NOT_SET: something is deployed that needs a value nobody entered.
pub fn secret_not_set(facts: &Facts<'_>) -> Vec<Finding> {
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
                Finding::new(
                    "SECRET_NOT_SET",
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
pub fn stale_secrets(facts: &Facts<'_>) -> Vec<Finding> {
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
            Finding::new(
                "PODS_STALE_SECRETS",
                format!("{} still runs with old secrets", capitalized(component)),
                "A pod reads its environment when it starts, and a secret was changed after that.",
            )
            .attention()
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
