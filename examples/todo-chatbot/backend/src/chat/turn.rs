//! One turn: the model is asked, its tools are run, until it has said its piece.
//! Bounded in rounds, in calls and in time.

use serde_json::{Value, json};

use super::{
    provider::{Answer, Provider, ProviderProblem, ToolCall},
    tools::{self, Action},
};
use crate::{
    errors::ApiError,
    store::{
        Store,
        conversation::{Message, Role},
    },
    visitors::Visitor,
};

const MAX_ROUNDS: usize = 8;
const MAX_CALLS_PER_ROUND: usize = 24;

const INSTRUCTIONS: &str = "You keep one person's todo list. Use the tools for every change and \
    never claim a change that no tool confirmed. Look numbers up with list_todos before you \
    complete, edit or delete. Answer briefly, in the person's language, in plain text without markup.";

/// What happens while a turn is going.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// The model said a bit more.
    Text(String),
    /// What was said so far came before the tools and is not the answer; that begins anew.
    Again,
    /// The list was changed.
    Changed(Action),
}

/// How a turn ended. What was done to the list stays done either way.
pub(super) struct Turn {
    pub(super) actions: Vec<Action>,
    pub(super) outcome: Result<String, ProviderProblem>,
}

/// Runs one turn over the conversation, whose last message is the visitor's.
pub(super) async fn run(
    provider: &Provider,
    store: &Store,
    visitor: &Visitor,
    conversation: &[Message],
    news: &mut (dyn FnMut(News) + Send),
) -> Result<Turn, ApiError> {
    let mut actions = Vec::new();
    let rounds = rounds(provider, store, visitor, conversation, &mut actions, news);
    let outcome = match tokio::time::timeout(provider.turn_deadline(), rounds).await {
        Ok(ended) => ended?,
        Err(_) => Err(ProviderProblem::Timeout),
    };
    Ok(Turn { actions, outcome })
}

async fn rounds(
    provider: &Provider,
    store: &Store,
    visitor: &Visitor,
    conversation: &[Message],
    actions: &mut Vec<Action>,
    news: &mut (dyn FnMut(News) + Send),
) -> Result<Result<String, ProviderProblem>, ApiError> {
    let described = tools::described();
    let mut messages = vec![json!({"role": "system", "content": INSTRUCTIONS})];
    messages.extend(conversation.iter().filter_map(reminder));
    for _ in 0..MAX_ROUNDS {
        let say = |text: &str| news(News::Text(text.to_owned()));
        let answer = match provider.complete(&messages, &described, say).await {
            Ok(answer) => answer,
            Err(problem) => return Ok(Err(problem)),
        };
        let calls = answer.tool_calls.as_deref().unwrap_or_default();
        if calls.is_empty() {
            let text = answer.content.as_deref().unwrap_or_default().trim();
            return Ok(match text {
                "" => Err(ProviderProblem::Malformed),
                text => Ok(text.to_owned()),
            });
        }
        messages.push(spoken(&answer, calls));
        if answer.content.is_some() {
            news(News::Again);
        }
        for (index, call) in calls.iter().enumerate() {
            let result = if index < MAX_CALLS_PER_ROUND {
                let function = &call.function;
                let (result, action) =
                    tools::run(store, visitor, &function.name, &function.arguments).await?;
                tracing::info!(
                    gen_ai.tool.name = function.name,
                    changed = action.is_some(),
                    "a tool was run"
                );
                if let Some(action) = action {
                    news(News::Changed(action.clone()));
                    actions.push(action);
                }
                result
            } else {
                json!({"error": "too many calls at once; ask again in the next round"})
            };
            messages.push(json!({
                "role": "tool", "tool_call_id": call.id, "content": result.to_string()
            }));
        }
    }
    Ok(Err(ProviderProblem::NoEnd))
}

/// Notices are ours, the model never hears of them.
fn reminder(message: &Message) -> Option<Value> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Notice => return None,
    };
    Some(json!({"role": role, "content": message.content}))
}

/// The model's own message, said back to it before the results.
fn spoken(answer: &Answer, calls: &[ToolCall]) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function", "function": {
                "name": call.function.name, "arguments": call.function.arguments
            }})
        })
        .collect();
    json!({"role": "assistant", "content": answer.content, "tool_calls": calls})
}
