//! What is said about Docker Agent.

use std::time::Duration;

use app::model::{Finding, NextAction};

fn with_words(finding: Finding, last_words: &str) -> Finding {
    match last_words.trim() {
        "" => finding,
        words => finding.evidence("Docker Agent's last lines", words),
    }
}

pub fn not_installed() -> Finding {
    Finding::new(
        "DOCKER_AGENT_MISSING",
        "Docker Agent is not installed",
        "There is no docker plugin `agent`, and no program `docker-agent` or `cagent` on the PATH.",
    )
    .attention()
    .next(NextAction::advice(
        "It comes with Docker Desktop 4.74 or newer; with docker's engine alone, install the program of the project docker/docker-agent",
    ))
}

pub fn unknown_provider(name: &str, known: &str) -> Finding {
    Finding::new(
        "DOCKER_AGENT_PROVIDER",
        format!("Slipway does not know Docker Agent's provider `{name}`"),
        format!("It knows {known}."),
    )
    .attention()
    .next(NextAction::advice("Choose one of these as its provider"))
}

pub fn no_model() -> Finding {
    Finding::new(
        "DOCKER_AGENT_NO_MODEL",
        "No model is chosen for Docker Agent",
        "It has no model of its own.",
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
        "DOCKER_AGENT_NOT_STARTED",
        "Docker Agent did not start",
        format!("It says: {}.", why.trim().trim_end_matches('.')),
    )
    .next(NextAction::advice(
        "Check provider, model and key, then ask again",
    ));
    with_words(finding, last_words)
}

pub fn ended(how: &str, last_words: &str) -> Finding {
    let finding = Finding::new(
        "DOCKER_AGENT_ENDED",
        "Docker Agent ended before its answer",
        format!("At the end {how}."),
    )
    .next(NextAction::advice("Ask again: it is started anew"));
    with_words(finding, last_words)
}

pub fn lost(why: &str) -> Finding {
    Finding::new(
        "DOCKER_AGENT_LOST",
        "The connection to Docker Agent was lost",
        format!("It was asked, and {}.", why.trim().trim_end_matches('.')),
    )
    .next(NextAction::advice("Ask again: it is started anew"))
}

pub fn broke_off(last_words: &str) -> Finding {
    with_words(lost("its events ended before the answer did"), last_words)
}

pub fn stuck(after: Duration, last_words: &str) -> Finding {
    let finding = Finding::new(
        "DOCKER_AGENT_STUCK",
        "Docker Agent does not go on",
        format!(
            "Nothing was heard of it for {} s, so it was ended.",
            after.as_secs()
        ),
    )
    .next(NextAction::advice("Ask again: it is started anew"));
    with_words(finding, last_words)
}

pub fn silent(last_words: &str) -> Finding {
    let finding = Finding::new(
        "DOCKER_AGENT_SILENT",
        "Docker Agent ended without an answer",
        "It gives no reason.",
    )
    .next(NextAction::advice("Ask again, or try another model"));
    with_words(finding, last_words)
}

pub fn failed(error: &str) -> Finding {
    Finding::new(
        "DOCKER_AGENT_FAILED",
        "Docker Agent could not answer",
        "It reported an error.",
    )
    .next(NextAction::advice(
        "Check provider, model and key, then ask again",
    ))
    .evidence("Docker Agent", error)
}
