//! A run is one long action: announced as a plan, streamed, cancellable, journaled.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{ComponentName, Finding, UnixMillis};

/// Grows with every run of a state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// Also from text: as a key of a JSON object it is one, and serde hands that on as it is wherever it
/// has to look at a tag first, as in a [`LiveMessage`](super::LiveMessage).
impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = RunId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a run")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RunId, E> {
                Ok(RunId(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RunId, E> {
                text.parse()
                    .map(RunId)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    StartCluster,
    StopCluster,
    PauseCluster,
    UnpauseCluster,
    DeleteCluster,
    RepairContext,
    Build,
    Deploy,
    Restart,
    Pause,
    Resume,
    Undo,
    Scale,
    Handover,
    Down,
    /// Trying a secret's new value out on one pod in the cluster.
    Trial,
    /// A change that was proposed and approved.
    Approved,
    /// Putting back what an approved change changed.
    TakeBack,
    /// Getting a chart's dependencies.
    Dependencies,
    /// Breaking something on purpose, and healing it.
    Drill,
    /// Deleting one pod.
    DeletePod,
}

impl RunKind {
    /// What is done to a minikube profile itself, whichever cluster is in use.
    pub const OF_MINIKUBE: [Self; 6] = [
        Self::StartCluster,
        Self::StopCluster,
        Self::PauseCluster,
        Self::UnpauseCluster,
        Self::DeleteCluster,
        Self::RepairContext,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::StartCluster => "Start the cluster",
            Self::StopCluster => "Stop the cluster",
            Self::PauseCluster => "Pause the cluster",
            Self::UnpauseCluster => "Unpause the cluster",
            Self::DeleteCluster => "Delete the cluster",
            Self::RepairContext => "Repair the context",
            Self::Build => "Build images",
            Self::Deploy => "Deploy",
            Self::Restart => "Restart",
            Self::Pause => "Pause the rollout",
            Self::Resume => "Resume the rollout",
            Self::Undo => "Undo",
            Self::Scale => "Scale",
            Self::Handover => "Change hands",
            Self::Down => "Remove",
            Self::Trial => "Try in the cluster",
            Self::Approved => "Run the approved change",
            Self::TakeBack => "Take the change back",
            Self::Dependencies => "Get chart dependencies",
            Self::Drill => "Break and heal",
            Self::DeletePod => "Delete a pod",
        }
    }
}

/// A run as everyone sees it: the whole plan first, then what became of each stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    pub id: RunId,
    pub kind: RunKind,
    pub started: UnixMillis,
    pub stages: Vec<Stage>,
    /// The last lines, oldest first, at most [`RunView::TAIL`]; the journal has all of them.
    pub tail: Vec<LogLine>,
    /// How many lines there were in all.
    pub lines: u64,
    pub ending: Option<Ending>,
}

impl RunView {
    /// How many of the last lines travel with the state.
    pub const TAIL: usize = 200;

    pub fn is_going(&self) -> bool {
        self.ending.is_none()
    }

    pub fn stage_mut(&mut self, id: &str) -> Option<&mut Stage> {
        self.stages.iter_mut().find(|stage| stage.id == id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Unique within the run: `backend/build`.
    pub id: String,
    pub title: String,
    /// The component it is for, when it is for one.
    pub component: Option<ComponentName>,
    pub state: StageState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    Pending,
    Running {
        since: UnixMillis,
        progress: Option<Progress>,
    },
    Succeeded {
        took_ms: u64,
        note: String,
    },
    /// Not needed, and why: `unchanged, already in the cluster`.
    Skipped {
        why: String,
    },
    Failed {
        took_ms: u64,
        finding: Box<Finding>,
    },
    Cancelled,
    /// Will not run, because of that stage.
    NotReached {
        blocked_by: String,
    },
}

/// How far a running stage is. `total` is none when nobody can know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    /// What is being counted or what is going on: `crates`, `bytes`, `1 of 2 pods ready`.
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: UnixMillis,
    /// The stage that printed it.
    pub stage: String,
    /// Redacted, without escape sequences.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    pub at: UnixMillis,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Succeeded {
        summary: String,
    },
    Failed {
        finding: Box<Finding>,
    },
    Cancelled,
    /// Slipway itself ended while it was going; found at the next start.
    Interrupted {
        what_now: String,
    },
}
