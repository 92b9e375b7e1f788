//! Crash back-off as the kubelet keeps it: the first restart is immediate, then 10 s doubling to
//! 300 s, forgotten after a run of ten minutes.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(10);
const MAX: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    entry: Option<(Duration, Instant)>,
}

impl Backoff {
    /// How long to wait still, and the whole delay, for something that ended at `ended`.
    pub fn remaining(&self, ended: Instant, now: Instant) -> Option<(Duration, Duration)> {
        let (delay, updated) = self.entry?;
        if ended.saturating_duration_since(updated) > MAX * 2 {
            return None;
        }
        let waited = now.saturating_duration_since(ended);
        (waited < delay).then(|| (delay - waited, delay))
    }

    /// Notes a restart of something that ended at `ended`.
    pub fn next(&mut self, ended: Instant, now: Instant) {
        let delay = match self.entry {
            Some((delay, updated)) if ended.saturating_duration_since(updated) <= MAX * 2 => {
                (delay * 2).min(MAX)
            }
            _ => FIRST,
        };
        self.entry = Some((delay, now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Backoff;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_restart_is_immediate_and_delays_double_to_five_minutes() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert!(backoff.remaining(start, start).is_none());
        let mut delays = Vec::new();
        let mut now = start;
        for _ in 0..8 {
            backoff.next(now, now);
            let (left, delay) = backoff.remaining(now, now).unwrap();
            assert_eq!(left, delay);
            delays.push(delay.as_secs());
            now += delay;
            assert!(backoff.remaining(now - delay, now).is_none());
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_run_of_ten_minutes_forgets_the_past() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        backoff.next(start, start);
        backoff.next(start, start);
        let ended = at(start, 601);
        assert!(backoff.remaining(ended, ended).is_none());
        backoff.next(ended, ended);
        assert_eq!(backoff.remaining(ended, ended).unwrap().1.as_secs(), 10);
    }
}
