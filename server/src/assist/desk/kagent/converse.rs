//! One question to an agent of kagent's. Its own approvals are answered No, every one by name, and become
//! cards where they are plain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{Finding, Usage};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::Teller;
use super::controller::Controller;
use super::{id, words};
use crate::adapters::kagent::a2a::{
    ASK_USER, Asked, Heard, Part, TaskState, Update, question, read, rejection,
};
use crate::assist::command::joined;
use crate::engine::Core;

/// How often an agent is told No for one question.
const MOST_PAUSES: usize = 6;
const REFUSED: &str = "A person decides about changes; Slipway has made a card of it where it could. Do not try it another way: finish your answer.";
const NO_ANSWER: &str = "Nobody can be asked here. Answer with what you know.";

/// How long the name of a task is waited for that nobody wants any more.
const UNNAMED: Duration = Duration::from_secs(30);
const PIECES: usize = 64;

/// A task goes on in the cluster when its stream is dropped, so whoever drops this ends it.
struct Task {
    core: Core,
    controller: Controller,
    agent: String,
    known: Arc<Mutex<Known>>,
}

/// What is known of a task, by whoever asked for it and by whoever reads its answer.
#[derive(Default)]
struct Known {
    /// None before the agent has said it, and once it has ended.
    id: Option<String>,
    /// Nobody wants its answer any more.
    is_dropped: bool,
}

impl Task {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message and reads the answer in a task of its own: if the agent has begun and not yet
    /// said under which name, whoever stops listening could not end it.
    fn send(&self, message: Value) -> mpsc::Receiver<Result<String, Finding>> {
        let (tell, heard) = mpsc::channel(PIECES);
        let (controller, agent) = (self.controller.clone(), self.agent.clone());
        let (known, stop) = (Arc::clone(&self.known), self.core.shutdown.clone());
        let mut is_named = self.known().id.is_some();
        self.core.tasks.spawn(async move {
            let events = match controller.send(&agent, &message).await {
                Ok(events) => events,
                Err(finding) => {
                    let _ = tell.send(Err(finding)).await;
                    return;
                }
            };
            let mut events = std::pin::pin!(events);
            loop {
                let nobody_waits = async {
                    tell.closed().await;
                    if !is_named {
                        tokio::time::sleep(UNNAMED).await;
                    }
                };
                let next = tokio::select! {
                    next = events.next() => next,
                    () = nobody_waits => return,
                    () = stop.cancelled() => return,
                };
                let Some(data) = next else { return };
                if let Some(id) = name_in(&data).filter(|_| !is_named) {
                    is_named = true;
                    let is_dropped = {
                        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                        known.id = (!known.is_dropped).then(|| id.clone());
                        known.is_dropped
                    };
                    if is_dropped {
                        controller.cancel(&agent, &id).await;
                        return;
                    }
                }
                // Nobody may be listening any more.
                let _ = tell.send(Ok(data)).await;
            }
        });
        heard
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let id = {
            let mut known = self.known();
            known.is_dropped = true;
            known.id.take()
        };
        let Some(id) = id else {
            return;
        };
        let (controller, agent) = (self.controller.clone(), self.agent.clone());
        self.core.tasks.spawn(async move {
            controller.cancel(&agent, &id).await;
        });
    }
}

fn name_in(data: &str) -> Option<String> {
    match read(data) {
        Some(Update::Heard(heard)) => heard.task,
        _ => None,
    }
}

/// What has been heard of the answer.
struct Hearing<'a> {
    teller: &'a Teller,
    known: BTreeSet<String>,
    said: bool,
    artifact: Vec<Part>,
    asked: Vec<Asked>,
    last_text: String,
}

pub(super) async fn converse(
    core: &Core,
    controller: &Controller,
    agent: &str,
    context: &str,
    text: &str,
    teller: &Teller,
    quiet: Duration,
) -> Result<(), Finding> {
    let task = Task {
        core: core.clone(),
        controller: controller.clone(),
        agent: agent.to_owned(),
        known: Arc::default(),
    };
    let mut hearing = Hearing {
        teller,
        known: BTreeSet::new(),
        said: false,
        artifact: Vec::new(),
        asked: Vec::new(),
        last_text: String::new(),
    };
    let mut message = question(&id(), context, text);
    for _ in 0..=MOST_PAUSES {
        let state = stream(&task, message, &mut hearing, quiet).await?;
        if state != TaskState::InputRequired {
            // It has ended by itself.
            task.known().id = None;
            return hearing.end(state);
        }
        let number = task.known().id.clone();
        let Some(number) = number else {
            return Err(words::broke_off());
        };
        let (ids, why) = hearing.refuse().await;
        if ids.is_empty() {
            return Err(words::asks_otherwise());
        }
        message = rejection(&id(), context, &number, &ids, why);
    }
    Err(words::too_many_pauses(MOST_PAUSES))
}

