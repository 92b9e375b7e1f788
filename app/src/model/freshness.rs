//! How old what is on the screen is. A stale value is never green.

use serde::{Deserialize, Serialize};

use super::UnixMillis;

/// Older than this without a sign of life is stale.
pub const STALE_AFTER_MS: u64 = 5_000;

/// The state of one source of facts (the API server, a watch, a builder's daemon).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// When the source last gave a sign of life (an answer to a heartbeat or any event); none: never.
    pub heard: Option<UnixMillis>,
    /// When the source was first found silent, if it is silent now.
    pub lost: Option<UnixMillis>,
}

impl Freshness {
    pub fn heard_at(now: UnixMillis) -> Self {
        Self {
            heard: Some(now),
            lost: None,
        }
    }

    /// The source stopped answering at `now`; what was heard before is kept, to show its age.
    pub fn lost_at(self, now: UnixMillis) -> Self {
        Self {
            heard: self.heard,
            lost: self.lost.or(Some(now)),
        }
    }

    /// Fresh: heard from lately and not known to be lost.
    pub fn is_fresh(&self, now: UnixMillis) -> bool {
        self.lost.is_none()
            && self
                .heard
                .is_some_and(|heard| now.since(heard) < STALE_AFTER_MS)
    }

    /// Age of the last sign of life in milliseconds; none when there never was one.
    pub fn age_ms(&self, now: UnixMillis) -> Option<u64> {
        self.heard.map(|heard| now.since(heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_turns_stale_and_a_loss_is_stale_at_once() {
        let fresh = Freshness::heard_at(UnixMillis(1_000));
        assert!(fresh.is_fresh(UnixMillis(5_999)));
        assert!(!fresh.is_fresh(UnixMillis(6_000)));
        let lost = fresh.lost_at(UnixMillis(1_500));
        assert!(!lost.is_fresh(UnixMillis(1_600)));
        assert_eq!(lost.age_ms(UnixMillis(2_000)), Some(1_000));
        assert!(!Freshness::default().is_fresh(UnixMillis(0)));
    }
}
