//! Structured logs: one JSON object per line on stdout, filtered by `RUST_LOG`.

use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts the log. `filter` is `info` or `info,sqlx=warn`; one that cannot be read becomes `info`.
pub fn start(filter: &str) {
    let parsed = filter.parse::<Targets>();
    let unreadable = parsed.is_err();
    let targets = parsed
        .unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO))
        // A connect parameter that sqlx does not know is printed by it with its value.
        .with_target("sqlx_postgres::options", tracing::Level::ERROR);
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
