//! Which cluster the walk goes to, and what is known about it.

use serde::{Deserialize, Serialize};

use super::{ContextName, Finding, Freshness, UnixMillis};

/// What a person can pick: the built-in practice cluster or a kubeconfig context.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterChoice {
    Practice,
    Context(ContextName),
}

impl ClusterChoice {
    /// The word on the command line: `practice` or the context's name.
    pub fn label(&self) -> &str {
        match self {
            Self::Practice => "practice",
            Self::Context(context) => context.as_str(),
        }
    }
}

/// What a context turns out to be; decides how images get in and whether a person is warned first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterKind {
    Practice,
    /// The kubeconfig context carries minikube's extension (`provider: minikube.sigs.k8s.io`).
    Minikube {
        profile: String,
    },
    Kind {
        name: String,
    },
    K3d {
        name: String,
    },
    /// The Kubernetes of a desktop app.
    Desktop {
        app: DesktopApp,
    },
    /// Its API server is on this machine, maker unknown.
    OtherLocal,
    /// Anything else: nothing is changed there before its name was typed once.
    Remote,
}

/// Desktop apps that bring a container runtime and a Kubernetes that shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DesktopApp {
    DockerDesktop,
    RancherDesktop,
    Colima,
    OrbStack,
}

impl DesktopApp {
    pub fn title(self) -> &'static str {
        match self {
            Self::DockerDesktop => "Docker Desktop",
            Self::RancherDesktop => "Rancher Desktop",
            Self::Colima => "Colima",
            Self::OrbStack => "OrbStack",
        }
    }
}

/// Whether a cluster may be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// On this machine: nobody is asked.
    #[default]
    Free,
    /// Not on this machine, and its name was not typed yet: it can be looked at, not changed.
    LookOnly,
    /// Not on this machine, and its name was typed.
    Allowed { since: UnixMillis },
}

impl Access {
    /// Whether it is named in red wherever it is named.
    pub fn is_guarded(self) -> bool {
        self != Self::Free
    }
}

impl super::PanelState {
    /// The name of the cluster in use when it is not on this machine; every question about it says it.
    pub fn guarded_cluster(&self) -> Option<&str> {
        let cluster = self.cluster.as_ref()?;
        cluster.access.is_guarded().then(|| cluster.choice.label())
    }
}

/// What becomes of runs that are still going when another cluster is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoingRuns {
    /// They are in the way: the choice is refused.
    #[default]
    Refuse,
    /// They are cancelled, and the choice waits for their end.
    Cancel,
}

/// A row of the cluster picker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOption {
    pub choice: ClusterChoice,
    pub kind: ClusterKind,
    /// The API server's address as the kubeconfig has it; empty for a practice cluster not yet started.
    pub server: String,
    pub reach: Reach,
    /// The kubeconfig's current context.
    pub current: bool,
    #[serde(default)]
    pub access: Access,
    /// Who the API server takes us for, where it was asked and tells.
    #[serde(default)]
    pub who: Option<String>,
    /// The program that gives the credentials, where one does; it may open a login window.
    #[serde(default)]
    pub login_program: Option<String>,
}

/// Whether the API server answered when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Not asked yet.
    Unknown,
    /// Not running, and can be started from here.
    Startable,
    Reachable {
        version: String,
    },
    Unreachable {
        why: String,
    },
}

/// A file of the kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeconfigFile {
    pub path: String,
    /// How many contexts it adds; those of the same name in an earlier file win.
    pub contexts: u32,
    /// Why it cannot be read, if so; the other files still count.
    pub problem: Option<String>,
}

/// The cluster in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    pub choice: ClusterChoice,
    pub kind: ClusterKind,
    pub server: String,
    /// The API server's version, such as `v1.35.1`; none until it answered.
    pub version: Option<String>,
    /// The `readyz` heartbeat, separate from every watch.
    pub freshness: Freshness,
    /// Why it cannot be used now, if so.
    pub problem: Option<Finding>,
    /// Counts the choices of one server start. A wish carries the era it was made in, and is refused
    /// in another one.
    #[serde(default)]
    pub era: u64,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub who: Option<Who>,
    /// What weakens the connection, such as a certificate that is not checked.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Who the API server takes us for, by its SelfSubjectReview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub name: String,
    pub groups: Vec<String>,
}
