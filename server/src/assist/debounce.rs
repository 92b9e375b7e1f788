//! What passes by itself is no problem: a finding is shown when its cause has lasted.

use std::collections::BTreeMap;
use std::time::Duration;

use app::model::{Finding, Severity};
use tokio::time::Instant;

const LASTS: Duration = Duration::from_secs(5);
/// These do not come and go by themselves.
const AT_ONCE: [&str; 3] = ["CLUSTER_UNREACHABLE", "IMAGE_OVER_BUDGET", "RUNS_AS_ROOT"];

/// Remembers since when each problem is seen.
#[derive(Debug, Default)]
pub struct Debounce {
    since: BTreeMap<String, Instant>,
}

impl Debounce {
    /// The findings that have lasted, and when the next one will have.
    pub fn lasting(
        &mut self,
        findings: Vec<Finding>,
        now: Instant,
    ) -> (Vec<Finding>, Option<Instant>) {
        let mut since = BTreeMap::new();
        let (mut lasting, mut next) = (Vec::new(), None);
        for finding in findings {
            let key = finding.key();
            let first = self.since.get(&key).copied().unwrap_or(now);
            since.insert(key, first);
            let ripe = if AT_ONCE.contains(&finding.code.as_str()) {
                first
            } else {
                first + LASTS
            };
            if ripe <= now {
                lasting.push(finding);
            } else {
                next = Some(next.map_or(ripe, |next: Instant| next.min(ripe)));
            }
        }
        self.since = since;
        debug_assert!(lasting.is_sorted_by_key(|finding| finding.severity == Severity::Attention));
        (lasting, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_is_shown() {
        let problem = || vec![Finding::new("CRASH_LOOP", "it crashes", "")];
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut debounce = Debounce::default();
        let (shown, next) = debounce.lasting(problem(), at(0));
        assert!(shown.is_empty());
        assert_eq!(next, Some(at(5000)));
        assert!(debounce.lasting(problem(), at(4999)).0.is_empty());
        assert_eq!(debounce.lasting(problem(), at(5000)).0.len(), 1);
        // Gone in between: it starts over.
        assert!(debounce.lasting(vec![], at(6000)).0.is_empty());
        assert!(debounce.lasting(problem(), at(6001)).0.is_empty());
    }

    #[test]
    fn a_silent_cluster_is_said_at_once() {
        let finding = Finding::new("CLUSTER_UNREACHABLE", "silent", "");
        let (shown, _) = Debounce::default().lasting(vec![finding], Instant::now());
        assert_eq!(shown.len(), 1);
    }
}
