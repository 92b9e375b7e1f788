//! `slipway practice`: only the practice cluster, for `kubectl`, `helm` and other tools.

use std::path::Path;

use app::model::{Finding, NextAction};
use practice::{PracticeCluster, PracticeConfig, RunningPractice};

use super::{Stop, session, signals};
use crate::engine::StateDir;

/// Runs the practice cluster until interrupted.
pub(super) async fn run(state_dir: Option<&Path>) -> Result<(), Stop> {
    let failed = |what: &str, why: String| Finding::new("PRACTICE_NOT_STARTED", what, why);
    let interrupted =
        signals::watch().map_err(|error| failed("Slipway cannot start", format!("{error}.")))?;
    let state_dir = StateDir::without_lock(&session::state_path(state_dir)?)?;
    if let Some(running) = RunningPractice::find(state_dir.path()).await {
        return Err(Finding::new(
            "PRACTICE_ALREADY_RUNNING",
            "The practice cluster is already running here",
            format!("Process {} runs it.", running.pid),
        )
        .next(NextAction::Command {
            command: format!("export KUBECONFIG={}", running.kubeconfig.display()),
            why: "Uses the one that runs".to_owned(),
        })
        .into());
    }
    let cluster = PracticeCluster::start(PracticeConfig::new(state_dir.path()))
        .await
        .map_err(|error| failed("The practice cluster did not start", format!("{error}.")))?;
    println!("{}", cluster.kubeconfig().display());
    interrupted.cancelled().await;
    cluster.shutdown().await;
    Ok(())
}
