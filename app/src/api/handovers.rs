//! Wishes about who owns the project: the switch between raw and Helm.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{DeployMode, Failure, Handover, RunId};

/// Plans the switch; nothing is written.
#[server(prefix = "/api", endpoint = "handovers/plan", input = Json, output = Json, client = PanelClient)]
pub async fn plan_handover(to: DeployMode) -> Result<Handover, Failure> {
    super::ports()?.handovers.plan_handover(to).await
}

/// Carries out exactly the plan with this hash.
#[server(prefix = "/api", endpoint = "handovers/go", input = Json, output = Json, client = PanelClient)]
pub async fn hand_over(to: DeployMode, hash: String) -> Result<RunId, Failure> {
    super::ports()?.handovers.hand_over(to, hash).await
}

/// Puts the plan away.
#[server(prefix = "/api", endpoint = "handovers/dismiss", input = Json, output = Json, client = PanelClient)]
pub async fn dismiss_handover() -> Result<(), Failure> {
    super::ports()?.handovers.dismiss_handover().await
}
