//! Wishes about breaking and healing.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{ComponentName, DrillWish, Failure, RunId};

/// Breaks a component in the ways wished for and heals it again.
#[server(prefix = "/api", endpoint = "drills/start", input = Json, output = Json, client = PanelClient)]
pub async fn start_drill(wish: DrillWish) -> Result<RunId, Failure> {
    super::ports()?.drills.start(wish).await
}

/// Takes out what an interrupted drill left in.
#[server(prefix = "/api", endpoint = "drills/heal", input = Json, output = Json, client = PanelClient)]
pub async fn heal_drill(component: ComponentName) -> Result<RunId, Failure> {
    super::ports()?.drills.heal(component).await
}
