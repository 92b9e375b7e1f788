//! What is here and what is missing on this machine.

use serde::{Deserialize, Serialize};

use super::{Finding, UnixMillis};

/// One line of the Setup page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable; docs/check-json.md has all of them.
    pub id: String,
    pub title: String,
    /// Whether the walk needs it on the chosen cluster, or it only adds something.
    pub need: Need,
    pub state: CheckState,
    pub checked: UnixMillis,
    /// A person does not want to hear of it; what it found is still shown.
    #[serde(default)]
    pub muted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    Required,
    Optional,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    Checking,
    /// With the evidence in one line: `29.7.2, 48 GB free`.
    Ok {
        evidence: String,
    },
    /// Not here; the finding says how to get it on this OS.
    Missing {
        finding: Box<Finding>,
    },
    /// Here, but something is wrong with it.
    Broken {
        finding: Box<Finding>,
    },
}
