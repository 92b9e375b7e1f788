//! The last words of containers that ended badly, fetched once for every ending, redacted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{ContainerRow, ContainerState, LogQuery, Namespace, PanelState, ProbeVerdict};
use futures::StreamExt as _;
use kube::Client;
use tokio::sync::Notify;

use super::facts::LogTails;
use crate::engine::{Hub, Redactor};
use crate::live::last_lines;

const LINES: u32 = 12;
/// A log may not be there yet when a container has just ended; then it is asked for again.
const TRIES: u32 = 3;
const DEADLINE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const AT_A_TIME: usize = 6;

/// Fetched logs; clones share them.
#[derive(Clone, Debug)]
pub struct CrashLogs {
    redactor: Redactor,
    fetched: Arc<Mutex<Fetched>>,
}

#[derive(Debug, Default)]
struct Fetched {
    /// Somebody fetches: what is not here yet will be.
    begun: bool,
    tails: Arc<LogTails>,
    /// At how many restarts of the container its log was asked for, and how often.
    asked: BTreeMap<(String, String), (u32, u32)>,
}

/// A container whose last words are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    uid: String,
    pod: String,
    container: String,
    restarts: u32,
    /// The container before the current one.
    previous: bool,
}

impl CrashLogs {
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            fetched: Arc::default(),
        }
    }

    /// What was fetched; none while nobody fetches.
    pub fn read(&self) -> Option<Arc<LogTails>> {
        let fetched = self.lock();
        fetched.begun.then(|| Arc::clone(&fetched.tails))
    }

    pub fn forget(&self) {
        *self.lock() = Fetched::default();
    }

    fn lock(&self) -> MutexGuard<'_, Fetched> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until dropped.
    pub async fn keep_fetching(
        &self,
        client: &Client,
        namespace: &Namespace,
        hub: &Hub,
        look: &Notify,
    ) {
        let mut changed = hub.changed();
        self.lock().begun = true;
        loop {
            changed.mark_unchanged();
            let wanted = futures::stream::iter(self.wanted(hub));
            wanted
                .for_each_concurrent(AT_A_TIME, |wanted| async move {
                    let query = LogQuery {
                        pod: wanted.pod.clone(),
                        container: wanted.container.clone(),
                        previous: wanted.previous,
                        tail: LINES,
                    };
                    let reading = last_lines(client, namespace.as_str(), &query, &self.redactor);
                    let lines = tokio::time::timeout(DEADLINE, reading).await;
                    if self.keep(&wanted, lines.unwrap_or_default()) {
                        look.notify_one();
                    }
                })
                .await;
            if changed.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Forgets pods that are gone, and tells whose log is still to be fetched.
    fn wanted(&self, hub: &Hub) -> Vec<Wanted> {
        let (ended, uids): (Vec<Wanted>, BTreeSet<String>) =
            hub.read(|state| (unwell(state), state.pods.keys().cloned().collect()));
        let mut fetched = self.lock();
        fetched.asked.retain(|(uid, _), _| uids.contains(uid));
        if fetched.tails.keys().any(|(uid, _)| !uids.contains(uid)) {
            let mut tails = LogTails::clone(&fetched.tails);
            tails.retain(|(uid, _), _| uids.contains(uid));
            fetched.tails = Arc::new(tails);
        }
        ended
            .into_iter()
            .filter(|wanted| {
                let asked = fetched.asked.get(&wanted.key());
                asked.is_none_or(|(restarts, tries)| *restarts != wanted.restarts || *tries < TRIES)
            })
            .collect()
    }

    /// True when there is something new to show.
    fn keep(&self, wanted: &Wanted, lines: Vec<String>) -> bool {
        let mut fetched = self.lock();
        let before = match fetched.asked.get(&wanted.key()) {
            Some((restarts, tries)) if *restarts == wanted.restarts => *tries,
            _ => 0,
        };
        // An empty answer says less than what was fetched before.
        let tries = if lines.is_empty() { before + 1 } else { TRIES };
        fetched.asked.insert(wanted.key(), (wanted.restarts, tries));
        // At last nothing is known, too: it printed nothing.
        let says_nothing = tries == TRIES && !fetched.tails.contains_key(&wanted.key());
        if lines.is_empty() && !says_nothing {
            return false;
        }
        let mut tails = LogTails::clone(&fetched.tails);
        tails.insert(wanted.key(), lines);
        fetched.tails = Arc::new(tails);
        true
    }
}

impl Wanted {
    fn key(&self) -> (String, String) {
        (self.uid.clone(), self.container.clone())
    }
}

/// Containers that are down after a bad end, or back up after one, or fail a probe.
fn unwell(state: &PanelState) -> Vec<Wanted> {
    let is_bad = |container: &ContainerRow| match &container.state {
        ContainerState::Terminated(end) => end.exit_code != 0,
        ContainerState::Waiting { reason, .. } => reason == "CrashLoopBackOff",
        ContainerState::Running { .. } | ContainerState::Unknown => {
            let fails = container
                .probes
                .values()
                .any(|probe| matches!(probe.verdict, ProbeVerdict::Failing { .. }));
            !container.ready && (container.restarts > 0 || fails)
        }
    };
    state
        .pods
        .values()
        .filter(|pod| pod.current && !pod.terminating && pod.component.is_some())
        .flat_map(|pod| {
            pod.containers
                .iter()
                .filter(|container| is_bad(container))
                .map(|container| Wanted {
                    uid: pod.uid.clone(),
                    pod: pod.name.clone(),
                    container: container.name.clone(),
                    restarts: container.restarts,
                    previous: container.restarts > 0
                        && matches!(container.state, ContainerState::Running { .. }),
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(restarts: u32) -> Wanted {
        Wanted {
            uid: "u".into(),
            pod: "p".into(),
            container: "c".into(),
            restarts,
            previous: false,
        }
    }

    fn pending(logs: &CrashLogs, wanted: &Wanted) -> bool {
        logs.lock()
            .asked
            .get(&wanted.key())
            .is_none_or(|(restarts, tries)| *restarts != wanted.restarts || *tries < TRIES)
    }

    #[test]
    fn a_log_is_fetched_once_per_restart_and_an_empty_one_is_tried_again() {
        let logs = CrashLogs::new(Redactor::default());
        assert!(!logs.keep(&wanted(1), vec![]));
        assert!(pending(&logs, &wanted(1)));
        assert!(logs.keep(&wanted(1), vec!["panic".into()]));
        assert!(!pending(&logs, &wanted(1)));
        assert!(pending(&logs, &wanted(2)));
        for _ in 0..TRIES {
            logs.keep(&wanted(2), vec![]);
        }
        assert!(!pending(&logs, &wanted(2)));
        assert_eq!(logs.lock().tails[&wanted(2).key()], ["panic"]);
    }

    #[test]
    fn that_a_container_printed_nothing_is_known_after_the_last_try_and_told_once() {
        let logs = CrashLogs::new(Redactor::default());
        let told: Vec<bool> = (0..=TRIES).map(|_| logs.keep(&wanted(1), vec![])).collect();
        assert_eq!(told, [false, false, true, false]);
        assert!(logs.lock().tails[&wanted(1).key()].is_empty());
        assert!(logs.read().is_none(), "nobody fetches");
    }

    #[test]
    fn logs_of_pods_that_are_gone_are_forgotten() {
        let logs = CrashLogs::new(Redactor::default());
        logs.keep(&wanted(1), vec!["panic".into()]);
        assert!(logs.wanted(&Hub::new()).is_empty());
        assert!(logs.lock().tails.is_empty());
    }
}
