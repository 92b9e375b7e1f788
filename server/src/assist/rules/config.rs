//! Containers that cannot be made as the pod asks for them: Secrets, ConfigMaps, users, settings.

use app::model::{ComponentName, ContainerState, Finding, NextAction, StepId};

use super::code::{Code, START};
use super::crash;
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const SECRET_KEY_MISSING: Code = Code {
    code: "SECRET_KEY_MISSING",
    what: "A pod reads a key that the Secret does not have, or a deploy would make such a pod.",
    why: "The value was never entered or was deleted, or the manifest misspells the key.",
    next: "Enter the value on the Secrets page. The pod starts by itself afterwards.",
    ..START
};

pub const SECRET_OBJECT_MISSING: Code = Code {
    code: "SECRET_OBJECT_MISSING",
    what: "A pod reads a Secret that does not exist.",
    why: "No value was entered yet, or the manifest names another Secret than `slipway.toml`.",
    next: "Enter the values on the Secrets page, or correct the name.",
    ..START
};

pub const CONFIGMAP_MISSING: Code = Code {
    code: "CONFIGMAP_MISSING",
    what: "A pod reads a ConfigMap that does not exist, or a deploy would make such a pod.",
    why: "The manifests do not contain it, or misspell its name.",
    next: "Add it to the manifests, then deploy.",
    ..START
};

pub const CONFIGMAP_KEY_MISSING: Code = Code {
    code: "CONFIGMAP_KEY_MISSING",
    what: "A pod reads a key that its ConfigMap does not have.",
    why: "The key was removed from the ConfigMap, or the Deployment misspells it.",
    next: "Add the key to the ConfigMap in the manifests, or correct its name, then deploy. The pod starts by itself when the key appears.",
    ..START
};

pub const RUNS_AS_ROOT: Code = Code {
    code: "RUNS_AS_ROOT",
    what: "A container may not start because it would run as root; `attention`: it runs as root.",
    why: "Its image names no unprivileged user by number and its manifest names none. With `runAsNonRoot` the node refuses to start it.",
    next: "Add `USER 10001:10001` to the Dockerfile or `runAsUser` to the manifest.",
    ..START
};

pub const CONTAINER_CONFIG: Code = Code {
    code: "CONTAINER_CONFIG",
    what: "The node refuses to create a container as the manifest describes it.",
    why: "The evidence has the node's own words.",
    next: "Correct the manifest, then deploy.",
    ..START
};

pub fn open_secrets() -> NextAction {
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
    if [
        "runasnonroot",
        "image will run as root",
        "breaks non-root policy",
    ]
    .iter()
    .any(|words| lower.contains(words))
    {
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
    // A volume's own words; they do not name the object.
    if let Some((_, key)) = message.split_once("non-existent config key: ") {
        return Complaint::ConfigMapKey {
            key: first_word(key),
            map: String::new(),
        };
    }
    if let Some((_, key)) = message.split_once("non-existent secret key: ") {
        return Complaint::SecretKey {
            key: first_word(key),
            secret: String::new(),
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

fn first_word(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.trim_end_matches([',', ';', '.']).to_owned()
}

/// The finding about a complaint; none where the words say nothing that is known.
pub fn complained(component: &ComponentName, complaint: &Complaint) -> Option<Finding> {
    let name = capitalized(component);
    let open_deploy = NextAction::Open {
        step: StepId::Deploy,
        label: "Deploy after mending the manifest".to_owned(),
    };
    let of = |kind: &str, object: &str| match object {
        "" => format!("a {kind}"),
        object => format!("the {kind} {object}"),
    };
    let finding = match complaint {
        Complaint::SecretKey { key, secret } => SECRET_KEY_MISSING
            .finding(
                format!("{name} cannot start without {key}"),
                format!(
                    "Its pod reads the key {key} of {}, and the Secret has no such key.",
                    of("Secret", secret)
                ),
            )
            .next(open_secrets()),
        Complaint::Secret { secret } => SECRET_OBJECT_MISSING
            .finding(
                format!("{name} cannot start without its secrets"),
                format!("Its pod reads the Secret {secret}, and the cluster has none of that name."),
            )
            .next(open_secrets()),
        Complaint::ConfigMapKey { key, map } => CONFIGMAP_KEY_MISSING
            .finding(
                format!("{name} cannot start without {key}"),
                format!(
                    "Its pod reads the key {key} of {}, and the ConfigMap has no such key.",
                    of("ConfigMap", map)
                ),
            )
            .next(NextAction::advice(format!("Add {key} to the ConfigMap, or correct the key in the manifest")))
            .next(open_deploy),
        Complaint::ConfigMap { map } => CONFIGMAP_MISSING
            .finding(
                format!("{name} cannot start without its configuration"),
                format!("Its pod reads the ConfigMap {map}, and the cluster has none of that name."),
            )
            .next(NextAction::advice(format!("Add the ConfigMap {map} to the manifests, or correct its name")))
            .next(open_deploy),
        Complaint::Root => RUNS_AS_ROOT
            .finding(
                format!("{name} may not run as root"),
                "Its manifest says runAsNonRoot, and neither it nor the image names an unprivileged user by number.",
            )
            .next(NextAction::advice("Add a line like USER 10001:10001 to its Dockerfile, or runAsUser to its manifest")),
        Complaint::Other => return None,
    };
    Some(finding.about(about(component)))
}

/// The container cannot be created as the pod asks for it.
pub fn container_config(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let ContainerState::Waiting { reason, message } = &container.state else {
                return None;
            };
            let cannot = matches!(
                reason.as_str(),
                "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError"
            );
            // A program that cannot be started has a rule of its own.
            if !cannot || crash::start_failure(message).is_some() {
                return None;
            }
            let finding = complained(component, &complaint(message)).unwrap_or_else(|| {
                CONTAINER_CONFIG
                    .finding(
                        format!("{} cannot be created", capitalized(component)),
                        "The node refuses to create its container as the manifest describes it.",
                    )
                    .next(NextAction::advice(
                        "Correct the manifest by the message below, then deploy",
                    ))
                    .about(about(component))
            });
            Some(finding.evidence(
                format!("Pod {}, container {}, {reason}", pod.name, container.name),
                message.clone(),
            ))
        })
        .collect()
}
