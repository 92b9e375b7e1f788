//! The routes and what they share.

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, post},
};
use serde_json::{Value, json};

use crate::{actions, assets, backend::Backend, config::Config, proxy, requests};

/// Shared by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The one place all data comes from.
    pub backend: Backend,
}

impl App {
    /// Reaches for nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            backend: Backend::new(config),
        }
    }

    /// The whole HTTP surface.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(actions::home))
            .route("/todos", post(actions::todos))
            .route("/chat", post(actions::chat))
            .route("/chat/stream", post(actions::chat_stream))
            .route("/session", post(actions::session))
            .route("/api/{*path}", any(proxy::forward))
            .route("/health", get(health))
            .route("/assets/todo.css", get(assets::css))
            .route("/assets/todo.js", get(assets::js))
            .route("/assets/icon.svg", get(assets::icon))
            .route("/favicon.ico", get(assets::icon))
            .layer(DefaultBodyLimit::max(64 * 1024))
            .layer(middleware::from_fn(requests::guard))
            .layer(middleware::from_fn(requests::identify))
            .with_state(self.clone())
    }
}

/// `GET /health`: the frontend itself, not its backend.
async fn health() -> Json<Value> {
    Json(json!({"status": "alive"}))
}
