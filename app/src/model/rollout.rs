//! Steering a rollout: what can be asked of a component's Deployment, and its history.

use serde::{Deserialize, Serialize};

use super::{ComponentName, RunKind, UnixMillis};

/// A wish about a rollout, by the words of `kubectl rollout` and `kubectl scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutAct {
    /// Changes to the template roll nothing out until it is resumed.
    Pause,
    Resume,
    /// New pods by a rolling update.
    Restart,
    /// Back to the pod template of a revision.
    Undo {
        revision: u64,
    },
    Scale {
        replicas: u32,
    },
}

impl RolloutAct {
    /// More is a slip of the finger on the clusters this is for.
    pub const MOST_REPLICAS: u32 = 1_000;

    pub fn run_kind(self) -> RunKind {
        match self {
            Self::Pause => RunKind::Pause,
            Self::Resume => RunKind::Resume,
            Self::Restart => RunKind::Restart,
            Self::Undo { .. } => RunKind::Undo,
            Self::Scale { .. } => RunKind::Scale,
        }
    }
}

/// What a component's Deployment has behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutHistory {
    pub paused: bool,
    /// How many pods are asked for.
    pub wanted: u32,
    /// Newest first.
    pub revisions: Vec<RolloutRevision>,
}

/// One ReplicaSet of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRevision {
    /// Grows with every new template; going back to an old one gives it a new number.
    pub revision: u64,
    pub replica_set: String,
    /// The images of its containers.
    pub images: Vec<String>,
    /// `kubernetes.io/change-cause`, when somebody wrote one.
    pub cause: Option<String>,
    /// The number of Slipway's deploy that made it.
    pub deploy: Option<u64>,
    pub created: UnixMillis,
    pub pods: u32,
    pub ready: u32,
    pub is_current: bool,
}

/// The pods of one component by revision, for a bar that shows how far the change is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutShare {
    pub new_ready: u32,
    pub new: u32,
    pub old: u32,
}

impl super::PanelState {
    /// How many pods of a component are of the newest template, and how many still of older ones.
    pub fn rollout_share(&self, component: &ComponentName) -> RolloutShare {
        let mut share = RolloutShare::default();
        for pod in self.pods.values() {
            if pod.component.as_ref() != Some(component) || pod.terminating {
                continue;
            }
            if pod.current {
                share.new += 1;
                share.new_ready += u32::from(pod.ready);
            } else {
                share.old += 1;
            }
        }
        share
    }
}
