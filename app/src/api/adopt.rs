//! Wishes of the page that adopts a folder.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{AdoptPreview, AdoptWish, Failure, Written};

/// The port of this request; it is there before the project is, and only then.
#[cfg(feature = "ssr")]
fn adopter() -> Result<std::sync::Arc<dyn crate::ports::Adopter>, Failure> {
    use_context().ok_or_else(|| Failure::Transport("there is nothing to adopt".to_owned()))
}

/// Looks at the folder again.
#[server(prefix = "/api", endpoint = "adopt/look", input = Json, output = Json, client = PanelClient)]
pub async fn look_at_folder() -> Result<(), Failure> {
    adopter()?.look().await
}

/// What a yes would write.
#[server(prefix = "/api", endpoint = "adopt/preview", input = Json, output = Json, client = PanelClient)]
pub async fn preview_adoption(wish: AdoptWish) -> Result<AdoptPreview, Failure> {
    adopter()?.preview(wish).await
}

/// Writes what the preview of this hash showed.
#[server(prefix = "/api", endpoint = "adopt/write", input = Json, output = Json, client = PanelClient)]
pub async fn write_adoption(wish: AdoptWish, hash: String) -> Result<Written, Failure> {
    adopter()?.write(wish, hash).await
}
