//! The stylesheet and the script, inside the binary.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const CSS: &str = include_str!("../assets/todo.css");
const JS: &str = include_str!("../assets/todo.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// A page asks again on each visit, so a new version is seen at once.
const REVALIDATE: &str = "no-cache";

fn asset(content_type: &'static str, text: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, content_type),
            (header::CACHE_CONTROL, REVALIDATE),
        ],
        text,
    )
        .into_response()
}

/// `GET /assets/todo.css`
pub async fn css() -> Response {
    asset("text/css; charset=utf-8", CSS)
}

/// `GET /assets/todo.js`
pub async fn js() -> Response {
    asset("text/javascript; charset=utf-8", JS)
}

/// `GET /assets/icon.svg`
pub async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}
