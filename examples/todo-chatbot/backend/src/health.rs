//! Probes: `/health` says the process lives, `/ready` says it can do its work.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use crate::app::App;

/// Whether the server is on its way out; readiness turns red first, so no new work arrives.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    /// From now on `/ready` answers 503.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// `GET /health`: no dependencies, so a broken database never restarts the pod.
pub async fn health() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// `GET /ready`: asks the database and names what is wrong, never with a secret value.
pub async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    if app.draining.has_begun() {
        let body = json!({"status": "draining", "problems": []});
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    }
    let assistant = app.assistant.state();
    match app.store.check().await {
        Ok(()) => {
            let body = json!({"status": "ready", "database": "ok", "assistant": assistant});
            (StatusCode::OK, Json(body))
        }
        Err(problem) => {
            tracing::warn!(code = problem.code(), "not ready: {problem}");
            let problem = json!({
                "check": "database",
                "setting": "DATABASE_URL",
                "code": problem.code(),
                "message": problem.to_string(),
            });
            let body = json!({"status": "not ready", "problems": [problem]});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
