//! Questions of the Live page. Logs that are followed are no server function: see `live::follow`.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, LogFile, LogWish, Timeline, UnixMillis};

/// The whole logs that fit a wish, as one text.
#[server(prefix = "/api", endpoint = "live/log-file", input = Json, output = Json, client = PanelClient)]
pub async fn whole_log(wish: LogWish) -> Result<LogFile, Failure> {
    super::ports()?.live.log_file(wish).await
}

/// What was recorded of the cluster in use between two moments.
#[server(prefix = "/api", endpoint = "live/timeline", input = Json, output = Json, client = PanelClient)]
pub async fn read_timeline(from: UnixMillis, to: UnixMillis) -> Result<Timeline, Failure> {
    super::ports()?.live.timeline(from, to).await
}
