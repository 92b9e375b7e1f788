//! One question to a running Docker Agent, by the events of its runtime.

use std::collections::BTreeSet;
use std::time::Duration;

use app::model::{Finding, Usage};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::super::{Patience, Teller};
use super::{Session, words};
use crate::adapters::docker_agent::events::{Call, Event, read};
use crate::adapters::local_http::LocalError;
use crate::assist::tools;

const REFUSED: &str =
    "Only Slipway's own tools may be used here. Propose changes with propose_change.";

/// Asks, tells what happens, and answers everything it stops for.
pub(super) async fn converse(
    session: &mut Session,
    question: &str,
    teller: &Teller,
    patience: Patience,
) -> Result<(), Finding> {
    let ended = session.child.ended();
    let how = tokio::select! {
        biased;
        answered = ask(session, question, teller, patience.quiet) => return answered,
        how = ended => how,
    };
    Err(words::ended(&how, &session.child.last_words()))
}

async fn ask(
    session: &mut Session,
    question: &str,
    teller: &Teller,
    quiet: Duration,
) -> Result<(), Finding> {
    let lost = |error: LocalError| words::lost(&error.to_string());
    let events = session.api.ask(question).await.map_err(lost)?;
    let mut events = std::pin::pin!(events);
    let mut known = BTreeSet::new();
    let mut said = false;
    let mut called = |call: &Call| {
        if known.insert(call.id.clone()) {
            teller.tool_called(&call.id, &call.name, &call.arguments);
        }
    };
    loop {
        let data = match timeout(quiet, events.next()).await {
            Ok(Some(data)) => data,
            Ok(None) => return Err(words::broke_off(&session.child.last_words())),
            Err(_) => return Err(words::stuck(quiet, &session.child.last_words())),
        };
        match read(&data) {
            None => {}
            Some(Event::Text(text)) => {
                said |= !text.trim().is_empty();
                teller.text(&text);
            }
            Some(Event::ToolCalled(call)) => called(&call),
            Some(Event::Asks(call)) => {
                called(&call);
                if is_ours(&call.name) {
                    session.api.approve().await.map_err(lost)?;
                } else {
                    session.api.reject(REFUSED).await.map_err(lost)?;
                    refuse(&call, teller).await;
                }
            }
            Some(Event::ToolAnswered { id, text, failed }) => {
                teller.tool_answered(&id, &text, failed);
            }
            Some(Event::Used { input, output }) => {
                let (before_input, before_output) = session.used;
                teller.used(Usage {
                    input: input.saturating_sub(before_input),
                    output: output.saturating_sub(before_output),
                });
                session.used = (input.max(before_input), output.max(before_output));
            }
            Some(Event::AtItsLimit) => {
                teller.notice("It reached its limit of rounds.");
                session
                    .api
                    .reject("the limit is kept")
                    .await
                    .map_err(lost)?;
            }
            Some(Event::Elicits) => {
                teller.notice("It wanted something filled in; nothing was.");
                session.api.decline().await.map_err(lost)?;
            }
            Some(Event::Failed(why)) => return Err(words::failed(&teller.hidden(&why))),
            Some(Event::Ended) if said => return Ok(()),
            Some(Event::Ended) => return Err(words::silent(&session.child.last_words())),
        }
    }
}

/// One of Slipway's tools, as it is or with the name of its toolset before it. They only look, or make a
/// card.
fn is_ours(name: &str) -> bool {
    let all = tools::all().into_iter().map(|tool| tool.name);
    all.chain([tools::propose().name])
        .any(|own| name == own || name.strip_suffix(own).is_some_and(|set| set.ends_with('_')))
}

async fn refuse(call: &Call, teller: &Teller) {
    match call.kubectl() {
        Some(line) => {
            let why = "Docker Agent asked to run it";
            teller.propose(&line, why, None).await;
        }
        None => teller.refused(&call.name, "only Slipway's own tools may be used"),
    }
}
