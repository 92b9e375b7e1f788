//! What a client is told when a request cannot be served: a stable code and a plain sentence.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::store::DatabaseProblem;

/// A request that was not served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The visitor token is missing, or signed with another secret.
    #[error("this visitor's session is missing or no longer valid; ask for a new one")]
    NoSession,
    /// The name belongs to somebody with another PIN.
    #[error("this name is taken, and the PIN is not the right one for it")]
    WrongPin,
    /// Too many wrong PINs for one name.
    #[error("too many wrong PINs for this name; wait a minute and try again")]
    TooManyTries,
    /// The todo does not exist, or is another visitor's.
    #[error("there is no such todo")]
    NotFound,
    /// The request makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The work ended without an answer, because the server is going.
    #[error("the server stopped before it had answered; try again")]
    Interrupted,
    /// The system gave no random numbers.
    #[error("no session could be made")]
    NoRandomness,
    /// The database did not do its part.
    #[error("{0}")]
    Database(#[from] DatabaseProblem),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::WrongPin => StatusCode::FORBIDDEN,
            Self::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Interrupted | Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::WrongPin => "wrong_pin",
            Self::TooManyTries => "too_many_tries",
            Self::Interrupted => "interrupted",
            Self::NoRandomness => "internal",
            Self::NotFound => "not_found",
            Self::Invalid(_) => "invalid",
            Self::Database(_) => "database_unavailable",
        }
    }
}

impl ApiError {
    /// What the client is told.
    pub fn told(&self) -> Value {
        json!({"error": {"code": self.code(), "message": self.to_string()}})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Database(problem) = &self {
            tracing::warn!(code = problem.code(), "a request failed: {problem}");
        }
        (self.status(), Json(self.told())).into_response()
    }
}
