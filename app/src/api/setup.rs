//! Wishes of the Setup page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ClusterChoice, Failure};

/// Starts to use a cluster. A remote one needs its name typed, once.
#[server(prefix = "/api", endpoint = "setup/use-cluster", input = Json, output = Json, client = PanelClient)]
pub async fn use_cluster(choice: ClusterChoice, typed_name: Option<String>) -> Result<(), Failure> {
    super::ports()?.setup.use_cluster(choice, typed_name).await
}

/// Runs all checks again.
#[server(prefix = "/api", endpoint = "setup/recheck", input = Json, output = Json, client = PanelClient)]
pub async fn recheck() -> Result<(), Failure> {
    super::ports()?.setup.recheck().await
}
