//! One log line and one trace id per request; the id is taken from the caller's `traceparent`.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use crate::app::App;

/// Carries the trace in: <https://www.w3.org/TR/trace-context/>.
pub const TRACEPARENT: &str = "traceparent";
/// Carries the trace id out, for a bug report.
pub const REQUEST_ID: &str = "x-request-id";

/// Middleware: runs the request in a span with its trace id, then counts it and logs how it ended.
pub async fn identify(State(app): State<App>, request: Request, next: Next) -> Response {
    let trace_id = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| trace_id(value.to_str().ok()?))
        .map_or_else(random::<16>, str::to_owned);
    let method = request.method().clone();
    // The route's pattern, not the path: ids do not belong in a field one groups by.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", %trace_id, span_id = %random::<8>());
    let started = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let took = started.elapsed();
        app.metrics.request(method.as_str(), &route, status, took);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
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
        // Probes and scrapes ask every few seconds and would drown everything else.
        if matches!(route.as_str(), "/health" | "/ready" | "/metrics") {
            finished!(debug);
        } else {
            finished!(info);
        }
        if let Ok(value) = HeaderValue::from_str(&trace_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The trace id of `00-<32 hexadecimal digits>-<16>-<2>`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let hexadecimal = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let well_formed = version.len() == 2
        && version != "ff"
        && hexadecimal(version)
        && id.len() == 32
        && hexadecimal(id)
        && id.bytes().any(|byte| byte != b'0');
    well_formed.then_some(id)
}

fn random<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    // Without randomness the id is all zeros, which means "no trace" to everybody.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_traceparent_is_taken_over() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for bad in [
            "",
            "00",
            "00-xyz-1-1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
