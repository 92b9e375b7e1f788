//! The revisions of the raw deploys: what was applied when, by whom, and what came of it.

use serde::{Deserialize, Serialize};

use super::{Change, FieldChange, UnixMillis};

/// One deploy as it was recorded in the cluster, so that every Slipway that looks sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRevision {
    pub revision: u64,
    /// When it began.
    pub at: UnixMillis,
    /// `ada@laptop`
    pub by: String,
    pub outcome: DeployOutcome,
    /// What was applied and what was not, when it did not get to its end.
    #[serde(default)]
    pub note: String,
    /// The images of all containers.
    pub images: Vec<String>,
    pub counts: ChangeCounts,
    /// The revision this one went back to.
    #[serde(default)]
    pub back_to: Option<u64>,
    /// Whether its objects are recorded; without them there is no way back to it.
    pub has_objects: bool,
}

/// What came of a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployOutcome {
    Going,
    Succeeded,
    Failed,
    Cancelled,
    /// The Slipway that did it ended in the middle.
    Interrupted,
}

/// How many objects a deploy did what with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    pub created: u32,
    pub updated: u32,
    pub deleted: u32,
    pub unchanged: u32,
}

impl ChangeCounts {
    /// `2 created, 1 updated`; `nothing changed` when so.
    pub fn words(&self) -> String {
        let parts: Vec<String> = [
            (self.created, "created"),
            (self.updated, "updated"),
            (self.deleted, "deleted"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        match parts.is_empty() {
            true => "nothing changed".to_owned(),
            false => parts.join(", "),
        }
    }
}

/// An object that differs between two revisions; values that could be secret are masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionChange {
    pub kind: String,
    pub name: String,
    /// Create: only in the second; delete: only in the first.
    pub change: Change,
    pub fields: Vec<FieldChange>,
    pub more_fields: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_say_only_what_happened() {
        let mut counts = ChangeCounts {
            unchanged: 4,
            ..ChangeCounts::default()
        };
        assert_eq!(counts.words(), "nothing changed");
        counts.created = 2;
        counts.deleted = 1;
        assert_eq!(counts.words(), "2 created, 1 deleted");
    }
}
