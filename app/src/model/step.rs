//! The six steps of the walk and the state each stands in.

use serde::{Deserialize, Serialize};

use super::{Finding, RunId, UnixMillis};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepId {
    Setup,
    Secrets,
    Images,
    Deploy,
    Assist,
    Live,
}

impl StepId {
    pub const ALL: [StepId; 6] = [
        Self::Setup,
        Self::Secrets,
        Self::Images,
        Self::Deploy,
        Self::Assist,
        Self::Live,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Setup => "Setup",
            Self::Secrets => "Secrets",
            Self::Images => "Images",
            Self::Deploy => "Deploy",
            Self::Assist => "Assist",
            Self::Live => "Live",
        }
    }

    /// The page's path: `/setup`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Setup => "/setup",
            Self::Secrets => "/secrets",
            Self::Images => "/images",
            Self::Deploy => "/deploy",
            Self::Assist => "/assist",
            Self::Live => "/live",
        }
    }
}

/// Where a step stands. Done only on live proof, never because a command returned 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not looked at yet since the start.
    Unknown,
    Blocked {
        by: StepId,
    },
    /// A person has something to do; `hint` says what, in one line.
    ToDo {
        hint: String,
    },
    Running {
        run: RunId,
        hint: String,
    },
    /// With the proof in one line: `2 of 2 images are in the cluster`.
    Done {
        proof: String,
        since: UnixMillis,
    },
    /// Was done, and the proof no longer holds or cannot be seen.
    Stale {
        why: String,
    },
    Failed {
        finding: Box<Finding>,
    },
}

impl StepState {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}
