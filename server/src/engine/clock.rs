//! The wall clock, for what people read. Every deadline uses tokio's monotonic clock instead.

use std::time::{SystemTime, UNIX_EPOCH};

use app::model::UnixMillis;

/// The time now, by this machine's wall clock.
pub fn now() -> UnixMillis {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
