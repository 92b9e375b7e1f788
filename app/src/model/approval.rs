//! Proposed changes and a person's single-use yes to exactly one of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Change, FieldChange, Finding, RunId, UnixMillis};

/// Names one proposal; made up by the server, never used again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(pub String);

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose idea it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A rule of Slipway's own, by the code of its finding.
    Diagnosis { code: String },
    /// The person at the panel.
    Operator,
    /// An assistant, by its name.
    Assistant { name: String },
}

impl Origin {
    pub fn title(&self) -> String {
        match self {
            Self::Diagnosis { .. } => "Slipway diagnosis".to_owned(),
            Self::Operator => "You".to_owned(),
            Self::Assistant { name } => name.clone(),
        }
    }
}

/// What somebody proposes: a command line, by words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeProposal {
    /// Beginning with `kubectl`.
    pub argv: Vec<String>,
    /// Why, in the proposer's words.
    pub why: String,
    /// The key of the finding it is meant to heal.
    pub heals: Option<String>,
}

/// What the command line is, by Slipway's own parser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Classification {
    /// It is never run, and why.
    Denied { why: String },
    Change {
        /// `rollout undo`
        verb: String,
        /// `Deployment backend`
        targets: Vec<String>,
        namespace: String,
        /// Values and flags, as they were understood.
        flags: Vec<String>,
    },
}

/// The card a person says yes or no to. Values that could be secret are masked in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    /// Stands for everything on the card; a yes names it.
    pub hash: String,
    pub origin: Origin,
    pub why: String,
    /// Exactly what is run, word by word.
    pub argv: Vec<String>,
    /// The same as one line for a terminal.
    pub line: String,
    pub classification: Classification,
    /// The objects as a dry run would have them.
    pub objects: Vec<ApprovalObject>,
    /// What else is touched by it: pods, Services, owners.
    pub radius: Vec<String>,
    /// What the undo that is stored will do; none when there is none, and then `no_undo` says why.
    pub undo: Option<String>,
    pub no_undo: Option<String>,
    pub heals: Option<Heals>,
    pub made: UnixMillis,
    /// After this a yes is refused.
    pub expires: UnixMillis,
    pub state: ApprovalState,
}

impl Approval {
    /// Whether it waits for a yes or no, and can have a yes, at this moment.
    pub fn can_be_approved(&self, now: UnixMillis) -> bool {
        self.state == ApprovalState::Waiting && now < self.expires
    }

    /// Whether its undo can be asked for.
    pub fn can_be_undone(&self) -> bool {
        matches!(
            &self.state,
            ApprovalState::Ended {
                undo: UndoState::Ready,
                ..
            }
        )
    }
}

/// One object a proposal changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalObject {
    pub kind: String,
    pub name: String,
    /// The state of the object the yes is bound to.
    pub resource_version: String,
    pub change: Change,
    /// Who has it: `applied by Slipway`, `Helm release web`, `ReplicaSet backend-7d9f`.
    pub owner: Option<String>,
    /// At most [`ApprovalObject::FIELDS`].
    pub fields: Vec<FieldChange>,
    pub more_fields: u32,
}

impl ApprovalObject {
    pub const FIELDS: usize = 40;
}

/// The finding a change is meant to heal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heals {
    pub key: String,
    pub code: String,
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalState {
    /// For a person's yes or no, until it expires.
    Waiting,
    /// It cannot be done, and why.
    Refused {
        finding: Box<Finding>,
    },
    /// A person said no.
    Declined {
        at: UnixMillis,
    },
    Running {
        run: RunId,
    },
    Ended {
        run: RunId,
        at: UnixMillis,
        outcome: ApprovalOutcome,
        undo: UndoState,
    },
}

/// What came of a yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalOutcome {
    /// Done; it was not meant to heal anything.
    Done,
    /// Done, and the finding is gone.
    Healed,
    /// Done, and the finding is still there.
    NotHealed,
    Failed {
        what: String,
    },
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoState {
    /// There is nothing that could be put back.
    None,
    Ready,
    Running {
        run: RunId,
    },
    Done {
        run: RunId,
        at: UnixMillis,
    },
}

/// What is asked of the audit journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuestion {
    /// Part of who or what, whatever its case; empty for all.
    pub text: String,
    /// Only entries before this one; none for the newest.
    pub before: Option<u64>,
}

/// Entries of the audit journal, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// There are older ones that fit.
    pub has_more: bool,
}

impl AuditPage {
    /// How many entries a page has at most.
    pub const ENTRIES: usize = 100;
}

/// Who asked for what, written before it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Grows with every entry of a state folder.
    pub number: u64,
    pub at: UnixMillis,
    pub who: String,
    pub what: String,
}
