//! The engine every room works with: the one store, the runs and their journal, the state folder,
//! the redactor and the gates between the steps.

pub mod clock;
pub mod hub;
pub mod journal;
mod journal_db;
mod journal_timeline;
pub mod private_file;
pub mod redact;
mod run_handle;
pub mod runs;
pub mod state_dir;
pub mod steps;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use hub::{Hub, Voice};
pub use journal::Journal;
pub use redact::{MASK, Redactor};
pub use run_handle::{RunHandle, StageHandle};
pub use runs::{RunError, Runs};
pub use state_dir::StateDir;

/// What every room gets: cheap to clone, all clones share the same engine.
#[derive(Clone, Debug)]
pub struct Core {
    pub hub: Hub,
    pub runs: Runs,
    pub journal: Journal,
    pub redactor: Redactor,
    pub state_dir: Arc<StateDir>,
    /// Cancelled when Slipway ends; background work stops then.
    pub shutdown: CancellationToken,
    /// Knows every background task, so that the end can wait for them.
    pub tasks: TaskTracker,
}

impl Core {
    /// Puts an engine together around an opened state folder. Runs that a former Slipway left going
    /// are closed as interrupted, and the last runs are put into the store.
    pub fn start(state_dir: Arc<StateDir>, journal: Journal) -> Self {
        let hub = Hub::new();
        let redactor = Redactor::default();
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let runs = Runs::new(
            hub.clone(),
            journal.clone(),
            redactor.clone(),
            tasks.clone(),
        );
        hub.voice().publish_all(
            journal
                .earlier_runs()
                .into_iter()
                .map(|run| app::model::PanelEvent::RunStarted(Box::new(run)))
                .collect(),
        );
        Self {
            hub,
            runs,
            journal,
            redactor,
            state_dir,
            shutdown,
            tasks,
        }
    }
}
