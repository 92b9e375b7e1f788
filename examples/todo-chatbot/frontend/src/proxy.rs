//! `/api/*` for scripts and other clients: passed on to the backend with the visitor's token.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    app::App,
    backend::{Asking, BackendError},
    cookie,
    requests::Trace,
};

/// Passes a request on. The token comes from the cookie only; without one it answers 401, because
/// a cookie set for `/api` would not be the page's.
pub async fn forward(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'));
    // Whole answers only; the page has a way of its own to the stream.
    if !plain || matches!(path.as_str(), "session" | "chat/stream") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(token) = cookie::read(&headers) else {
        return failed(&BackendError::NoSession);
    };
    let asking = Asking {
        token: Some(&token),
        trace: &trace,
    };
    match app
        .backend
        .exchange(asking, method, &format!("/api/{path}"), body)
        .await
    {
        Ok((status, headers, bytes)) => {
            let mut response = (status, bytes).into_response();
            match headers.get(header::CONTENT_TYPE) {
                Some(kind) => response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, kind.clone()),
                None => response.headers_mut().remove(header::CONTENT_TYPE),
            };
            response
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &BackendError) -> Response {
    let code = match error {
        BackendError::Unreachable => "backend_unreachable",
        BackendError::Slow => "backend_slow",
        BackendError::NoSession => "no_session",
        BackendError::Said { .. } | BackendError::Strange => "backend_error",
    };
    let body = json!({"error": {"code": code, "message": error.message()}});
    (error.status(), Json(body)).into_response()
}
