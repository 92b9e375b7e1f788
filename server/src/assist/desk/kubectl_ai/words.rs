//! What is said about kubectl-ai.

use std::time::Duration;

use app::model::{Finding, NextAction};

use crate::setup::{OsFamily, install};

fn with_words(finding: Finding, last_words: &str) -> Finding {
    match last_words.trim() {
        "" => finding,
        words => finding.evidence("kubectl-ai's last lines", words),
    }
}

pub fn not_installed() -> Finding {
    let mut finding = Finding::new(
        "KUBECTL_AI_MISSING",
        "kubectl-ai is not installed",
        "There is no program `kubectl-ai` on the PATH.",
    )
    .attention();
    finding.next = install("kubectl-ai", OsFamily::detect());
    finding
}

pub fn unknown_provider(name: &str, known: &str) -> Finding {
    Finding::new(
        "KUBECTL_AI_PROVIDER",
        format!("kubectl-ai has no provider `{name}`"),
        format!("It has {known}."),
    )
    .attention()
    .next(NextAction::advice("Choose one of these as its provider"))
}

pub fn no_model(provider: &str) -> Finding {
    Finding::new(
        "KUBECTL_AI_NO_MODEL",
        "No model is chosen for kubectl-ai",
        format!("Its own choice is a model of gemini, which {provider} does not have."),
    )
    .attention()
    .next(NextAction::advice(
        "Name a model the way the provider lists it",
    ))
}

pub fn no_key(variable: &str) -> Finding {
    super::super::words::no_key(super::ID, variable)
}

pub fn not_started(why: &str, last_words: &str) -> Finding {
    let finding = Finding::new(
        "KUBECTL_AI_NOT_STARTED",
        "kubectl-ai did not start",
        format!("{}.", capital(why)),
    )
    .next(NextAction::advice(
        "Check provider, model and key, then ask again",
    ));
    with_words(finding, last_words)
}

pub fn not_sent(why: &str) -> Finding {
    Finding::new(
        "KUBECTL_AI_LOST",
        "The connection to kubectl-ai was lost",
        format!("{}.", capital(why)),
    )
    .next(NextAction::advice("Ask again: it is started anew"))
}

pub fn lost(last_words: &str) -> Finding {
    with_words(not_sent("its stream of states ended"), last_words)
}

pub fn ended(how: &str, last_words: &str) -> Finding {
    let finding = Finding::new(
        "KUBECTL_AI_ENDED",
        "kubectl-ai ended before its answer",
        format!("{}.", capital(how)),
    )
    .next(NextAction::advice("Ask again: it is started anew"));
    with_words(finding, last_words)
}

/// It is done and has said nothing: how a failed call of the model looks.
pub fn silent(last_words: &str) -> Finding {
    let finding = Finding::new(
        "KUBECTL_AI_SILENT",
        "kubectl-ai ended without an answer",
        "It gives no reason. Most often the call of the model failed: a wrong key, an unknown model, a limit, or a provider that does not answer.",
    )
    .next(NextAction::advice("Check provider, model and key, then ask again"));
    with_words(finding, last_words)
}

pub fn stuck(after: Duration, last_words: &str) -> Finding {
    let finding = Finding::new(
        "KUBECTL_AI_STUCK",
        "kubectl-ai does not go on",
        format!(
            "Nothing was heard of it for {} s, so it was ended.",
            after.as_secs()
        ),
    )
    .next(NextAction::advice("Ask again: it is started anew"));
    with_words(finding, last_words)
}

pub fn failed(error: &str) -> Finding {
    Finding::new(
        "KUBECTL_AI_FAILED",
        "kubectl-ai could not answer",
        "It reported an error.",
    )
    .next(NextAction::advice(
        "Check provider, model and key, then ask again",
    ))
    .evidence("kubectl-ai", error)
}

pub fn no_way_to_refuse() -> Finding {
    Finding::new(
        "KUBECTL_AI_APPROVAL",
        "kubectl-ai asked in a way that is not known",
        "Its question has no option that means No, so nothing was answered and it was ended.",
    )
    .next(NextAction::advice(
        "Use a version that this Slipway knows: 0.0.28",
    ))
}

/// Its port has no password; somebody on this machine used it.
pub fn intruder() -> Finding {
    Finding::new(
        "KUBECTL_AI_INTRUDER",
        "Somebody else spoke to kubectl-ai",
        "A question or a choice reached it that Slipway did not send, so it was ended at once. Its port is open to every program and web page on this machine.",
    )
    .next(NextAction::advice("Look which program or page it was before you ask again"))
}

fn capital(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => "It gives no reason".to_owned(),
    }
}
