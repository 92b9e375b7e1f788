//! What the commands share: opening the state folder, loading the project, and ending in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::model::{Finding, PanelEvent};
use tokio::time::timeout;

use super::{Stop, example};
use crate::adopt::AdoptRoom;
use crate::cli::Target;
use crate::cluster::ClusterOptions;
use crate::engine::{Core, Journal, StateDir};
use crate::panel::Panel;
use crate::process::Surroundings;
use crate::project::Project;

/// How long the runs may take to stop, and how long everything else may.
const RUNS_STOP: Duration = Duration::from_secs(6);
const REST_STOPS: Duration = Duration::from_secs(4);
/// How often a project that cannot be used is read again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The state folder's place: the one asked for, or the platform's.
pub(super) fn state_path(asked: Option<&Path>) -> Result<PathBuf, Finding> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    directories::ProjectDirs::from("", "", "slipway")
        .map(|dirs| {
            dirs.state_dir()
                .unwrap_or_else(|| dirs.data_local_dir())
                .to_owned()
        })
        .ok_or_else(|| {
            Finding::new(
                "STATE_DIR_UNUSABLE",
                "There is no place for the state folder",
                "This user has no home folder; name one with --state-dir.",
            )
        })
}

/// The engine, and what is known of the project before it is read.
pub(super) struct Opened {
    pub core: Core,
    folder: PathBuf,
    options: ClusterOptions,
}

impl Opened {
    /// Reads the project.
    pub fn project(&self) -> Result<Project, Finding> {
        Project::load(&self.folder)
    }

    /// The folder that could become a project: it is there and has no `slipway.toml`.
    pub fn unadopted(&self) -> Option<PathBuf> {
        let folder = self.folder.canonicalize().ok()?;
        (folder.is_dir() && !Project::is_there(&folder)).then_some(folder)
    }

    /// Waits until the folder is a project: by a yes on the page, or by somebody's own hand.
    pub async fn project_once_adopted(&self, room: &AdoptRoom) -> Project {
        loop {
            // By hand it may come at any time.
            let _ = timeout(LOOK_AGAIN, room.written()).await;
            if Project::is_there(&self.folder) {
                match self.project() {
                    Ok(project) => return project,
                    Err(problem) => return self.project_once_mended(problem).await,
                }
            }
        }
    }

    /// Puts the rooms together around it.
    pub fn panel(&self, project: Project) -> Result<Panel, Finding> {
        Panel::new(self.core.clone(), Arc::new(project), self.options.clone())
    }

    /// Tries again until the project can be read, showing what is wrong with it meanwhile.
    pub async fn project_once_mended(&self, mut problem: Finding) -> Project {
        loop {
            let shown = PanelEvent::ProjectProblem(Box::new(problem));
            self.core.hub.voice().publish(shown);
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.project() {
                Ok(project) => return project,
                Err(finding) => problem = finding,
            }
        }
    }
}

/// Opens the state folder for this Slipway alone.
pub(super) fn begin(target: &Target, state_dir: Option<&Path>) -> Result<Opened, Finding> {
    let state_dir = Arc::new(StateDir::open(&state_path(state_dir)?)?);
    let journal = Journal::open(state_dir.path())?;
    assemble(target, state_dir, journal)
}

/// The same, with the rooms.
pub(super) fn open(target: &Target, state_dir: Option<&Path>) -> Result<Panel, Stop> {
    let opened = begin(target, state_dir)?;
    Ok(opened.panel(opened.project()?)?)
}

/// Opens it beside a Slipway that may be running, leaving no trace in its journal.
pub(super) fn look(target: &Target, state_dir: Option<&Path>) -> Result<Opened, Stop> {
    let state_dir = Arc::new(StateDir::without_lock(&state_path(state_dir)?)?);
    Ok(assemble(target, state_dir, Journal::in_memory()?)?)
}

fn assemble(
    target: &Target,
    state_dir: Arc<StateDir>,
    journal: Journal,
) -> Result<Opened, Finding> {
    let folder = example::project_folder(target.project.as_deref(), state_dir.path())?;
    let options = ClusterOptions {
        wanted: target.cluster.clone(),
        typed: target.cluster_typed,
        kubeconfig: None,
        around: Surroundings::default(),
    };
    Ok(Opened {
        core: Core::start(state_dir, journal),
        folder,
        options,
    })
}

/// Ends everything in order: the runs are cancelled, the practice cluster and the background work
/// stop, and the journal is flushed. Takes at most ten seconds.
pub(super) async fn end(panel: &Panel) {
    end_with(&panel.core, Some(panel)).await;
}

/// The same when there may be no rooms yet.
pub(super) async fn end_with(core: &Core, panel: Option<&Panel>) {
    core.state_dir.forget_server_file();
    core.runs.cancel_all();
    let desk = async {
        if let Some(panel) = panel {
            panel.desk.end().await;
        }
    };
    let (runs, desk) = tokio::join!(
        timeout(RUNS_STOP, core.runs.idle()),
        timeout(RUNS_STOP, desk)
    );
    if runs.is_err() {
        tracing::warn!("a run did not stop in time");
    }
    if desk.is_err() {
        tracing::warn!("an assistant did not end in time");
    }
    core.shutdown.cancel();
    core.tasks.close();
    let rest = async {
        if let Some(panel) = panel {
            panel.cluster.shutdown().await;
        }
        core.tasks.wait().await;
        core.journal.flush().await
    };
    match timeout(REST_STOPS, rest).await {
        Ok(Ok(())) => {}
        Ok(Err(finding)) => tracing::warn!(why = %finding.why, "the journal was not flushed"),
        Err(_) => tracing::warn!("some background work did not stop in time"),
    }
}
