//! Wishes about terminals. What they show is no server function: see `live::follow`.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, TerminalId, TerminalPlace, TerminalSize, TypedText};

/// Begins a session, or answers with the one there is.
#[server(prefix = "/api", endpoint = "terminals/open", input = Json, output = Json, client = PanelClient)]
pub async fn open_terminal(
    place: TerminalPlace,
    size: TerminalSize,
) -> Result<TerminalId, Failure> {
    super::ports()?.terminals.open(place, size).await
}

/// Types into a session, exactly these characters.
#[server(prefix = "/api", endpoint = "terminals/type", input = Json, output = Json, client = PanelClient)]
pub async fn type_in(id: TerminalId, text: TypedText) -> Result<(), Failure> {
    super::ports()?.terminals.type_in(id, text).await
}

#[server(prefix = "/api", endpoint = "terminals/resize", input = Json, output = Json, client = PanelClient)]
pub async fn resize_terminal(id: TerminalId, size: TerminalSize) -> Result<(), Failure> {
    super::ports()?.terminals.resize(id, size).await
}

/// Ends a session with everything that runs in it.
#[server(prefix = "/api", endpoint = "terminals/close", input = Json, output = Json, client = PanelClient)]
pub async fn close_terminal(id: TerminalId) -> Result<(), Failure> {
    super::ports()?.terminals.close(id).await
}
