//! Wishes of the Deploy page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ComponentName, DeployPlan, Failure, RunId};

/// Makes the plan anew.
#[server(prefix = "/api", endpoint = "deploys/plan", input = Json, output = Json, client = PanelClient)]
pub async fn make_plan() -> Result<DeployPlan, Failure> {
    super::ports()?.deploys.plan().await
}

/// Applies exactly the plan with this hash.
#[server(prefix = "/api", endpoint = "deploys/deploy", input = Json, output = Json, client = PanelClient)]
pub async fn deploy(plan_hash: String) -> Result<RunId, Failure> {
    super::ports()?.deploys.deploy(plan_hash).await
}

/// Restarts a component's pods by a rolling update.
#[server(prefix = "/api", endpoint = "deploys/restart", input = Json, output = Json, client = PanelClient)]
pub async fn restart_component(component: ComponentName) -> Result<RunId, Failure> {
    super::ports()?.deploys.restart(component).await
}
