//! `POST /api/chat`, the same as a stream of events, and the conversation around it.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::turn::{self, News};
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

/// What a turn sends while it goes on, and once at its end.
enum Sent {
    News(News),
    End(Result<Value, ApiError>),
}

/// Answers 200 with `assistant` = `online`, `offline` (no key) or `failed` (`problem` says why):
/// a provider in trouble is news to show in the conversation, not a broken request.
pub async fn chat(
    State(app): State<App>,
    visitor: Visitor,
    said: Result<Json<Said>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let mut turn = start(app, visitor, said)?;
    while let Some(sent) = turn.recv().await {
        if let Sent::End(answer) = sent {
            return answer.map(Json);
        }
    }
    Err(ApiError::Interrupted)
}

/// `POST /api/chat/stream`: the same turn as server-sent events. `text` brings the next words,
/// `again` takes back what was said so far, `todos` brings the list after each change, and `end`
/// is what `POST /api/chat` would have answered, or `error`.
pub async fn stream(
    State(app): State<App>,
    visitor: Visitor,
    said: Result<Json<Said>, JsonRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let turn = start(app.clone(), visitor.clone(), said)?;
    let sent = stream::unfold(turn, |mut turn| async move {
        turn.recv().await.map(|sent| (sent, turn))
    });
    let events = sent.filter_map(move |sent| {
        let (app, visitor) = (app.clone(), visitor.clone());
        async move { event(&app, &visitor, sent).await.map(Ok) }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

async fn event(app: &App, visitor: &Visitor, sent: Sent) -> Option<Event> {
    let (name, data) = match sent {
        Sent::News(News::Text(text)) => ("text", json!({"text": text})),
        Sent::News(News::Again) => ("again", json!({})),
        Sent::News(News::Changed(action)) => {
            // The end brings the list as well, so a failure here costs nothing.
            let todos = app.store.todos(visitor).await.ok()?;
            ("todos", json!({"action": action, "todos": todos}))
        }
        Sent::End(Ok(answer)) => ("end", answer),
        Sent::End(Err(error)) => ("error", error.told()),
    };
    Event::default().event(name).json_data(data).ok()
}

/// Starts a turn of its own: a visitor who goes away meanwhile finds the answer on return, and a
/// server that is told to stop waits for it.
fn start(
    app: App,
    visitor: Visitor,
    said: Result<Json<Said>, JsonRejection>,
) -> Result<mpsc::UnboundedReceiver<Sent>, ApiError> {
    let said = body(said)?;
    let message = said.message.trim().to_owned();
    match message.chars().count() {
        0 => return Err(ApiError::Invalid("say something first".to_owned())),
        1..=MAX_MESSAGE => {}
        _ => {
            return Err(ApiError::Invalid(
                "a message has at most 2000 characters".to_owned(),
            ));
        }
    }
    // Bounded by the limits of a turn.
    let (send, receive) = mpsc::unbounded_channel();
    let turns = app.turns.clone();
    let work = async move {
        let news = send.clone();
        let mut tell = move |piece| {
            // Nobody may be listening any more; the turn goes on all the same.
            let _ = news.send(Sent::News(piece));
        };
        let answer = converse(&app, &visitor, &message, &mut tell).await;
        let _ = send.send(Sent::End(answer));
    };
    turns.spawn(work.in_current_span());
    Ok(receive)
}

/// One message and its answer, both written down.
async fn converse(
    app: &App,
    visitor: &Visitor,
    message: &str,
    news: &mut (dyn FnMut(News) + Send),
) -> Result<Value, ApiError> {
    app.store
        .remember(visitor, Role::User, message, &[])
        .await?;

    let Some(provider) = &app.assistant.provider else {
        app.metrics.turn("offline");
        app.store
            .remember(visitor, Role::Notice, OFFLINE, &[])
            .await?;
        let todos = app.store.todos(visitor).await?;
        return Ok(json!({
            "assistant": "offline", "reply": OFFLINE, "actions": [], "todos": todos
        }));
    };

    let conversation = app.store.conversation(visitor).await?;
    let turn = turn::run(provider, &app.store, visitor, &conversation, news).await?;
    let (assistant, role, reply, problem) = match turn.outcome {
        Ok(reply) => ("online", Role::Assistant, reply, Value::Null),
        Err(problem) => {
            let told = json!({"code": problem.code(), "message": problem.to_string()});
            ("failed", Role::Notice, problem.to_string(), told)
        }
    };
    app.metrics.turn(assistant);
    app.store
        .remember(visitor, role, &reply, &turn.actions)
        .await?;
    let todos = app.store.todos(visitor).await?;
    Ok(json!({
        "assistant": assistant,
        "reply": reply,
        "problem": problem,
        "actions": turn.actions,
        "todos": todos,
    }))
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
