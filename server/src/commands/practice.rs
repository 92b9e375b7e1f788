//! `slipway practice`: only the practice cluster, for `kubectl`, `helm` and other tools.

use std::path::{Path, PathBuf};

use app::model::{Finding, NextAction};
use practice::{PracticeCluster, PracticeConfig, RunningPractice};

use super::{Stop, session, signals};
use crate::cli::PracticeArgs;
use crate::engine::StateDir;

/// Runs the practice cluster until interrupted.
pub(super) async fn run(state_dir: Option<&Path>, args: PracticeArgs) -> Result<(), Stop> {
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
    for archive in args.load {
        if let Err(finding) = load(&cluster, archive).await {
            cluster.shutdown().await;
            return Err(finding.into());
        }
    }
    println!("{}", cluster.kubeconfig().display());
    interrupted.cancelled().await;
    cluster.shutdown().await;
    Ok(())
}

/// Takes the images of an archive onto the node.
async fn load(cluster: &PracticeCluster, archive: PathBuf) -> Result<(), Finding> {
    let what = format!("The images of {} were not loaded", archive.display());
    let failed = |why: String| {
        Finding::new("PRACTICE_IMAGES_NOT_LOADED", what, why).next(NextAction::advice(
            "Name an archive that `docker save` or another builder of OCI images wrote",
        ))
    };
    let Some(store) = cluster.images().cloned() else {
        return Err(failed("This machine runs no node.".to_owned()));
    };
    let imported = tokio::task::spawn_blocking(move || store.import_archive(&archive)).await;
    match imported {
        Ok(Ok(record)) => {
            tracing::info!(names = ?record.refs, "images loaded");
            Ok(())
        }
        Ok(Err(error)) => Err(failed(format!("{error}."))),
        Err(error) => Err(failed(format!("{error}."))),
    }
}
