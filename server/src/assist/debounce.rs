//! What passes by itself is no problem: a finding is shown when its cause has lasted.

use std::collections::BTreeMap;
use std::time::Duration;

use app::model::Finding;
use tokio::time::Instant;

const LASTS: Duration = Duration::from_secs(5);
/// A problem that was shown this lately comes back at once: a container that keeps crashing looks
/// well for moments, and must not be let off for five more seconds each time.
const RETURNS_WITHIN: Duration = Duration::from_secs(120);
/// These do not come and go by themselves.
const AT_ONCE: [&str; 2] = ["CLUSTER_UNREACHABLE", "IMAGE_OVER_BUDGET"];

/// Remembers since when each problem is seen, and when it was shown last.
#[derive(Debug, Default)]
pub struct Debounce {
    since: BTreeMap<String, Instant>,
    shown: BTreeMap<String, Instant>,
}

impl Debounce {
    /// The findings that have lasted, and when the next one will have.
    pub fn lasting(
        &mut self,
        findings: Vec<Finding>,
        now: Instant,
    ) -> (Vec<Finding>, Option<Instant>) {
        self.shown
            .retain(|_, last| now.duration_since(*last) < RETURNS_WITHIN);
        let mut since = BTreeMap::new();
        let (mut lasting, mut next) = (Vec::new(), None);
        for finding in findings {
            let key = finding.key();
            let first = self.since.get(&key).copied().unwrap_or(now);
            let is_known = self.shown.contains_key(&key);
            let ripe = if is_known || AT_ONCE.contains(&finding.code.as_str()) {
                first
            } else {
                first + LASTS
            };
            if ripe <= now {
                self.shown.insert(key.clone(), now);
                lasting.push(finding);
            } else {
                next = Some(next.map_or(ripe, |next: Instant| next.min(ripe)));
            }
            since.insert(key, first);
        }
        self.since = since;
        (lasting, next)
    }

    /// Another cluster: nothing of the old one counts.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Vec<Finding> {
        vec![Finding::new("CRASH_LOOP", "it crashes", "")]
    }

    #[test]
    fn only_what_lasts_is_shown() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut debounce = Debounce::default();
        let (shown, next) = debounce.lasting(problem(), at(0));
        assert!(shown.is_empty());
        assert_eq!(next, Some(at(5000)));
        assert!(debounce.lasting(problem(), at(4999)).0.is_empty());
        // Gone in between: it starts over.
        assert!(debounce.lasting(vec![], at(4999)).0.is_empty());
        assert!(debounce.lasting(problem(), at(5000)).0.is_empty());
        assert!(debounce.lasting(problem(), at(9999)).0.is_empty());
        assert_eq!(debounce.lasting(problem(), at(10_000)).0.len(), 1);
    }

    #[test]
    fn what_is_healed_is_gone_at_once_and_back_at_once_if_it_was_shown_lately() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut debounce = Debounce::default();
        debounce.lasting(problem(), at(0));
        assert_eq!(debounce.lasting(problem(), at(5)).0.len(), 1);
        assert!(debounce.lasting(vec![], at(6)).0.is_empty());
        assert_eq!(debounce.lasting(problem(), at(20)).0.len(), 1);
        assert!(debounce.lasting(vec![], at(21)).0.is_empty());
        // Long ago: it has to last again.
        assert!(debounce.lasting(problem(), at(200)).0.is_empty());
        assert_eq!(debounce.lasting(problem(), at(205)).0.len(), 1);
        debounce.forget();
        assert!(debounce.lasting(problem(), at(206)).0.is_empty());
    }

    #[test]
    fn a_silent_cluster_is_said_at_once() {
        let finding = Finding::new("CLUSTER_UNREACHABLE", "silent", "");
        let (shown, _) = Debounce::default().lasting(vec![finding], Instant::now());
        assert_eq!(shown.len(), 1);
    }
}
