//! Wishes about the link for viewers on the network.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, ShareLink};

/// Opens a new link; a former one ends with it.
#[server(prefix = "/api", endpoint = "share/open", input = Json, output = Json, client = PanelClient)]
pub async fn open_share() -> Result<ShareLink, Failure> {
    super::ports()?.sharing.open().await
}

/// The link that is open, if one is.
#[server(prefix = "/api", endpoint = "share/link", input = Json, output = Json, client = PanelClient)]
pub async fn read_share() -> Result<Option<ShareLink>, Failure> {
    super::ports()?.sharing.link().await
}

/// Ends the link: whoever watches through it is cut off at once.
#[server(prefix = "/api", endpoint = "share/revoke", input = Json, output = Json, client = PanelClient)]
pub async fn revoke_share() -> Result<(), Failure> {
    super::ports()?.sharing.revoke().await
}
