//! Questions about the recorded revisions.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, RevisionChange};

/// What differs from one revision to another.
#[server(prefix = "/api", endpoint = "revisions/compare", input = Json, output = Json, client = PanelClient)]
pub async fn compare_deploys(from: u64, to: u64) -> Result<Vec<RevisionChange>, Failure> {
    super::ports()?.revisions.compare(from, to).await
}
