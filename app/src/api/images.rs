//! Wishes of the Images page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Builder, ComponentName, Failure, Rebuild, RunId};

/// Builds these components (all when empty) and proves them in the cluster. Without another wish,
/// images of unchanged sources stay as they are.
#[server(prefix = "/api", endpoint = "images/build", input = Json, output = Json, client = PanelClient)]
pub async fn build_images(
    components: Vec<ComponentName>,
    #[server(default)] rebuild: Rebuild,
) -> Result<RunId, Failure> {
    super::ports()?.images.build(components, rebuild).await
}

/// Stops the build of one component; the others go on.
#[server(prefix = "/api", endpoint = "images/cancel", input = Json, output = Json, client = PanelClient)]
pub async fn cancel_build(component: ComponentName) -> Result<(), Failure> {
    super::ports()?.images.cancel_build(component).await
}

/// Builds of this component take this builder from now on.
#[server(prefix = "/api", endpoint = "images/builder", input = Json, output = Json, client = PanelClient)]
pub async fn choose_builder(component: ComponentName, builder: Builder) -> Result<(), Failure> {
    super::ports()?
        .images
        .choose_builder(component, builder)
        .await
}
