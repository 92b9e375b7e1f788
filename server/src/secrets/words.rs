//! The findings of this room. None of them knows a value.

use std::path::Path;

use app::model::{Finding, NextAction, SecretKey, StepId, Subject};

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
    .next(NextAction::Advice {
        text: "Make the folder writable for you, or name another with --state-dir".to_owned(),
    })
}
