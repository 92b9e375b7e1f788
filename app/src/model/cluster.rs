//! Which cluster the walk goes to, and what is known about it.

use serde::{Deserialize, Serialize};

use super::{ContextName, Finding, Freshness};

/// What a person can pick: the built-in practice cluster or a kubeconfig context.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "context", rename_all = "kebab-case")]
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
#[serde(tag = "type", rename_all = "kebab-case")]
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
    /// Its API server is on a loopback or private address, maker unknown.
    OtherLocal,
    /// Anything else: nothing is changed there before its name was typed once.
    Remote,
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
}

/// Whether the API server answered when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
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
}
