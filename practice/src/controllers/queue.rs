//! The work queue: each key is in it once, is worked on by one worker at a time, and comes back
//! later after a failure, a little later each time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FIRST_RETRY: Duration = Duration::from_millis(5);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How long to wait after this many failures in a row.
fn retry_delay(failures: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST_RETRY)
}

struct State<T> {
    ready: VecDeque<T>,
    waiting: HashSet<T>,
    processing: HashSet<T>,
    delayed: HashMap<T, Instant>,
    failures: HashMap<T, u32>,
}

/// A de-duplicating queue with delays and retries.
pub struct WorkQueue<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

impl<T> fmt::Debug for WorkQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue").finish_non_exhaustive()
    }
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                waiting: HashSet::new(),
                processing: HashSet::new(),
                delayed: HashMap::new(),
                failures: HashMap::new(),
            }),
            changed: Notify::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> WorkQueue<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for work on a key now. A key being worked on comes back when that work is done.
    pub fn add(&self, key: T) {
        let mut state = self.state();
        if state.waiting.insert(key.clone()) && !state.processing.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Asks for work on a key later; the earliest of several wishes counts.
    pub fn add_after(&self, key: T, delay: Duration) {
        let at = Instant::now() + delay;
        let mut state = self.state();
        let earliest = state.delayed.get(&key).map_or(at, |known| at.min(*known));
        state.delayed.insert(key, earliest);
        drop(state);
        self.changed.notify_one();
    }

    /// Asks for another try after a failure, with exponential back-off.
    pub fn add_rate_limited(&self, key: T) {
        let failures = {
            let mut state = self.state();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures += 1;
            *failures
        };
        self.add_after(key, retry_delay(failures));
    }

    /// Ends the back-off of a key.
    pub fn forget(&self, key: &T) {
        self.state().failures.remove(key);
    }

    /// The next key to work on; `None` once `shutdown` is cancelled. Every key received must be
    /// handed to `done`.
    pub async fn next(&self, shutdown: &CancellationToken) -> Option<T> {
        loop {
            let wake_at = match self.take() {
                Ok(key) => return (!shutdown.is_cancelled()).then_some(key),
                Err(wake_at) => wake_at,
            };
            let timer = async {
                match wake_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = self.changed.notified() => {}
                () = timer => {}
            }
        }
    }

    /// A ready key, or when the next delayed one falls due.
    fn take(&self) -> Result<T, Option<Instant>> {
        let mut state = self.state();
        let now = Instant::now();
        let due: Vec<T> = state
            .delayed
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            state.delayed.remove(&key);
            if state.waiting.insert(key.clone()) && !state.processing.contains(&key) {
                state.ready.push_back(key);
            }
        }
        let Some(key) = state.ready.pop_front() else {
            return Err(state.delayed.values().min().copied());
        };
        state.waiting.remove(&key);
        state.processing.insert(key.clone());
        let more = !state.ready.is_empty() || !state.delayed.is_empty();
        drop(state);
        if more {
            // Several wishes may have been folded into one wake-up: pass it on.
            self.changed.notify_one();
        }
        Ok(key)
    }

    /// Work on the key has ended; it is queued again if it was asked for meanwhile.
    pub fn done(&self, key: &T) {
        let mut state = self.state();
        state.processing.remove(key);
        if state.waiting.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_queued_once_and_comes_back_when_asked_for_during_its_work() {
        let (queue, shutdown) = (WorkQueue::default(), CancellationToken::new());
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.next(&shutdown).await, Some("a"));
        queue.add("a");
        assert!(queue.take().is_err(), "one worker at a time per key");
        queue.done(&"a");
        assert_eq!(queue.next(&shutdown).await, Some("a"));
        queue.done(&"a");
        assert!(queue.take().is_err());
    }

    #[tokio::test]
    async fn the_earliest_of_several_wishes_counts() {
        let (queue, shutdown) = (WorkQueue::default(), CancellationToken::new());
        let start = Instant::now();
        queue.add_after("a", Duration::from_secs(600));
        queue.add_after("a", Duration::from_millis(20));
        queue.add_after("a", Duration::from_secs(60));
        assert_eq!(queue.next(&shutdown).await, Some("a"));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(start.elapsed() < Duration::from_secs(60));
        assert_eq!(queue.take(), Err(None), "the later wishes are answered too");
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_a_limit() {
        let waits: Vec<Duration> = (1..40).map(retry_delay).collect();
        assert_eq!(waits[0], FIRST_RETRY);
        assert!(
            waits
                .windows(2)
                .all(|pair| pair[1] > pair[0] || pair[1] == LONGEST_RETRY)
        );
        assert_eq!(waits.last(), Some(&LONGEST_RETRY));
    }

    #[test]
    fn forgetting_ends_the_back_off() {
        let queue = WorkQueue::default();
        queue.add_rate_limited("a");
        queue.add_rate_limited("a");
        assert_eq!(queue.state().failures[&"a"], 2);
        queue.forget(&"a");
        assert!(queue.state().failures.is_empty());
    }

    #[tokio::test]
    async fn shutdown_ends_the_wait() {
        let (queue, shutdown) = (WorkQueue::<&str>::default(), CancellationToken::new());
        shutdown.cancel();
        assert_eq!(queue.next(&shutdown).await, None);
    }
}
