//! One log line and one trace id per request, and the guard that keeps other sites from using a
//! visitor's cookie.

use std::{fmt::Write as _, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;

/// Carries the trace to the backend.
pub const TRACEPARENT: &str = "traceparent";
/// Carries the trace id out, for a bug report.
const REQUEST_ID: &str = "x-request-id";

/// Nothing foreign is loaded, and nothing inline is run.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The trace of the request under way, for calls to the backend.
#[derive(Clone, Debug)]
pub struct Trace {
    id: String,
    span: String,
}

impl Trace {
    /// The header's value for the next server: <https://www.w3.org/TR/trace-context/>.
    pub fn parent(&self) -> String {
        format!("00-{}-{}-01", self.id, self.span)
    }
}

/// Middleware: runs the request in a span with a new trace id, then logs how it ended. A browser's
/// own trace is not taken over: this is the edge.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let trace = Trace {
        id: random::<16>(),
        span: random::<8>(),
    };
    request.extensions_mut().insert(trace.clone());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", trace_id = %trace.id, span_id = %trace.span);
    let started = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        macro_rules! finished {
            ($level:ident) => {
                tracing::$level!(
                    http.request.method = %method,
                    http.route = route,
                    http.response.status_code = status,
                    took_ms,
                    "request finished"
                )
            };
        }
        // Probes ask every few seconds and would drown everything else.
        if route == "/health" {
            finished!(debug);
        } else {
            finished!(info);
        }
        if let Ok(value) = HeaderValue::from_str(&trace.id) {
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

fn random<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    // Without randomness the id is all zeros, which means "no trace" to everybody.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
