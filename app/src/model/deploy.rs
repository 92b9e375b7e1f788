//! The plan of a deployment (what would change) and what was applied.

use serde::{Deserialize, Serialize};

use super::{Finding, UnixMillis};

/// What a deploy would do, against the live objects, from a server-side dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployPlan {
    /// Stands for exactly this plan; a deploy names it, and is refused when the world has moved on.
    pub hash: String,
    pub at: UnixMillis,
    pub objects: Vec<PlannedObject>,
    /// What should be mended first; a `Failed` one stops the deploy.
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// `Deployment`.
    pub kind: String,
    pub name: String,
    /// Empty for objects outside namespaces.
    pub namespace: String,
    pub change: Change,
    /// The fields that change, at most [`PlannedObject::FIELDS`]; Secret data is masked.
    pub fields: Vec<FieldChange>,
    /// How many more fields there are.
    pub more_fields: u32,
}

impl PlannedObject {
    pub const FIELDS: usize = 200;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Create,
    Update,
    Unchanged,
    /// Applied by an earlier deploy and no longer in the manifests.
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `.spec.template.spec.containers[name=backend].image`
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The newest deploy as the cluster's objects carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedView {
    pub revision: u64,
    pub at: UnixMillis,
    pub objects: u32,
}
