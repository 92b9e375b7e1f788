//! Wishes of the Images page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ComponentName, Failure, RunId};

/// Builds these components (all when empty) and proves them in the cluster.
#[server(prefix = "/api", endpoint = "images/build", input = Json, output = Json, client = PanelClient)]
pub async fn build_images(components: Vec<ComponentName>) -> Result<RunId, Failure> {
    super::ports()?.images.build(components).await
}
