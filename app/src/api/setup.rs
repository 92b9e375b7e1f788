//! Wishes of the Setup page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::Failure;

/// Runs all checks again.
#[server(prefix = "/api", endpoint = "setup/recheck", input = Json, output = Json, client = PanelClient)]
pub async fn recheck() -> Result<(), Failure> {
    super::ports()?.setup.recheck().await
}
