//! Wishes of the Deploy page's Helm side.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{
    Failure, ReleasePlan, ReleaseWish, RevisionComparison, RevisionDetail, RunId, SavePreview,
    ValueEdit, ValuesForm,
};

/// Looks for helm again, reads the chart and lints it.
#[server(prefix = "/api", endpoint = "releases/check", input = Json, output = Json, client = PanelClient)]
pub async fn check_chart() -> Result<(), Failure> {
    super::ports()?.releases.check_chart().await
}

/// Gets the chart's missing dependencies.
#[server(prefix = "/api", endpoint = "releases/dependencies", input = Json, output = Json, client = PanelClient)]
pub async fn build_dependencies() -> Result<RunId, Failure> {
    super::ports()?.releases.build_dependencies().await
}

/// The values form with these edits in it.
#[server(prefix = "/api", endpoint = "releases/values", input = Json, output = Json, client = PanelClient)]
pub async fn read_values(edits: Vec<ValueEdit>) -> Result<ValuesForm, Failure> {
    super::ports()?.releases.values(edits).await
}

/// What saving the edits would make of a values file.
#[server(prefix = "/api", endpoint = "releases/plan-save", input = Json, output = Json, client = PanelClient)]
pub async fn plan_save(edits: Vec<ValueEdit>, file: String) -> Result<SavePreview, Failure> {
    super::ports()?.releases.plan_save(edits, file).await
}

/// Saves the edits as planned.
#[server(prefix = "/api", endpoint = "releases/save", input = Json, output = Json, client = PanelClient)]
pub async fn save_values(edits: Vec<ValueEdit>, file: String, hash: String) -> Result<(), Failure> {
    super::ports()?.releases.save(edits, file, hash).await
}

/// A revision in full, masked.
#[server(prefix = "/api", endpoint = "releases/revision", input = Json, output = Json, client = PanelClient)]
pub async fn read_revision(revision: u32) -> Result<RevisionDetail, Failure> {
    super::ports()?.releases.revision(revision).await
}

/// What a wish would do; nothing is changed.
#[server(prefix = "/api", endpoint = "releases/plan", input = Json, output = Json, client = PanelClient)]
pub async fn plan_release(wish: ReleaseWish) -> Result<ReleasePlan, Failure> {
    super::ports()?.releases.plan(wish).await
}

/// Does exactly what was planned.
#[server(prefix = "/api", endpoint = "releases/carry-out", input = Json, output = Json, client = PanelClient)]
pub async fn carry_out(wish: ReleaseWish, plan_hash: String) -> Result<RunId, Failure> {
    super::ports()?.releases.carry_out(wish, plan_hash).await
}

/// What changed from one revision to another.
#[server(prefix = "/api", endpoint = "releases/compare", input = Json, output = Json, client = PanelClient)]
pub async fn compare_revisions(from: u32, to: u32) -> Result<RevisionComparison, Failure> {
    super::ports()?.releases.compare(from, to).await
}
