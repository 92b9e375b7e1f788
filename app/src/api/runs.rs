//! Wishes about runs.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, LogLine, LogPage, LogQuestion, RunId};

/// Asks a run to stop.
#[server(prefix = "/api", endpoint = "runs/cancel", input = Json, output = Json, client = PanelClient)]
pub async fn cancel_run(run: RunId) -> Result<(), Failure> {
    super::ports()?.runs.cancel(run).await
}

/// Log lines of a run from the journal, from line number `from`.
#[server(prefix = "/api", endpoint = "runs/log", input = Json, output = Json, client = PanelClient)]
pub async fn run_log(run: RunId, from: u64) -> Result<Vec<LogLine>, Failure> {
    super::ports()?.runs.log(run, from).await
}

/// Log lines of a run that fit the question, a page at a time.
#[server(prefix = "/api", endpoint = "runs/search", input = Json, output = Json, client = PanelClient)]
pub async fn search_log(run: RunId, question: LogQuestion) -> Result<LogPage, Failure> {
    super::ports()?.runs.search_log(run, question).await
}
