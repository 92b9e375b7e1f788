//! The log (one JSON object per line), one id and one line per request, and the guard that
//! keeps other sites from using a visitor's cookie.

use std::{fmt::Write as _, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// The header that carries the request id, in and out.
pub const REQUEST_ID: &str = "x-request-id";

/// Nothing foreign is loaded, and nothing inline is run.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Id of the request under way, for calls to the backend.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Starts the log. `filter` is `info` or `info,hyper=warn`; one that cannot be read becomes `info`.
pub fn start_log(filter: &str) {
    let parsed = filter.parse::<Targets>();
    let unreadable = parsed.is_err();
    let targets = parsed.unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    // A second call (several servers in one test process) changes nothing.
    let started = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
    if started.is_ok() && unreadable {
        tracing::warn!("RUST_LOG could not be read, using info");
    }
}

/// Middleware: runs the request in a span with its id, then logs how it ended.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        .map_or_else(new_id, str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request_id = %id);
    let started = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Probes ask every few seconds and would drown everything else.
        if route == "/health" {
            tracing::debug!(%method, route, status, took_ms, "request finished");
        } else {
            tracing::info!(%method, route, status, took_ms, "request finished");
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Middleware: a change that a browser says comes from another site or port is refused.
/// `SameSite` alone is not enough, because it takes all ports of a host for one site.
pub async fn guard(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let from = request
        .headers()
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if !reads && from.is_some_and(|from| !matches!(from, "same-origin" | "none")) {
        return (
            StatusCode::FORBIDDEN,
            "This change was asked for by another site.",
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn new_id() -> String {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return "none".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
