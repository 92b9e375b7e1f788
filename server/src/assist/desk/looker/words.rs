//! Why there is no account to look with.

use app::model::{Finding, NextAction, StepId};

use crate::adapters::kube::client::KubeError;

/// Making an account is a change.
pub fn only_looked_at(refused: &Finding) -> Finding {
    let mut finding = Finding::new(
        "LOOKER_NOT_ALLOWED",
        "This assistant cannot be used on this cluster",
        "It runs commands, so it gets an account that Slipway makes and removes again; this cluster may only be looked at.",
    )
    .attention();
    finding.next.clone_from(&refused.next);
    finding.next(NextAction::advice(
        "Ask the plain assistant: it needs no account",
    ))
}

/// The API server refused it, or did not answer.
pub fn refused(namespace: &str, error: &KubeError) -> Finding {
    if error.is_not_found() {
        return Finding::new(
            "LOOKER_NO_NAMESPACE",
            format!("The namespace {namespace} is not there yet"),
            "The assistant gets an account in it that can only look, and it comes with the first deploy.",
        )
        .attention()
        .next(NextAction::Open {
            step: StepId::Deploy,
            label: "Open Deploy".to_owned(),
        });
    }
    let why = match error.is_forbidden() {
        true => "You may not make service accounts and roles there.",
        false => "The API server did not make it.",
    };
    Finding::new(
        "LOOKER_REFUSED",
        "The account for the assistant was not made",
        why,
    )
    .next(NextAction::advice(
        "Ask for the right to create service accounts, roles and role bindings in this namespace, or ask the plain assistant",
    ))
    .evidence("API server", error.to_string())
}

pub fn not_made(why: &str) -> Finding {
    Finding::new(
        "LOOKER_NOT_MADE",
        "The account for the assistant was not made",
        format!("{}.", why.trim_end_matches('.')),
    )
    .next(NextAction::advice("Try again"))
}

pub fn no_folder(error: &std::io::Error) -> Finding {
    not_made(&format!("its private folder cannot be written: {error}"))
}
