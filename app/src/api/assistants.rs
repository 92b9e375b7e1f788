//! Questions to assistants, and about what they are told.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{
    AssistantSetting, ContextPack, Desk, Failure, Outgoing, PromptIdea, Question, TerminalId,
    TerminalSize, TurnId,
};

/// Everything an assistant could be told now, redacted; nothing is sent anywhere.
#[server(prefix = "/api", endpoint = "assistants/pack", input = Json, output = Json, client = PanelClient)]
pub async fn read_pack() -> Result<ContextPack, Failure> {
    super::ports()?.assistants.pack().await
}

/// Who can be asked, and how they stand at this moment.
#[server(prefix = "/api", endpoint = "assistants/desk", input = Json, output = Json, client = PanelClient)]
pub async fn read_desk() -> Result<Desk, Failure> {
    super::ports()?.assistants.desk().await
}

/// Keeps choices, and a key in memory only.
#[server(prefix = "/api", endpoint = "assistants/configure", input = Json, output = Json, client = PanelClient)]
pub async fn configure_assistant(setting: AssistantSetting) -> Result<(), Failure> {
    super::ports()?.assistants.configure(setting).await
}

/// What would be sent, word by word; nothing is.
#[server(prefix = "/api", endpoint = "assistants/preview", input = Json, output = Json, client = PanelClient)]
pub async fn preview_question(question: Question) -> Result<Outgoing, Failure> {
    super::ports()?.assistants.preview(question).await
}

/// Sends a question. The first one to a cloud names what was seen, by its hash.
#[server(prefix = "/api", endpoint = "assistants/ask", input = Json, output = Json, client = PanelClient)]
pub async fn ask_assistant(question: Question, seen: Option<String>) -> Result<TurnId, Failure> {
    super::ports()?.assistants.ask(question, seen).await
}

/// Starts one that answers in a terminal only. The text is named by its hash, as it was seen.
#[server(prefix = "/api", endpoint = "assistants/open-terminal", input = Json, output = Json, client = PanelClient)]
pub async fn open_assistant_terminal(
    question: Question,
    seen: String,
    size: TerminalSize,
) -> Result<TerminalId, Failure> {
    let assistants = super::ports()?.assistants;
    assistants.open_terminal(question, seen, size).await
}

#[server(prefix = "/api", endpoint = "assistants/stop", input = Json, output = Json, client = PanelClient)]
pub async fn stop_answer(turn: TurnId) -> Result<(), Failure> {
    super::ports()?.assistants.stop(turn).await
}

/// Ends the conversation.
#[server(prefix = "/api", endpoint = "assistants/forget", input = Json, output = Json, client = PanelClient)]
pub async fn forget_conversation() -> Result<(), Failure> {
    super::ports()?.assistants.forget().await
}

/// Saves a prompt for this project.
#[server(prefix = "/api", endpoint = "assistants/save-prompt", input = Json, output = Json, client = PanelClient)]
pub async fn save_prompt(idea: PromptIdea) -> Result<(), Failure> {
    super::ports()?.assistants.save_prompt(idea).await
}

#[server(prefix = "/api", endpoint = "assistants/remove-prompt", input = Json, output = Json, client = PanelClient)]
pub async fn remove_prompt(title: String) -> Result<(), Failure> {
    super::ports()?.assistants.remove_prompt(title).await
}

/// Applies Slipway's own agent for kagent, which only looks; `shown` is the manifest that was read.
#[server(prefix = "/api", endpoint = "assistants/apply-agent", input = Json, output = Json, client = PanelClient)]
pub async fn apply_agent(shown: String) -> Result<(), Failure> {
    super::ports()?.assistants.apply_agent(shown).await
}

/// Removes it again.
#[server(prefix = "/api", endpoint = "assistants/remove-agent", input = Json, output = Json, client = PanelClient)]
pub async fn remove_agent() -> Result<(), Failure> {
    super::ports()?.assistants.remove_agent().await
}
