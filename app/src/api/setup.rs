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

/// Mutes a check, or lets it speak again.
#[server(prefix = "/api", endpoint = "setup/mute", input = Json, output = Json, client = PanelClient)]
pub async fn mute_check(check: String, muted: bool) -> Result<(), Failure> {
    super::ports()?.setup.mute(check, muted).await
}
