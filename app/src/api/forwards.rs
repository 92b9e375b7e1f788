//! Wishes about ports of this machine that lead into the cluster.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, ForwardView};

/// Opens a port of this machine to a Service's port, or answers with the one that is open.
#[server(prefix = "/api", endpoint = "forwards/open", input = Json, output = Json, client = PanelClient)]
pub async fn open_forward(service: String, port: u16) -> Result<ForwardView, Failure> {
    super::ports()?.forwards.open(service, port).await
}

/// Closes it, and every connection through it.
#[server(prefix = "/api", endpoint = "forwards/close", input = Json, output = Json, client = PanelClient)]
pub async fn close_forward(service: String, port: u16) -> Result<(), Failure> {
    super::ports()?.forwards.close(service, port).await
}
