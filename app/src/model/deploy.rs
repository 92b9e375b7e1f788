//! The plan of a deployment (what would change) and what was applied.

use std::collections::BTreeSet;

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

/// One object of a plan, as far as every page needs it; what changes in it is an [`ObjectDiff`],
/// which is asked for when somebody opens the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// Names the object within its plan: `apps/v1/Deployment/todo/backend`.
    pub key: String,
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    pub name: String,
    /// Empty for objects outside namespaces.
    pub namespace: String,
    /// The file and line it comes from; empty for what is only in the cluster.
    pub source: String,
    pub change: Change,
    /// How many fields change.
    pub fields: u32,
    /// Lines that are new, counted as the difference is shown.
    pub added: u32,
    /// Lines that go.
    pub removed: u32,
    /// Fields other managers hold, at most [`PlannedObject::CONFLICTS`].
    pub conflicts: Vec<FieldConflict>,
    /// A person chose to force these conflicts, or to replace this object; part of the plan's hash.
    pub chosen: bool,
    /// Why the API server would not take it as it is.
    pub problem: Option<Box<Finding>>,
}

impl PlannedObject {
    pub const CONFLICTS: usize = 50;

    /// Whether taking fields from other managers would make it go through.
    pub fn can_be_forced(&self) -> bool {
        !self.conflicts.is_empty()
    }
}

/// What would happen to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Create,
    Update,
    /// A field that cannot be changed differs: only deleting and making anew gets there.
    Replace,
    Unchanged,
    /// Applied by an earlier deploy and no longer in the manifests.
    Delete,
    /// The API server says no.
    Refused,
}

impl Change {
    /// Worst first: what stops, what goes away, what changes, what is new, what stays.
    pub const ALL: [Change; 6] = [
        Self::Refused,
        Self::Delete,
        Self::Replace,
        Self::Update,
        Self::Create,
        Self::Unchanged,
    ];
}

/// A field that another manager holds and the manifest sets differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldConflict {
    /// `.spec.replicas`
    pub path: String,
    /// The value it has, masked where it could be a secret; none when it is not there.
    pub theirs: Option<String>,
    /// The value the manifest gives it.
    pub ours: Option<String>,
    pub owner: FieldOwner,
}

/// Who set a field, from the object's `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldOwner {
    /// `kubectl-edit`
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    pub at: Option<UnixMillis>,
}

/// What a person decided about single objects, by their keys; empty for a plan as the manifests say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChoices {
    /// Take conflicting fields from their managers.
    #[serde(default)]
    pub force: BTreeSet<String>,
    /// Delete and make anew, where a field cannot be changed.
    #[serde(default)]
    pub replace: BTreeSet<String>,
    /// Go back to what this revision applied, instead of by the manifests.
    #[serde(default)]
    pub back_to: Option<u64>,
}

/// How far the making of a plan is, in objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planning {
    pub done: u32,
    pub total: u32,
}

/// What changes in one object. Secrets and what looks like one are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDiff {
    /// The changed fields, at most [`ObjectDiff::FIELDS`].
    pub fields: Vec<FieldChange>,
    pub more_fields: u32,
    /// The object as YAML, before and after side by side, at most [`ObjectDiff::ROWS`].
    pub rows: Vec<DiffRow>,
    pub more_rows: u32,
}

impl ObjectDiff {
    pub const FIELDS: usize = 500;
    pub const ROWS: usize = 20_000;
}

/// A line of YAML before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffRow {
    Same(String),
    Removed(String),
    Added(String),
    Changed(String, String),
}

impl DiffRow {
    pub fn before(&self) -> Option<&str> {
        match self {
            Self::Same(text) | Self::Removed(text) | Self::Changed(text, _) => Some(text),
            Self::Added(_) => None,
        }
    }

    pub fn after(&self) -> Option<&str> {
        match self {
            Self::Same(text) | Self::Added(text) | Self::Changed(_, text) => Some(text),
            Self::Removed(_) => None,
        }
    }
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `.spec.template.spec.containers[name=backend].image`
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Who set the value it has now.
    pub owners: Vec<FieldOwner>,
}

/// An object that is no longer what was applied last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftedObject {
    /// As in [`PlannedObject::key`].
    pub key: String,
    pub kind: String,
    pub name: String,
    /// It is gone altogether.
    pub deleted: bool,
    /// Fields that differ: `before` is what was applied, `after` what is there now; at most
    /// [`DriftedObject::FIELDS`].
    pub fields: Vec<FieldChange>,
    pub more_fields: u32,
}

impl DriftedObject {
    pub const FIELDS: usize = 30;
}

/// The newest deploy as the cluster's objects carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedView {
    pub revision: u64,
    pub at: UnixMillis,
    pub objects: u32,
}
