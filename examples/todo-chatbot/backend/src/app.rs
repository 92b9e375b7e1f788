//! The routes and what they share.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{get, patch, post},
};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::{
    chat::{self, Assistant},
    config::Config,
    errors::ApiError,
    health::{self, Draining},
    metrics::{self, Metrics},
    requests,
    store::Store,
    todos,
    visitors::{self, Signer, Visitor},
};

/// Shared by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// Todos and conversations.
    pub store: Store,
    /// The chat provider, or the reason there is none.
    pub assistant: Arc<Assistant>,
    /// Visitor tokens.
    pub signer: Signer,
    /// Turns with the assistant that are under way.
    pub turns: TaskTracker,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Set when the process is told to stop.
    pub draining: Arc<Draining>,
}

impl App {
    /// Opens the store (in the background) and prepares the assistant.
    pub fn new(config: &Config) -> Self {
        Self {
            store: Store::open(config.database.clone()),
            assistant: Arc::new(Assistant::new(&config.assistant)),
            signer: Signer::new(config.auth_secret.clone()),
            turns: TaskTracker::new(),
            metrics: Arc::default(),
            draining: Arc::default(),
        }
    }

    /// The whole HTTP surface.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health", get(health::health))
            .route("/ready", get(health::ready))
            .route("/metrics", get(metrics::show))
            .route("/api/session", post(visitors::create))
            .route("/api/board", get(board))
            .route("/api/todos", get(todos::list).post(todos::add))
            .route(
                "/api/todos/{id}",
                patch(todos::change).delete(todos::delete),
            )
            .route("/api/chat", post(chat::endpoint::chat))
            .route("/api/chat/stream", post(chat::endpoint::stream))
            .route(
                "/api/conversation",
                get(chat::endpoint::conversation).delete(chat::endpoint::forget),
            )
            .layer(DefaultBodyLimit::max(64 * 1024))
            .layer(middleware::from_fn_with_state(
                self.clone(),
                requests::identify,
            ))
            .with_state(self.clone())
    }
}

/// `GET /api/board`: all that a page shows, in one answer.
async fn board(State(app): State<App>, visitor: Visitor) -> Result<Json<Value>, ApiError> {
    let todos = app.store.todos(&visitor).await?;
    let conversation = app.store.conversation(&visitor).await?;
    Ok(Json(json!({
        "name": app.store.name_of(&visitor).await?,
        "assistant": app.assistant.state(),
        "todos": todos,
        "conversation": conversation,
    })))
}
