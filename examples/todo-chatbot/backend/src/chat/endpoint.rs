//! `POST /api/chat` and the conversation around it.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::turn;
use crate::{
    app::App, errors::ApiError, store::conversation::Role, todos::body, visitors::Visitor,
};

const MAX_MESSAGE: usize = 2000;

/// Said instead of an answer when there is no key.
const OFFLINE: &str = "The assistant is offline: this app has no OpenAI key (OPENAI_API_KEY). \
    Your todos work all the same, with the form and the boxes of the list.";

/// Body of `POST /api/chat`.
#[derive(Debug, Deserialize)]
pub struct Said {
    message: String,
}

/// Answers 200 with `assistant` = `online`, `offline` (no key) or `failed` (`problem` says why):
/// a provider in trouble is news to show in the conversation, not a broken request.
pub async fn chat(
    State(app): State<App>,
    visitor: Visitor,
    said: Result<Json<Said>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let said = body(said)?;
    let message = said.message.trim();
    match message.chars().count() {
        0 => return Err(ApiError::Invalid("say something first".to_owned())),
        1..=MAX_MESSAGE => {}
        _ => {
            return Err(ApiError::Invalid(
                "a message has at most 2000 characters".to_owned(),
            ));
        }
    }
    app.store
        .remember(&visitor, Role::User, message, &[])
        .await?;

    let Some(provider) = &app.assistant.provider else {
        app.store
            .remember(&visitor, Role::Notice, OFFLINE, &[])
            .await?;
        let todos = app.store.todos(&visitor).await?;
        return Ok(Json(json!({
            "assistant": "offline", "reply": OFFLINE, "actions": [], "todos": todos
        })));
    };

    let conversation = app.store.conversation(&visitor).await?;
    let turn = turn::run(provider, &app.store, &visitor, &conversation).await?;
    let (assistant, role, reply, problem) = match turn.outcome {
        Ok(reply) => ("online", Role::Assistant, reply, Value::Null),
        Err(problem) => {
            let told = json!({"code": problem.code(), "message": problem.to_string()});
            ("failed", Role::Notice, problem.to_string(), told)
        }
    };
    app.store
        .remember(&visitor, role, &reply, &turn.actions)
        .await?;
    let todos = app.store.todos(&visitor).await?;
    Ok(Json(json!({
        "assistant": assistant,
        "reply": reply,
        "problem": problem,
        "actions": turn.actions,
        "todos": todos,
    })))
}

/// `GET /api/conversation`
pub async fn conversation(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(
        json!({"conversation": app.store.conversation(&visitor).await?}),
    ))
}

/// `DELETE /api/conversation`
pub async fn forget(State(app): State<App>, visitor: Visitor) -> Result<StatusCode, ApiError> {
    app.store.forget(&visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}
