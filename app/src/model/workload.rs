//! The live side: components, pods, probes and events, folded from watches into rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ComponentName, UnixMillis, WayTried};

/// A component's Deployment and Service as the cluster has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLive {
    pub component: ComponentName,
    pub rollout: Rollout,
    pub replicas: u32,
    pub updated: u32,
    pub ready: u32,
    pub available: u32,
    pub restarts: u32,
    /// The image of the pod template.
    pub image: String,
    /// Whether every pod runs the image that was proved; none when nothing was proved yet.
    pub image_proved: Option<bool>,
    /// The Deployment's revision annotation.
    pub revision: u64,
    /// The newest revision before it that the Deployment still has: what rolling back goes to.
    #[serde(default)]
    pub previous: Option<u64>,
    /// Changes to the template roll nothing out until it is resumed.
    #[serde(default)]
    pub paused: bool,
    /// A drill put a fault in that is not taken out yet.
    #[serde(default)]
    pub drill: bool,
    pub service: Option<ServiceRow>,
}

impl ComponentLive {
    /// Whether no pod of it is wanted, and none is there any more.
    pub fn is_scaled_to_0(&self) -> bool {
        self.rollout == Rollout::Complete && self.replicas == 0
    }
}

/// By the rules of `kubectl rollout status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rollout {
    /// No Deployment of that name.
    Absent,
    Progressing {
        note: String,
    },
    Complete,
    /// `ProgressDeadlineExceeded`, or it is known that it cannot succeed.
    Stuck {
        why: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    pub name: String,
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    pub kind: String,
    pub ports: Vec<u16>,
    /// How many ready addresses stand behind it.
    pub ready_endpoints: u32,
    pub load_balancer: LoadBalancer,
    /// Where the operator can open it from this machine, if anything works.
    pub open_url: Option<String>,
    /// The ways from this machine that were looked at, the best first.
    #[serde(default)]
    pub ways: Vec<WayTried>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadBalancer {
    /// Not of that type.
    No,
    Pending,
    Assigned {
        address: String,
    },
}

/// A pod, keyed by UID in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRow {
    pub uid: String,
    pub name: String,
    pub component: Option<ComponentName>,
    /// Who made it and makes the next one; none for a pod that stands for itself.
    #[serde(default)]
    pub owner: Option<PodOwner>,
    pub phase: String,
    pub ready: bool,
    pub terminating: bool,
    /// Belongs to the Deployment's current ReplicaSet.
    pub current: bool,
    pub created: UnixMillis,
    pub ip: Option<String>,
    pub node: Option<String>,
    /// Started before the newest change of a secret it reads.
    pub stale_secrets: bool,
    pub containers: Vec<ContainerRow>,
    /// The best single sentence about why it is not ready; none when it is.
    pub why_not_ready: Option<String>,
}

/// The controller of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodOwner {
    /// `ReplicaSet`, `StatefulSet`, `Job`…
    pub kind: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRow {
    pub name: String,
    pub image: String,
    pub image_id: String,
    pub state: ContainerState,
    pub started: bool,
    pub ready: bool,
    pub restarts: u32,
    pub last_termination: Option<Termination>,
    pub probes: BTreeMap<ProbeKind, ProbeLive>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerState {
    Waiting { reason: String, message: String },
    Running { since: UnixMillis },
    Terminated(Termination),
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    pub exit_code: i32,
    pub reason: String,
    pub message: String,
    pub finished: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// One probe of one container. Kubernetes has no field "probe passed": the verdict is derived,
/// and the rule is in `server::live::probe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeLive {
    /// `GET /health :8000`, `TCP :5432`, `exec …`.
    pub target: String,
    pub period_s: u32,
    pub failure_threshold: u32,
    pub verdict: ProbeVerdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeVerdict {
    /// The container is not running, startup is not over, or the initial delay is not.
    Waiting {
        why: String,
    },
    Passing,
    Failing {
        message: String,
    },
    /// The kubelet killed the container for it.
    Killed {
        message: String,
    },
}

/// An Event object, newest kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    pub uid: String,
    /// `Pod`, `Deployment`…
    pub kind: String,
    pub name: String,
    pub object_uid: String,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    pub count: u32,
    pub at: UnixMillis,
}

/// Which lines of which container are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    pub pod: String,
    pub container: String,
    /// The container before the last restart.
    pub previous: bool,
    /// At most this many lines from the end; the server caps it.
    pub tail: u32,
}
