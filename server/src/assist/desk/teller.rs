//! The voice of one answer: everything it says is redacted before anybody hears it, and what it wants
//! to change goes onto a card.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::model::{AssistantId, ToolAnswer, TurnEvent, TurnId, Usage};

use super::Kit;
use super::conversation::Conversation;
use crate::assist::reading::shown;

/// What a tool said, as far as it is shown.
const LONGEST_ANSWER: usize = 12_000;
const LONGEST_ARGUMENTS: usize = 2_000;
/// An assistant that asks for more changes than this in one answer is not followed any further.
const MOST_PROPOSALS: usize = 8;

/// Clones speak for the same turn.
#[derive(Clone)]
pub struct Teller {
    kit: Kit,
    conversation: Conversation,
    turn: TurnId,
    assistant: AssistantId,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Text that could be the beginning of a secret value.
    held: String,
    proposals: usize,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Teller").field(&self.turn).finish()
    }
}

impl Teller {
    pub fn new(kit: Kit, conversation: Conversation, turn: TurnId, assistant: AssistantId) -> Self {
        Self {
            kit,
            conversation,
            turn,
            assistant,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: TurnEvent) {
        self.conversation.tell(self.turn, event);
    }

    /// More of the answer, in pieces of any size. What could be the beginning of a secret value waits
    /// for what follows.
    pub fn text(&self, piece: &str) {
        let ready = {
            let mut state = self.state();
            state.held.push_str(piece);
            let safe = self.kit.core.redactor.safe_end(&state.held);
            let rest = state.held.split_off(safe);
            std::mem::replace(&mut state.held, rest)
        };
        self.say(&ready);
    }

    /// Says what still waits.
    pub fn flush(&self) {
        let held = std::mem::take(&mut self.state().held);
        self.say(&held);
    }

    fn say(&self, text: &str) {
        if !text.is_empty() {
            let text = self.kit.core.redactor.redact(text).into_owned();
            self.tell(TurnEvent::Text { text });
        }
    }

    /// A whole text at once, of somebody who reads the cluster without Slipway: also what only looks
    /// like a secret is hidden.
    pub fn whole(&self, text: &str) {
        self.flush();
        let text = shown(text.trim_end(), &self.kit.core.redactor);
        self.tell(TurnEvent::Text { text });
    }

    pub fn tool_called(&self, id: &str, name: &str, arguments: &str) {
        self.flush();
        let redactor = &self.kit.core.redactor;
        self.tell(TurnEvent::ToolCalled {
            id: id.to_owned(),
            name: cut(&shown(name, redactor), LONGEST_ARGUMENTS),
            arguments: cut(&shown(arguments, redactor), LONGEST_ARGUMENTS),
        });
    }

    pub fn tool_answered(&self, id: &str, text: &str, failed: bool) {
        self.tell(TurnEvent::ToolAnswered {
            id: id.to_owned(),
            answer: ToolAnswer {
                text: cut(&shown(text, &self.kit.core.redactor), LONGEST_ANSWER),
                failed,
            },
        });
    }

    pub fn notice(&self, text: impl Into<String>) {
        self.flush();
        self.tell(TurnEvent::Notice { text: text.into() });
    }

    /// A text of somebody's as it may be shown: for what becomes the evidence of a finding.
    pub fn hidden(&self, text: &str) -> String {
        shown(text, &self.kit.core.redactor)
    }

    /// Which model or agent answers.
    pub fn model(&self, name: &str) {
        let name = shown(name, &self.kit.core.redactor);
        self.tell(TurnEvent::Model { name });
    }

    pub fn used(&self, usage: Usage) {
        self.tell(TurnEvent::Used { usage });
    }

    pub fn refused(&self, what: &str, why: &str) {
        self.flush();
        let redactor = &self.kit.core.redactor;
        self.tell(TurnEvent::Refused {
            what: cut(&shown(what, redactor), LONGEST_ARGUMENTS),
            why: cut(&shown(why, redactor), LONGEST_ARGUMENTS),
        });
    }

    /// Makes a card of a command line. What comes back is for the assistant to read: that there is a
    /// card now, or why there is none. Nothing is run.
    pub async fn propose(&self, line: &str, why: &str, heals: Option<String>) -> String {
        self.flush();
        let count = {
            let mut state = self.state();
            state.proposals += 1;
            state.proposals
        };
        let made = match count > MOST_PROPOSALS {
            true => Err("too many changes were asked for in one answer".to_owned()),
            false => {
                let name = self.assistant.title();
                self.kit
                    .approvals
                    .propose_line(name, line, why, heals)
                    .await
            }
        };
        match made {
            Ok(approval) => {
                self.tell(TurnEvent::Proposed {
                    approval,
                    line: cut(&shown(line, &self.kit.core.redactor), LONGEST_ARGUMENTS),
                });
                "A card was made; a person decides, and Slipway carries it out. Do not wait for it: finish your answer.".to_owned()
            }
            Err(why) => {
                self.refused(line, &why);
                format!("Denied, nothing was run: {why}")
            }
        }
    }
}

/// At most so many characters, with a word about the rest.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}… (cut)", &text[..at]),
        None => text.to_owned(),
    }
}
