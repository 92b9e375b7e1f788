//! Who can be asked, what was asked, and what comes back: turns of a conversation, folded from events by
//! the same code on both sides.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ApprovalId, Finding, PackPart, PromptIdea, SecretInput, UnixMillis};

/// Everybody who can be asked, in the order of the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssistantId {
    /// Slipway's own plain assistant on any OpenAI-compatible endpoint.
    Endpoint,
    KubectlAi,
    Kagent,
    DockerAgent,
    Gordon,
}

impl AssistantId {
    pub const ALL: [Self; 5] = [
        Self::KubectlAi,
        Self::Kagent,
        Self::Gordon,
        Self::DockerAgent,
        Self::Endpoint,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Endpoint => "Plain assistant",
            Self::KubectlAi => "kubectl-ai",
            Self::Kagent => "kagent",
            Self::DockerAgent => "Docker Agent",
            Self::Gordon => "Gordon",
        }
    }

    /// As in JSON and in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::KubectlAi => "kubectl-ai",
            Self::Kagent => "kagent",
            Self::DockerAgent => "docker-agent",
            Self::Gordon => "gordon",
        }
    }

    /// What it may do here, in one sentence.
    pub fn may(self) -> &'static str {
        match self {
            Self::Endpoint => {
                "Reads findings, events, logs and objects through Slipway, redacted; proposes changes as cards."
            }
            Self::KubectlAi => {
                "Runs kubectl as a service account that can only look, in this namespace and without Secrets; what it wants to change becomes a card."
            }
            Self::Kagent => {
                "Acts in the cluster with rights of its own; agents whose writing tools ask nobody are marked. What it asks to do is answered No and becomes a card."
            }
            Self::DockerAgent => {
                "Has Slipway's own tools and no shell: it reads through Slipway, redacted, and proposes changes as cards."
            }
            Self::Gordon => {
                "Runs in a terminal, here or one of yours, with the text you have read, and asks you there; Slipway answers nothing for you."
            }
        }
    }
}

/// The desk: everybody who can be asked and how they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    pub assistants: Vec<AssistantView>,
    /// Prompts a person saved for this project, by title.
    pub saved: Vec<PromptIdea>,
}

/// One assistant as it stands at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantView {
    pub id: AssistantId,
    pub standing: Standing,
    pub version: Option<String>,
    /// What can be chosen, with what is chosen now.
    pub choices: AssistantChoices,
    /// Which fields of the choices it has.
    pub fields: BTreeSet<ChoiceField>,
    /// Whether a key is there, from the environment or entered; none when it needs none.
    pub key: Option<KeyState>,
    /// Where a question goes.
    pub destination: Destination,
    /// Things to know, each one sentence.
    pub notes: Vec<String>,
    /// kagent's agents; empty for others.
    pub agents: Vec<AgentView>,
    /// Models it offers, if it can be asked for them.
    pub models: Vec<String>,
    /// The agent Slipway has for kagent, where there is a kagent to have it.
    pub own_agent: Option<OwnAgent>,
}

impl AssistantView {
    /// One of whom nothing more is known than how it stands.
    pub fn plain(id: AssistantId, standing: Standing) -> Self {
        Self {
            id,
            standing,
            version: None,
            choices: AssistantChoices::default(),
            fields: BTreeSet::new(),
            key: None,
            destination: Destination::Unknown,
            notes: Vec::new(),
            agents: Vec::new(),
            models: Vec::new(),
            own_agent: None,
        }
    }
}

/// An agent for kagent that only looks. It is shown word by word, applied when a person wants it, and
/// removed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAgent {
    /// With its namespace: `kagent/slipway-looks`.
    pub name: String,
    /// What is applied, as YAML.
    pub manifest: String,
    pub standing: OwnAgentStanding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnAgentStanding {
    /// It is not there.
    Offered,
    /// It is there, made by Slipway or by hand from Slipway's file.
    Applied,
    /// It is there, and somebody gave it other tools since.
    Changed,
    /// There is another agent of that name, which Slipway leaves alone.
    Taken,
}

/// Whether an assistant can be asked, and if not, what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is there and everything it needs is set. Only a question proves that its key works.
    Ready,
    /// It is there, and whether it works cannot be told without using it.
    Unsure,
    /// Something has to be done first: what happened, why, and the steps to get there.
    Missing { finding: Box<Finding> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    Unset,
    /// A variable of the environment Slipway was started in.
    Environment,
    /// Entered at the panel; gone when Slipway ends.
    Entered,
}

