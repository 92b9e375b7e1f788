//! Break and heal: faults that are put in on purpose in front of an audience, and always taken out.

use serde::{Deserialize, Serialize};

use super::ComponentName;

/// One way to break a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A running pod is deleted; Kubernetes starts another.
    KillPod,
    /// New pods are given a readiness probe that cannot pass.
    FailReadiness,
    /// A version is rolled out whose image does not exist, and rolled back.
    BadRollout,
}

impl Fault {
    pub const ALL: [Fault; 3] = [Self::KillPod, Self::FailReadiness, Self::BadRollout];

    pub fn title(self) -> &'static str {
        match self {
            Self::KillPod => "Kill a pod",
            Self::FailReadiness => "Fail readiness",
            Self::BadRollout => "Bad rollout",
        }
    }

    /// What the audience will see.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::KillPod => "A running pod is deleted; Kubernetes starts another by itself.",
            Self::FailReadiness => {
                "A new pod gets a probe that cannot pass; it is never sent requests. Then the probe is put right."
            }
            Self::BadRollout => {
                "An image that does not exist is rolled out and gets stuck. Then it is rolled back."
            }
        }
    }
}

/// What to break, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillWish {
    pub component: ComponentName,
    pub faults: Vec<Fault>,
    /// How long each fault stays to be looked at, in seconds; at most [`DrillWish::LONGEST_HOLD_S`].
    pub hold_s: u32,
    /// The typed name of the cluster; needed on every cluster but the practice cluster.
    pub confirm: Option<String>,
}

impl DrillWish {
    pub const LONGEST_HOLD_S: u32 = 60;
}
