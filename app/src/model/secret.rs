//! What may be known of a secret: whether it is set, since when, how long about, and a keyed
//! fingerprint. Never the value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ComponentName, LiveTestKind, SecretKey, SecretKind, UnixMillis};

/// A secret value on its way in. It prints nothing, and the server wipes it after use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretInput(pub String);

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretInput(…)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretView {
    pub key: SecretKey,
    pub label: String,
    /// Where to get it, one or two sentences.
    pub help: String,
    pub kind: SecretKind,
    pub required: bool,
    /// The components whose pods read it.
    pub components: Vec<ComponentName>,
    /// A harmless value that makes sense on the practice cluster (a SQLite file, say), from `slipway.toml`.
    pub rehearsal: Option<String>,
    pub state: SecretState,
    /// How it can be tried out before it is stored; none when nothing can be asked.
    #[serde(default)]
    pub test: Option<LiveTestKind>,
    /// Where it is known from.
    #[serde(default)]
    pub origin: SecretOrigin,
    /// How long the value in the cluster is, roughly; none when it is not set or not known.
    #[serde(default)]
    pub length: Option<LengthClass>,
    /// The workloads that read it.
    #[serde(default)]
    pub users: Vec<SecretUser>,
}

impl SecretView {
    /// A secret of which nothing is known but its key.
    pub fn of_key(key: SecretKey) -> Self {
        Self {
            label: key.to_string(),
            help: String::new(),
            kind: SecretKind::Text,
            required: true,
            components: Vec::new(),
            rehearsal: None,
            state: SecretState::Unset,
            test: None,
            origin: SecretOrigin::Declared,
            length: None,
            users: Vec::new(),
            key,
        }
    }
}

/// Where a secret is known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretOrigin {
    /// `slipway.toml` names it.
    #[default]
    Declared,
    /// The manifests or the chart read it from the project's Secret, and `slipway.toml` does not
    /// name it.
    Proposed,
}

/// A workload that reads a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretUser {
    pub kind: String,
    pub name: String,
    /// It starts without the key as well.
    pub optional: bool,
    /// Takes whatever is in the Secret, and not this key by name.
    pub takes_all: bool,
    /// Where that is written.
    pub told_by: ToldBy,
}

/// Where it is known from that a workload reads a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToldBy {
    Manifests,
    Chart,
    /// Its pods, as they run.
    Cluster,
}

/// The length of a value, coarse enough to tell nothing and fine enough to notice half a paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LengthClass {
    Empty,
    UpTo16,
    UpTo64,
    UpTo256,
    Longer,
}

impl LengthClass {
    pub fn of(length: usize) -> Self {
        match length {
            0 => Self::Empty,
            1..=16 => Self::UpTo16,
            17..=64 => Self::UpTo64,
            65..=256 => Self::UpTo256,
            _ => Self::Longer,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::UpTo16 => "at most 16 characters",
            Self::UpTo64 => "17 to 64 characters",
            Self::UpTo256 => "65 to 256 characters",
            Self::Longer => "more than 256 characters",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// The cluster was not asked yet, or does not let us look.
    Unknown {
        why: String,
        /// When it was entered here, if it was: that much is known without looking.
        #[serde(default)]
        entered: Option<UnixMillis>,
    },
    Unset,
    /// In the cluster, with the fingerprint of what was entered here.
    Set {
        fingerprint: String,
        since: UnixMillis,
        /// The user of this machine who entered it.
        #[serde(default)]
        by: Option<String>,
    },
    /// Entered here, and changed in the cluster since by someone else.
    Drifted {
        fingerprint: String,
        /// When it was entered here.
        entered: UnixMillis,
        /// Who changed it and when, as far as the cluster tells.
        by: Option<String>,
        at: Option<UnixMillis>,
    },
    /// In the cluster, and never entered here.
    Foreign {
        fingerprint: String,
        by: Option<String>,
        at: Option<UnixMillis>,
    },
}

impl SecretState {
    pub fn is_set(&self) -> bool {
        matches!(
            self,
            Self::Set { .. } | Self::Drifted { .. } | Self::Foreign { .. }
        )
    }

    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown {
            why: why.into(),
            entered: None,
        }
    }
}

/// The project's Secret as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretObjectView {
    pub namespace: String,
    pub name: String,
    pub owner: SecretOwner,
    /// Its values can never be changed, only the whole object replaced.
    pub immutable: bool,
    /// Keys in the cluster that no workload reads and `slipway.toml` does not name, with who set them.
    pub unused: Vec<UnusedKey>,
    /// What cannot be known, one sentence each.
    pub unknown: Vec<String>,
}

/// Who keeps the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretOwner {
    /// There is none yet, or only Slipway and people wrote to it.
    Nobody,
    /// Part of a Helm release; the next upgrade puts the chart's values back.
    Helm { release: String, adopted: bool },
    /// A controller makes it from elsewhere (External Secrets, Sealed Secrets, cert-manager…) and
    /// writes over what anybody else enters.
    Controller {
        kind: String,
        name: String,
        adopted: bool,
    },
    /// Made by a tool that applies files: its next apply puts its keys back.
    Applied { by: String, adopted: bool },
}

impl SecretOwner {
    /// Whether values may be entered here without stepping on somebody's toes.
    pub fn lets_slipway_write(&self) -> bool {
        match self {
            Self::Nobody => true,
            Self::Helm { adopted, .. }
            | Self::Controller { adopted, .. }
            | Self::Applied { adopted, .. } => *adopted,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedKey {
    pub key: String,
    pub by: Option<String>,
    pub at: Option<UnixMillis>,
}