/// Where the words of a question go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// They stay on this machine.
    Machine,
    /// To somebody else's computers, by name.
    Cloud { to: String },
    /// It cannot be known, so it is treated as the cloud.
    Unknown,
}

impl Destination {
    /// Whether a person has to see what is sent before the first question.
    pub fn needs_consent(&self) -> bool {
        !matches!(self, Self::Machine)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoiceField {
    Provider,
    Model,
    BaseUrl,
    Agent,
}

/// What a person chooses for an assistant. Kept over restarts; a key never is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AssistantChoices {
    /// `gemini`, `openai`, …
    pub provider: Option<String>,
    pub model: Option<String>,
    /// `http://127.0.0.1:11434/v1`
    pub base_url: Option<String>,
    /// kagent: `namespace/name`
    pub agent: Option<String>,
}

/// New choices, and a key when one was entered. An empty key forgets the entered one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssistantSetting {
    pub assistant: AssistantId,
    pub choices: AssistantChoices,
    pub key: Option<SecretInput>,
}

/// One of kagent's agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    /// `namespace/name`
    pub name: String,
    pub description: String,
    /// Accepted and ready.
    pub is_ready: bool,
    /// Tools that write and ask nobody before they do.
    pub unasked: Vec<String>,
}

/// What a person wants to know, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub assistant: AssistantId,
    pub text: String,
    /// Parts of the context pack that stay here.
    pub left_out: BTreeSet<PackPart>,
}

/// Exactly what would be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The question with the chosen parts, redacted.
    pub text: String,
    /// Names this text; a first question to the cloud has to name what was seen.
    pub hash: String,
    pub destination: Destination,
    /// The person has seen this session what goes there, so it need not be shown again.
    pub consented: bool,
    /// Places where something secret was hidden.
    pub hidden: u32,
}

/// Names one question with its answer; grows within one run of Slipway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub u64);

/// One question with everything that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub id: TurnId,
    pub assistant: AssistantId,
    /// In the person's words, without what went with it.
    pub question: String,
    /// Parts of the context pack that went with it.
    pub parts: Vec<PackPart>,
    /// Which model or agent answers, if that is known.
    pub model: Option<String>,
    pub asked: UnixMillis,
    pub items: Vec<TurnItem>,
    pub usage: Option<Usage>,
    /// None while it is answering.
    pub ending: Option<TurnEnding>,
}

/// Something that came back, in the order it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnItem {
    /// Markdown.
    Text { text: String },
    /// It uses a tool; the answer of the tool once it is there.
    Tool {
        id: String,
        name: String,
        /// As one line, redacted.
        arguments: String,
        answer: Option<ToolAnswer>,
    },
    /// It wants to change something, and that became a card.
    Proposed { approval: ApprovalId, line: String },
    /// It wanted something that it did not get, and why.
    Refused { what: String, why: String },
    /// A word of Slipway's about what is going on.
    Notice { text: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// Redacted and cut.
    pub text: String,
    pub failed: bool,
}

/// Tokens, as the model counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnEnding {
    pub at: UnixMillis,
    pub how: TurnOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnOutcome {
    Answered,
    /// By a person.
    Stopped,
    Failed {
        finding: Box<Finding>,
    },
}

/// What happens to a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnEvent {
    /// More of the answer: appended to the text that is being written.
    Text {
        text: String,
    },
    ToolCalled {
        id: String,
        name: String,
        arguments: String,
    },
    ToolAnswered {
        id: String,
        answer: ToolAnswer,
    },
    Proposed {
        approval: ApprovalId,
        line: String,
    },
    Refused {
        what: String,
        why: String,
    },
    Notice {
        text: String,
    },
    Model {
        name: String,
    },
    /// Adds to what was used so far.
    Used {
        usage: Usage,
    },
    Ended {
        ending: TurnEnding,
    },
}

