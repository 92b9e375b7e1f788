//! What is said about the endpoint of the plain assistant.

use app::model::{Finding, NextAction};
use url::Url;

fn host(base: &Url) -> String {
    let name = base.host_str().unwrap_or_default();
    match base.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

fn with(finding: Finding, base: &Url, said: &str) -> Finding {
    match said.trim().is_empty() {
        true => finding,
        false => finding.evidence(host(base), said),
    }
}

pub fn unset() -> Finding {
    Finding::new(
        "ENDPOINT_UNSET",
        "No endpoint is set",
        "The plain assistant asks any endpoint that speaks OpenAI's API: Ollama or llama.cpp on this machine, or a cloud.",
    )
    .attention()
    .next(NextAction::Command {
        command: "ollama serve".to_owned(),
        why: "Then enter http://127.0.0.1:11434/v1 and a model that ollama list shows".to_owned(),
    })
    .next(NextAction::advice("Or enter the address of another endpoint, its model and its key"))
}

pub fn no_model_chosen(models: &[String]) -> Finding {
    let some = models
        .iter()
        .take(6)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let known = match some.is_empty() {
        true => "The endpoint lists none.".to_owned(),
        false => format!("The endpoint has {some}."),
    };
    Finding::new("ENDPOINT_NO_MODEL_CHOSEN", "No model is chosen", known)
        .attention()
        .next(NextAction::advice("Choose a model that can call tools"))
}

pub fn unreachable(base: &Url, why: &str) -> Finding {
    Finding::new(
        "ENDPOINT_UNREACHABLE",
        format!("{} does not answer", host(base)),
        format!("The endpoint could not be asked: {why}."),
    )
    .next(NextAction::advice("Start it, or correct its address"))
}

pub fn too_slow(base: &Url) -> Finding {
    Finding::new(
        "ENDPOINT_TOO_SLOW",
        format!("{} stopped answering", host(base)),
        "Nothing came for a long time: the model is too large for the machine, or the endpoint hangs.",
    )
    .next(NextAction::advice("Try a smaller model, or leave parts out"))
}

pub fn key_refused(base: &Url, said: &str) -> Finding {
    let finding = Finding::new(
        "ENDPOINT_KEY_REFUSED",
        format!("{} does not take the key", host(base)),
        "The key is missing, wrong, or may not use this model.",
    )
    .next(NextAction::advice("Enter the key again"));
    with(finding, base, said)
}

pub fn used_up(base: &Url, said: &str) -> Finding {
    let finding = Finding::new(
        "ENDPOINT_USED_UP",
        format!("{} answers no more questions for now", host(base)),
        "A limit of the account is reached.",
    )
    .next(NextAction::advice(
        "Wait, or look at the account's limits and bill",
    ));
    with(finding, base, said)
}

pub fn no_model(base: &Url, said: &str) -> Finding {
    let finding = Finding::new(
        "ENDPOINT_MODEL_MISSING",
        format!("{} does not have this model", host(base)),
        "The model's name is not one of the endpoint's, or the address lacks its path, such as /v1.",
    )
    .next(NextAction::advice("Choose one of the listed models, and look at the address"));
    with(finding, base, said)
}

pub fn refused(base: &Url, status: u16, said: &str) -> Finding {
    let finding = Finding::new(
        "ENDPOINT_REFUSED",
        format!("{} refused the question", host(base)),
        format!("It answered with HTTP {status}. A model that cannot call tools is refused like this, too."),
    )
    .next(NextAction::advice("Read what it says; try another model"));
    with(finding, base, said)
}

pub fn not_compatible(base: &Url) -> Finding {
    Finding::new(
        "ENDPOINT_NOT_COMPATIBLE",
        format!("{} does not speak OpenAI's API", host(base)),
        "What it answered is something else, such as a web page.",
    )
    .next(NextAction::advice(
        "Enter the address of the API, often with /v1 at its end",
    ))
}

pub fn broken_off(base: &Url, why: &str) -> Finding {
    Finding::new(
        "ENDPOINT_BROKE_OFF",
        format!("The answer of {} broke off", host(base)),
        format!("What it sent cannot be read to the end: {why}."),
    )
    .next(NextAction::advice("Ask again"))
}

pub fn broken(why: &str) -> Finding {
    Finding::new(
        "ENDPOINT_NO_TLS",
        "The endpoint cannot be asked from here",
        format!("Encryption could not be set up: {why}."),
    )
    .next(NextAction::advice("Look at this machine's certificates"))
}

pub fn too_many_rounds(rounds: usize) -> Finding {
    Finding::new(
        "ENDPOINT_TOO_MANY_ROUNDS",
        "The model did not come to an end",
        format!("It used tools {rounds} times in a row without an answer."),
    )
    .next(NextAction::advice(
        "Ask something smaller, or try another model",
    ))
}
