//! Wishes about a component's rollout.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ComponentName, Failure, RolloutAct, RolloutHistory, RunId};

/// Pauses, resumes, restarts, takes back or scales.
#[server(prefix = "/api", endpoint = "rollouts/steer", input = Json, output = Json, client = PanelClient)]
pub async fn steer(component: ComponentName, act: RolloutAct) -> Result<RunId, Failure> {
    super::ports()?.rollouts.steer(component, act).await
}

/// The revisions the Deployment still has, newest first.
#[server(prefix = "/api", endpoint = "rollouts/history", input = Json, output = Json, client = PanelClient)]
pub async fn read_history(component: ComponentName) -> Result<RolloutHistory, Failure> {
    super::ports()?.rollouts.history(component).await
}
