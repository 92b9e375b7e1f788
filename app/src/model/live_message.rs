//! What travels on the stream: one snapshot, then events; a slow reader gets a fresh snapshot.

use serde::{Deserialize, Serialize};

use super::{PanelEvent, PanelState, UnixMillis};

/// Counts the events of one server start; a gap means something was missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateRevision(pub u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

#[cfg(test)]
mod tests {
    use super::super::{Ending, Outcome, RunId, RunKind, RunView};
    use super::*;

    #[test]
    fn a_snapshot_with_runs_arrives_as_it_was_sent() {
        let mut state = PanelState::default();
        let run = RunView {
            id: RunId(7),
            kind: RunKind::Deploy,
            started: UnixMillis(1),
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: Some(Ending {
                at: UnixMillis(2),
                outcome: Outcome::Cancelled,
            }),
        };
        state.apply(&PanelEvent::RunStarted(Box::new(run)));
        for message in [
            LiveMessage::Snapshot {
                revision: StateRevision(3),
                now: UnixMillis(4),
                role: Role::Operator,
                state: Box::new(state),
            },
            LiveMessage::Event {
                revision: StateRevision(4),
                event: PanelEvent::RunLog {
                    run: RunId(7),
                    lines: vec![],
                },
            },
        ] {
            let json = serde_json::to_string(&message).expect("encodes");
            let arrived: LiveMessage = serde_json::from_str(&json).expect("decodes");
            assert_eq!(arrived, message);
        }
    }
}