impl Turn {
    /// Folds one event in.
    pub fn apply(&mut self, event: TurnEvent) {
        match event {
            TurnEvent::Text { text: more } => match self.items.last_mut() {
                Some(TurnItem::Text { text }) => text.push_str(&more),
                _ => self.items.push(TurnItem::Text { text: more }),
            },
            TurnEvent::ToolCalled {
                id,
                name,
                arguments,
            } => self.items.push(TurnItem::Tool {
                id,
                name,
                arguments,
                answer: None,
            }),
            TurnEvent::ToolAnswered {
                id: of,
                answer: new,
            } => {
                // The newest with this name that has none yet: ids are the model's, and may repeat.
                let waiting = self.items.iter_mut().rev().find_map(|item| match item {
                    TurnItem::Tool { id, answer, .. } if *id == of && answer.is_none() => {
                        Some(answer)
                    }
                    _ => None,
                });
                if let Some(answer) = waiting {
                    *answer = Some(new);
                }
            }
            TurnEvent::Proposed { approval, line } => {
                self.items.push(TurnItem::Proposed { approval, line });
            }
            TurnEvent::Refused { what, why } => self.items.push(TurnItem::Refused { what, why }),
            TurnEvent::Notice { text } => self.items.push(TurnItem::Notice { text }),
            TurnEvent::Model { name } => self.model = Some(name),
            TurnEvent::Used { usage } => {
                let so_far = self.usage.get_or_insert_default();
                so_far.input = so_far.input.saturating_add(usage.input);
                so_far.output = so_far.output.saturating_add(usage.output);
            }
            TurnEvent::Ended { ending } => self.ending = Some(ending),
        }
    }

    /// All that was said, as markdown.
    pub fn said(&self) -> String {
        let texts = self.items.iter().filter_map(|item| match item {
            TurnItem::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }
}

/// What a page that follows the desk is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeskFrame {
    /// Everything there is, oldest first; replaces what was known.
    All {
        turns: Vec<Turn>,
    },
    Began {
        turn: Box<Turn>,
    },
    Told {
        turn: TurnId,
        event: TurnEvent,
    },
    /// A sign of life.
    Alive,
}

/// Folds a frame into the turns a page shows.
pub fn fold_desk(turns: &mut Vec<Turn>, frame: DeskFrame) {
    match frame {
        DeskFrame::All { turns: all } => *turns = all,
        DeskFrame::Began { turn } => turns.push(*turn),
        DeskFrame::Told { turn: of, event } => {
            if let Some(turn) = turns.iter_mut().rev().find(|turn| turn.id == of) {
                turn.apply(event);
            }
        }
        DeskFrame::Alive => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn() -> Turn {
        Turn {
            id: TurnId(1),
            assistant: AssistantId::Endpoint,
            question: "why?".to_owned(),
            parts: vec![],
            model: None,
            asked: UnixMillis(0),
            items: vec![],
            usage: None,
            ending: None,
        }
    }

    fn text(text: &str) -> TurnEvent {
        TurnEvent::Text {
            text: text.to_owned(),
        }
    }

    fn called(id: &str) -> TurnEvent {
        TurnEvent::ToolCalled {
            id: id.to_owned(),
            name: "logs".to_owned(),
            arguments: "{}".to_owned(),
        }
    }

    fn answered(id: &str, said: &str) -> TurnEvent {
        TurnEvent::ToolAnswered {
            id: id.to_owned(),
            answer: ToolAnswer {
                text: said.to_owned(),
                failed: false,
            },
        }
    }

    #[test]
    fn text_grows_until_something_else_comes() {
        let mut turn = turn();
        for event in [text("a"), text("b"), called("1"), text("c")] {
            turn.apply(event);
        }
        assert_eq!(turn.items.len(), 3);
        assert_eq!(turn.said(), "ab\n\nc");
    }

    #[test]
    fn answers_find_their_tools_though_a_model_repeats_an_id() {
        let mut turn = turn();
        for event in [
            called("1"),
            answered("1", "first"),
            called("1"),
            answered("1", "second"),
            answered("none", "lost"),
        ] {
            turn.apply(event);
        }
        let said: Vec<_> = turn
            .items
            .iter()
            .map(|item| match item {
                TurnItem::Tool { answer, .. } => answer.as_ref().map(|answer| &*answer.text),
                _ => None,
            })
            .collect();
        assert_eq!(said, [Some("first"), Some("second")]);
    }

    #[test]
    fn a_page_that_comes_late_sees_the_same() {
        let mut early = vec![];
        let frames = [
            DeskFrame::Began {
                turn: Box::new(turn()),
            },
            DeskFrame::Told {
                turn: TurnId(1),
                event: text("x"),
            },
            DeskFrame::Alive,
            DeskFrame::Told {
                turn: TurnId(9),
                event: text("nobody's"),
            },
        ];
        for frame in frames {
            fold_desk(&mut early, frame);
        }
        let mut late = vec![turn()];
        fold_desk(
            &mut late,
            DeskFrame::All {
                turns: early.clone(),
            },
        );
        assert_eq!(early, late);
        assert_eq!(late[0].said(), "x");
    }
}
