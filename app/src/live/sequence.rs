//! Decides what to do with the next message: nothing may be missed and nothing applied twice.

use crate::model::{LiveMessage, StateRevision};

/// What a message means for the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Replaces everything.
    Replace,
    Apply,
    /// Known already.
    Ignore,
    /// Something was missed: a fresh snapshot is needed.
    Gap,
}

/// The revision the page stands at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence {
    at: Option<StateRevision>,
}

impl Sequence {
    pub fn judge(&mut self, message: &LiveMessage) -> Verdict {
        match (message, self.at) {
            (LiveMessage::Snapshot { revision, .. }, _) => {
                self.at = Some(*revision);
                Verdict::Replace
            }
            (_, None) => Verdict::Gap,
            (LiveMessage::Event { revision, .. }, Some(at)) => {
                if *revision <= at {
                    Verdict::Ignore
                } else if revision.0 == at.0 + 1 {
                    self.at = Some(*revision);
                    Verdict::Apply
                } else {
                    Verdict::Gap
                }
            }
            (LiveMessage::Heartbeat { revision, .. }, Some(at)) => {
                if *revision > at {
                    Verdict::Gap
                } else {
                    Verdict::Ignore
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PanelEvent, PanelState, Role, UnixMillis};

    fn snapshot(revision: u64) -> LiveMessage {
        LiveMessage::Snapshot {
            revision: StateRevision(revision),
            now: UnixMillis(0),
            role: Role::Operator,
            state: Box::new(PanelState::default()),
        }
    }

    fn event(revision: u64) -> LiveMessage {
        LiveMessage::Event {
            revision: StateRevision(revision),
            event: PanelEvent::Viewers(1),
        }
    }

    fn heartbeat(revision: u64) -> LiveMessage {
        LiveMessage::Heartbeat {
            revision: StateRevision(revision),
            now: UnixMillis(0),
        }
    }

    #[test]
    fn events_apply_once_and_in_order_and_a_hole_is_noticed() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.judge(&event(1)), Verdict::Gap);
        assert_eq!(sequence.judge(&snapshot(4)), Verdict::Replace);
        assert_eq!(sequence.judge(&event(4)), Verdict::Ignore);
        assert_eq!(sequence.judge(&event(5)), Verdict::Apply);
        assert_eq!(sequence.judge(&event(7)), Verdict::Gap);
        assert_eq!(sequence.judge(&event(6)), Verdict::Apply);
    }

    #[test]
    fn a_heartbeat_tells_of_an_event_that_never_came() {
        let mut sequence = Sequence::default();
        sequence.judge(&snapshot(4));
        assert_eq!(sequence.judge(&heartbeat(4)), Verdict::Ignore);
        assert_eq!(sequence.judge(&heartbeat(5)), Verdict::Gap);
    }
}