/// Follows one stream to its end.
async fn stream(
    task: &Task,
    message: Value,
    hearing: &mut Hearing<'_>,
    quiet: Duration,
) -> Result<TaskState, Finding> {
    let mut events = task.send(message);
    let mut last = None;
    loop {
        let data = match timeout(quiet, events.recv()).await {
            Ok(Some(data)) => data?,
            Ok(None) => break,
            Err(_) => return Err(words::stuck(quiet)),
        };
        match read(&data) {
            None => {}
            Some(Update::Error(why)) => return Err(words::failed(&hearing.teller.hidden(&why))),
            Some(Update::Artifact(parts)) => hearing.artifact = parts,
            Some(Update::Heard(heard)) => {
                let (state, is_final) = (heard.state, heard.is_final);
                hearing.hear(heard);
                last = state.or(last);
                if is_final {
                    break;
                }
            }
        }
    }
    match last {
        Some(TaskState::Submitted | TaskState::Working) | None => Err(words::broke_off()),
        Some(state) => Ok(state),
    }
}

impl Hearing<'_> {
    fn hear(&mut self, heard: Heard) {
        if let Some((input, output)) = heard.usage {
            self.teller.used(Usage { input, output });
        }
        // The whole text follows the pieces.
        if heard.is_partial {
            return;
        }
        if let Some(message) = heard.message
            && !self.known.insert(message)
        {
            return;
        }
        let failed = matches!(
            heard.state,
            Some(TaskState::Failed | TaskState::Rejected | TaskState::AuthRequired)
        );
        for part in heard.parts {
            match part {
                Part::Text(text) if text.trim().is_empty() => {}
                // Then it is the reason, not an answer.
                Part::Text(text) if failed => self.last_text = text,
                Part::Text(text) => self.say(&text),
                Part::Called {
                    id,
                    name,
                    arguments,
                } => self.teller.tool_called(&id, &name, &arguments.to_string()),
                Part::Answered { id, response } => {
                    let text = match response["result"].as_str() {
                        Some(text) => text.to_owned(),
                        None => response.to_string(),
                    };
                    let failed = response["isError"] == true || response.get("error").is_some();
                    self.teller.tool_answered(&id, &text, failed);
                }
                Part::Asks(asked) => self.asked.push(asked),
            }
        }
    }

    fn say(&mut self, text: &str) {
        let gap = if self.said { "\n\n" } else { "" };
        self.teller.whole(&format!("{gap}{text}"));
        self.said = true;
    }

    /// Makes cards of what it asks for; the names of all calls, which are to be refused.
    async fn refuse(&mut self) -> (Vec<String>, &'static str) {
        let mut ids = Vec::new();
        let mut why = REFUSED;
        for asked in std::mem::take(&mut self.asked) {
            if asked.name == ASK_USER {
                why = NO_ANSWER;
            }
            match asked.kubectl() {
                Some(words) => {
                    let why = "kagent asked to do it";
                    self.teller.propose(&joined(&words), why, None).await;
                }
                None => {
                    let what = format!("{} {}", asked.name, asked.arguments);
                    self.teller
                        .refused(&what, "it is not plainly one kubectl command");
                }
            }
            ids.push(asked.id);
        }
        (ids, why)
    }

    fn end(mut self, state: TaskState) -> Result<(), Finding> {
        let why = self.teller.hidden(&self.last_text);
        match state {
            TaskState::Failed | TaskState::Rejected => return Err(words::failed(&why)),
            TaskState::AuthRequired => return Err(words::wants_login(&why)),
            TaskState::Canceled => return Err(words::cancelled()),
            _ => {}
        }
        // The artifact repeats what was said; it counts when nothing was.
        if !self.said {
            for part in std::mem::take(&mut self.artifact) {
                if let Part::Text(text) = part
                    && !text.trim().is_empty()
                {
                    self.say(&text);
                }
            }
        }
        match self.said {
            true => Ok(()),
            false => Err(words::silent()),
        }
    }
}
