//! Wishes about minikube's profiles.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, NewCluster, ProfileAct, ProfileName, RunId};

/// Makes a new cluster and then uses it.
#[server(prefix = "/api", endpoint = "minikube/create", input = Json, output = Json, client = PanelClient)]
pub async fn create_cluster(new: NewCluster) -> Result<RunId, Failure> {
    super::ports()?.minikube.create(new).await
}

/// Starts, stops, pauses, unpauses, deletes or repairs a profile.
#[server(prefix = "/api", endpoint = "minikube/act", input = Json, output = Json, client = PanelClient)]
pub async fn act_on_profile(act: ProfileAct, profile: ProfileName) -> Result<RunId, Failure> {
    super::ports()?.minikube.act(act, profile).await
}
