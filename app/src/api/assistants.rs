//! Questions about what an assistant would be told.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ContextPack, Failure};

/// Everything an assistant could be told now, redacted; nothing is sent anywhere.
#[server(prefix = "/api", endpoint = "assistants/pack", input = Json, output = Json, client = PanelClient)]
pub async fn read_pack() -> Result<ContextPack, Failure> {
    super::ports()?.assistants.pack().await
}
