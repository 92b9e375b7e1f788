//! What travels on the stream: one snapshot, then events; a slow reader gets a fresh snapshot.

use serde::{Deserialize, Serialize};

use super::{PanelEvent, PanelState, UnixMillis};

/// Counts the events of one server start; a gap means something was missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateRevision(pub u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LiveMessage {
    /// `now` lets the page correct for a clock that differs from the server's.
    Snapshot {
        revision: StateRevision,
        now: UnixMillis,
        role: Role,
        state: Box<PanelState>,
    },
    Event {
        revision: StateRevision,
        event: PanelEvent,
    },
    /// Nothing happened; the stream is alive.
    Heartbeat {
        revision: StateRevision,
        now: UnixMillis,
    },
}

/// Who is looking. The server decides by the token; the page only hides what would be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Operator,
    Viewer,
}
