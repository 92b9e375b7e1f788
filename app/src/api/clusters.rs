//! Wishes of the cluster picker.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ClusterChoice, ContextName, Failure, GoingRuns};

/// Starts to use a cluster.
#[server(prefix = "/api", endpoint = "clusters/use", input = Json, output = Json, client = PanelClient)]
pub async fn use_cluster(choice: ClusterChoice, going: GoingRuns) -> Result<(), Failure> {
    super::ports()?.clusters.use_cluster(choice, going).await
}

/// Allows changes on a cluster that is not on this machine, by its typed name.
#[server(prefix = "/api", endpoint = "clusters/allow", input = Json, output = Json, client = PanelClient)]
pub async fn allow_changes(context: ContextName, typed_name: String) -> Result<(), Failure> {
    super::ports()?
        .clusters
        .allow_changes(context, typed_name)
        .await
}

/// Takes that back.
#[server(prefix = "/api", endpoint = "clusters/forget", input = Json, output = Json, client = PanelClient)]
pub async fn forget_allowance(context: ContextName) -> Result<(), Failure> {
    super::ports()?.clusters.forget_allowance(context).await
}

/// Reads the kubeconfig again and asks the clusters.
#[server(prefix = "/api", endpoint = "clusters/look", input = Json, output = Json, client = PanelClient)]
pub async fn look_again() -> Result<(), Failure> {
    super::ports()?.clusters.look_again().await
}
