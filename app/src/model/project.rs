//! The project as everyone may see it: what `slipway.toml` says, without any secret value.

use serde::{Deserialize, Serialize};

use super::{ComponentName, Namespace};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectView {
    pub name: String,
    /// The folder, for the operator to recognise it.
    pub root: String,
    pub namespace: Namespace,
    pub components: Vec<ComponentView>,
    /// The Secret object the keys go into.
    pub secret_name: String,
    pub has_manifests: bool,
    pub has_chart: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentView {
    pub name: ComponentName,
    /// The image's repository, without a tag.
    pub image: String,
    /// The port its container listens on.
    pub port: u16,
    pub probes: ProbePaths,
    pub exposed: bool,
    pub size_budget_bytes: Option<u64>,
}

/// The HTTP path of each probe the project asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePaths {
    pub startup: Option<String>,
    pub liveness: Option<String>,
    pub readiness: Option<String>,
}
