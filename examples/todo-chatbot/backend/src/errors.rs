//! What a client is told when a request cannot be served: a stable code and a plain sentence.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::store::DatabaseProblem;

/// A request that was not served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The visitor token is missing, or signed with another secret.
    #[error("this visitor's session is missing or no longer valid; ask for a new one")]
    NoSession,
    /// The todo does not exist, or is another visitor's.
    #[error("there is no such todo")]
    NotFound,
    /// The request makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The database did not do its part.
    #[error("{0}")]
    Database(#[from] DatabaseProblem),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::NotFound => "not_found",
            Self::Invalid(_) => "invalid",
            Self::Database(_) => "database_unavailable",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Database(problem) = &self {
            tracing::warn!(code = problem.code(), "a request failed: {problem}");
        }
        let body = json!({"error": {"code": self.code(), "message": self.to_string()}});
        (self.status(), Json(body)).into_response()
    }
}
