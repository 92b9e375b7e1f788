//! One question to a running kubectl-ai: strictly by its state, because at any wrong moment it falls
//! silent for good.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use app::model::Finding;
use tokio::time::timeout;

use super::super::Teller;
use super::session::Session;
use super::words;
use crate::adapters::kubectl_ai::web::{
    AgentState, Message, Snapshot, asked_for, is_meta, no, tool_answer,
};

/// How long it may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until it takes a question.
    pub taken: Duration,
    /// While it works: a model may think long, and its retries take up to a minute each.
    pub quiet: Duration,
    /// For a word after it says that it is done, when there was none.
    pub last_word: Duration,
    /// For more words after its last one.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            taken: Duration::from_secs(20),
            quiet: Duration::from_secs(4 * 60),
            last_word: Duration::from_millis(1500),
            settle: Duration::from_millis(300),
        }
    }
}

/// What has been heard of the answer.
struct Hearing<'a> {
    teller: &'a Teller,
    /// Which of all questions this is, from 1.
    question: usize,
    known: BTreeSet<String>,
    /// Calls of tools without an answer yet, oldest first.
    calls: VecDeque<String>,
    /// Approvals that were answered.
    chosen: BTreeSet<String>,
    said: bool,
    after_text: bool,
    /// The newest thing it said is an error.
    error: Option<String>,
    /// An approval was just refused: it says so itself, as an error.
    refused: bool,
}

/// Asks, tells what happens, and answers every approval with No.
pub async fn converse(
    session: &Session,
    question: &str,
    teller: &Teller,
    patience: Patience,
) -> Result<(), Finding> {
    tokio::select! {
        biased;
        answered = ask(session, question, teller, patience) => answered,
        finding = session.broken() => Err(finding),
    }
}

async fn ask(
    session: &Session,
    question: &str,
    teller: &Teller,
    patience: Patience,
) -> Result<(), Finding> {
    let mut states = session.states();
    let ready = async {
        let ready = states.wait_for(|state| state.state.takes_question());
        ready.await.map(drop)
    };
    match timeout(patience.taken, ready).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return std::future::pending().await,
        Err(_) => return Err(words::stuck(patience.taken, &session.last_words())),
    }
    let mut hearing = Hearing::of(session.count(), teller);
    let question = match is_meta(question) {
        true => format!("Question: {question}"),
        false => question.to_owned(),
    };
    session
        .web
        .ask(&question)
        .await
        .map_err(|error| words::not_sent(&error.to_string()))?;
    let mut limit = patience.taken;
    // The state that comes with the question itself may still be the one from before it.
    let (mut running, mut idles) = (false, 0);
    loop {
        match timeout(limit, states.changed()).await {
            Ok(Ok(())) => {}
            // The stream has ended; why is said elsewhere.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return Err(words::stuck(limit, &session.last_words())),
        }
        let state = states.borrow_and_update().clone();
        if state.state == AgentState::Exited {
            return Err(words::ended("it left the conversation", ""));
        }
        if !hearing.hear(&state) {
            continue;
        }
        limit = patience.quiet;
        match state.state {
            AgentState::WaitingForInput => hearing.refuse(session, &state).await?,
            AgentState::Running => running = true,
            AgentState::Idle | AgentState::Done => {
                idles += 1;
                if running || idles > 1 || hearing.said || hearing.error.is_some() {
                    break;
                }
            }
            _ => {}
        }
    }
    // Its last word may come after its state, or never.
    loop {
        let patience = match hearing.said {
            true => patience.settle,
            false => patience.last_word,
        };
        match timeout(patience, states.changed()).await {
            Ok(Ok(())) => {
                let state = states.borrow_and_update().clone();
                hearing.hear(&state);
            }
            _ => break,
        }
    }
    match (hearing.said, hearing.error) {
        (_, Some(error)) => Err(words::failed(&teller.hidden(&error))),
        (true, None) => Ok(()),
        (false, None) => Err(words::silent(&session.last_words())),
    }
}

impl<'a> Hearing<'a> {
    fn of(question: usize, teller: &'a Teller) -> Self {
        Self {
            teller,
            question,
            known: BTreeSet::new(),
            calls: VecDeque::new(),
            chosen: BTreeSet::new(),
            said: false,
            after_text: false,
            error: None,
            refused: false,
        }
    }

    /// Tells what is new since the question; false as long as it was not taken.
    fn hear(&mut self, state: &Snapshot) -> bool {
        let Some(news) = state.since(self.question) else {
            return false;
        };
        for message in news {
            if self.known.insert(message.id.clone()) {
                self.tell(message);
            }
        }
        true
    }

    fn tell(&mut self, message: &Message) {
        if message.source == "user" {
            return;
        }
        if let Some(error) = self.error.take() {
            // It went on after it.
            self.teller.refused("a step of kubectl-ai's", error.trim());
            self.after_text = false;
        }
        match message.kind.as_str() {
            "text" => {
                self.refused = false;
                let text = message.text();
                if text.trim().is_empty() {
                    return;
                }
                // Two texts in a row are two paragraphs.
                let gap = if self.after_text { "\n\n" } else { "" };
                self.teller.whole(&format!("{gap}{text}"));
                self.said = true;
                self.after_text = true;
            }
            "error" if std::mem::take(&mut self.refused) => {}
            "error" => self.error = Some(message.text()),
            "tool-call-request" => {
                self.refused = false;
                let line = message.text();
                let name = match line.trim_start().starts_with("kubectl") {
                    true => "kubectl",
                    false => "bash",
                };
                self.teller.tool_called(&message.id, name, &line);
                self.calls.push_back(message.id.clone());
                self.after_text = false;
            }
            "tool-call-response" => {
                let (text, failed) = tool_answer(&message.payload);
                if let Some(id) = self.calls.pop_front() {
                    self.teller.tool_answered(&id, &text, failed);
                }
            }
            _ => {}
        }
    }

    /// Answers a pending approval with No, once, and makes a card of each command.
    async fn refuse(&mut self, session: &Session, state: &Snapshot) -> Result<(), Finding> {
        let Some(request) = state.pending() else {
            return Ok(());
        };
        if !self.chosen.insert(request.id.clone()) {
            return Ok(());
        }
        // Without a No among the options there is nothing that may be sent.
        let Some(option) = no(&request.payload) else {
            return Err(words::no_way_to_refuse());
        };
        session
            .web
            .choose(option)
            .await
            .map_err(|error| words::not_sent(&error.to_string()))?;
        self.refused = true;
        self.after_text = false;
        for command in asked_for(&request.payload) {
            let why = "kubectl-ai asked to run it";
            self.teller.propose(&command, why, None).await;
        }
        Ok(())
    }
}
