//! Questions of the Live page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, LogQuery};

/// The last lines of a container.
#[server(prefix = "/api", endpoint = "live/logs", input = Json, output = Json, client = PanelClient)]
pub async fn container_logs(query: LogQuery) -> Result<Vec<String>, Failure> {
    super::ports()?.live.logs(query).await
}
