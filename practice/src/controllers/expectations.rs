//! What a controller has asked for and its cache does not show yet. Until it does, counting the
//! cache would create or delete twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key::ObjectKey;

/// After this long an expectation is given up: whatever was asked for must have got lost.
const GIVE_UP: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Expected {
    /// UIDs of created objects not seen yet.
    creations: HashSet<String>,
    /// UIDs seen before the creating request had returned.
    early: HashSet<String>,
    /// Creating requests that have not returned yet.
    in_flight: usize,
    /// UIDs of deleted objects not seen to go yet.
    deletions: HashSet<String>,
    since: Instant,
}

/// The expectations of one controller, by the object it works for.
#[derive(Debug, Default)]
pub struct Expectations {
    by_key: Mutex<HashMap<ObjectKey, Expected>>,
}

impl Expectations {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Expected>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, key: &ObjectKey, change: impl FnOnce(&mut Expected)) {
        let mut by_key = self.lock();
        let expected = by_key.entry(key.clone()).or_insert_with(|| Expected {
            creations: HashSet::new(),
            early: HashSet::new(),
            in_flight: 0,
            deletions: HashSet::new(),
            since: Instant::now(),
        });
        expected.since = Instant::now();
        change(expected);
    }

    /// Whether the cache shows everything that was asked for.
    pub fn are_met(&self, key: &ObjectKey) -> bool {
        let mut by_key = self.lock();
        let Some(expected) = by_key.get(key) else {
            return true;
        };
        let met = expected.in_flight == 0
            && expected.creations.is_empty()
            && expected.deletions.is_empty();
        if met || expected.since.elapsed() > GIVE_UP {
            by_key.remove(key);
            return true;
        }
        false
    }

    /// A creating request is about to be sent.
    pub fn creation_sent(&self, key: &ObjectKey) {
        self.with(key, |expected| expected.in_flight += 1);
    }

    /// It returned: with the created object's UID, or nothing was created.
    pub fn creation_returned(&self, key: &ObjectKey, uid: Option<&str>) {
        self.with(key, |expected| {
            expected.in_flight = expected.in_flight.saturating_sub(1);
            if let Some(uid) = uid
                && !expected.early.remove(uid)
            {
                expected.creations.insert(uid.to_owned());
            }
            if expected.in_flight == 0 {
                expected.early.clear();
            }
        });
    }

    /// The cache shows this object.
    pub fn creation_seen(&self, key: &ObjectKey, uid: &str) {
        if let Some(expected) = self.lock().get_mut(key)
            && !expected.creations.remove(uid)
            && expected.in_flight > 0
        {
            expected.early.insert(uid.to_owned());
        }
    }

    /// A deleting request is about to be sent.
    pub fn deletion_sent(&self, key: &ObjectKey, uid: &str) {
        self.with(key, |expected| {
            expected.deletions.insert(uid.to_owned());
        });
    }

    /// The cache shows that the object goes or is gone, or the request failed.
    pub fn deletion_seen(&self, key: &ObjectKey, uid: &str) {
        if let Some(expected) = self.lock().get_mut(key) {
            expected.deletions.remove(uid);
        }
    }

    /// The object the expectations were for is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("shop", "web")
    }

    #[test]
    fn creations_are_met_when_each_is_seen_in_either_order() {
        let expectations = Expectations::default();
        expectations.creation_sent(&key());
        expectations.creation_sent(&key());
        expectations.creation_seen(&key(), "a");
        expectations.creation_returned(&key(), Some("a"));
        expectations.creation_returned(&key(), Some("b"));
        assert!(!expectations.are_met(&key()));
        expectations.creation_seen(&key(), "b");
        assert!(expectations.are_met(&key()));
    }

    #[test]
    fn a_failed_creation_is_not_waited_for() {
        let expectations = Expectations::default();
        expectations.creation_sent(&key());
        assert!(!expectations.are_met(&key()));
        expectations.creation_returned(&key(), None);
        assert!(expectations.are_met(&key()));
    }

    #[test]
    fn a_lost_deletion_is_given_up_in_the_end() {
        let expectations = Expectations::default();
        expectations.deletion_sent(&key(), "a");
        assert!(!expectations.are_met(&key()));
        let long_ago = Instant::now()
            .checked_sub(GIVE_UP + Duration::from_secs(1))
            .unwrap();
        expectations.lock().get_mut(&key()).unwrap().since = long_ago;
        assert!(expectations.are_met(&key()));
    }
}
