//! The findings of this room. None of them knows a value.

use std::path::Path;

use app::model::{Finding, NextAction, SecretKey, SecretOwner, StepId, Subject};

use crate::adapters::kube::client::KubeError;
use crate::project::SecretSpec;

fn about(finding: Finding, key: &SecretKey) -> Finding {
    finding
        .about(Subject::Secret { key: key.clone() })
        .next(NextAction::Open {
            step: StepId::Secrets,
            label: "Open Secrets".to_owned(),
        })
}

pub(super) fn unknown_key(key: &SecretKey) -> Finding {
    about(
        Finding::new(
            "SECRET_UNKNOWN",
            format!("{key} is no secret of this project"),
            "slipway.toml has no [[secret]] with that key.",
        ),
        key,
    )
}

pub(super) fn wrong_shape(spec: &SecretSpec, why: &str) -> Finding {
    about(
        Finding::new(
            "SECRET_SHAPE",
            format!("{} was not stored", spec.label),
            format!("{why}."),
        ),
        &spec.key,
    )
}

pub(super) fn cannot_generate(key: &SecretKey) -> Finding {
    about(
        Finding::new(
            "SECRET_NOT_RANDOM",
            format!("{key} cannot be generated"),
            "Its value comes from somewhere else; only secrets of kind \"random\" can be made up.",
        ),
        key,
    )
}

pub(super) fn cannot_be_tested(key: &SecretKey) -> Finding {
    about(
        Finding::new(
            "LIVE_TEST_NONE",
            format!("{key} cannot be tried out"),
            "Only Postgres URLs, URLs and keys of OpenAI-compatible APIs can be asked for real.",
        )
        .next(NextAction::advice(
            "For another API that lists models, name its base URL as `test_url` in slipway.toml",
        )),
        key,
    )
}

pub(super) fn shutting_down() -> Finding {
    Finding::new(
        "LIVE_TEST_STOPPED",
        "The test was stopped",
        "Slipway is ending.",
    )
    .attention()
}

pub(super) fn nothing_there(key: &SecretKey) -> Finding {
    about(
        Finding::new(
            "SECRET_NOT_SET",
            format!("{key} is not set"),
            "The cluster's Secret has no such key.",
        ),
        key,
    )
}

pub(super) fn no_text(key: &SecretKey) -> Finding {
    about(
        Finding::new(
            "LIVE_TEST_NONE",
            format!("{key} cannot be tried out"),
            "What the cluster has is no text.",
        ),
        key,
    )
}

pub(super) fn not_read(key: &SecretKey, error: &KubeError) -> Finding {
    let code = match error.is_forbidden() {
        true => {
            return about(
                Finding::new(
                    "FORBIDDEN",
                    format!("{key} cannot be read"),
                    format!(
                        "The cluster does not let you read Secrets: {error}. A value can be tried out when it is entered."
                    ),
                ),
                key,
            );
        }
        false => Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("{key} cannot be read"),
            format!("The API server gave no usable answer: {error}."),
        ),
    };
    about(code, key)
}

pub(super) fn immutable(key: &SecretKey, secret: &str) -> Finding {
    about(
        Finding::new(
            "SECRET_IMMUTABLE",
            format!("{key} cannot be changed"),
            format!("The Secret {secret} is marked immutable: Kubernetes lets nobody change its values."),
        )
        .next(NextAction::advice(
            "Delete the Secret and enter the values again, or let `secret` in slipway.toml name another one",
        )),
        key,
    )
}

pub(super) fn owned_elsewhere(key: &SecretKey, secret: &str, owner: &SecretOwner) -> Finding {
    let why = match owner {
        SecretOwner::Helm { release, .. } => format!(
            "The Secret {secret} belongs to the Helm release {release}, and its next upgrade may put its own values back."
        ),
        SecretOwner::Controller { kind, name, .. } => format!(
            "The Secret {secret} is made by the {kind} {name}, which writes over what is entered here."
        ),
        SecretOwner::Applied { by, .. } => {
            format!("The Secret {secret} is kept by {by}, which puts its own values back.")
        }
        SecretOwner::Nobody => format!("The Secret {secret} is kept elsewhere."),
    };
    about(
        Finding::new(
            "SECRET_OWNED_ELSEWHERE",
            format!("{key} was not changed"),
            why,
        )
        .next(NextAction::advice(
            "Change it where it comes from, or adopt the Secret first",
        )),
        key,
    )
}

pub(super) fn not_adopted(secret: &str, error: &KubeError) -> Finding {
    let finding = if error.is_forbidden() {
        Finding::new(
            "FORBIDDEN",
            format!("The Secret {secret} was not adopted"),
            format!("The cluster does not let you change Secrets: {error}."),
        )
    } else {
        Finding::new(
            "SECRET_NOT_STORED",
            format!("The Secret {secret} was not adopted"),
            format!("The API server refused it: {error}."),
        )
    };
    finding.about(Subject::Object {
        kind: "Secret".to_owned(),
        name: secret.to_owned(),
    })
}

pub(super) fn not_stored(key: &SecretKey, error: &KubeError) -> Finding {
    let finding = if error.is_forbidden() {
        Finding::new(
            "FORBIDDEN",
            format!("{key} was not stored"),
            format!("The cluster does not let you change Secrets: {error}."),
        )
    } else if error.is_unreachable() {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("It is not known whether {key} was stored"),
            format!("The API server did not answer: {error}."),
        )
    } else {
        Finding::new(
            "SECRET_NOT_STORED",
            format!("{key} was not stored"),
            format!("The API server refused it: {error}."),
        )
    };
    about(finding, key)
}

pub(super) fn no_fingerprint_key(state_dir: &Path, error: &std::io::Error) -> Finding {
    Finding::new(
        "STATE_DIR_UNUSABLE",
        "The state folder cannot be used",
        format!(
            "{} holds the key of the secrets' fingerprints, and it cannot be read or made: {error}.",
            state_dir.join("fingerprint.key").display()
        ),
    )
    .next(NextAction::advice("Make the folder writable for you, or name another with --state-dir"))
}
