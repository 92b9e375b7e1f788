//! Wishes of the Deploy page.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{DeployPlan, Failure, ObjectDiff, PlanChoices, RunId};

/// Makes the plan anew, with what was chosen for single objects.
#[server(prefix = "/api", endpoint = "deploys/plan", input = Json, output = Json, client = PanelClient)]
pub async fn make_plan(#[server(default)] choices: PlanChoices) -> Result<DeployPlan, Failure> {
    super::ports()?.deploys.plan(choices).await
}

/// Stops the plan that is being made.
#[server(prefix = "/api", endpoint = "deploys/stop-planning", input = Json, output = Json, client = PanelClient)]
pub async fn stop_planning() -> Result<(), Failure> {
    super::ports()?.deploys.stop_planning().await
}

/// What changes in one object of a plan.
#[server(prefix = "/api", endpoint = "deploys/object-diff", input = Json, output = Json, client = PanelClient)]
pub async fn diff_object(
    plan_hash: String,
    key: String,
    everything: bool,
) -> Result<ObjectDiff, Failure> {
    super::ports()?
        .deploys
        .object_diff(plan_hash, key, everything)
        .await
}

/// Applies exactly the plan with this hash. A plan that deletes objects needs `prune`.
#[server(prefix = "/api", endpoint = "deploys/deploy", input = Json, output = Json, client = PanelClient)]
pub async fn deploy(plan_hash: String, prune: bool) -> Result<RunId, Failure> {
    super::ports()?.deploys.deploy(plan_hash, prune).await
}
