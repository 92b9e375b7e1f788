//! The last words of containers that ended badly, fetched once for every ending, redacted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{ContainerRow, ContainerState, Namespace, PanelState};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use tokio::sync::Notify;

use super::facts::LogTails;
use crate::engine::{Hub, Redactor};

const LINES: usize = 12;
const DEADLINE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Fetched logs; clones share them.
#[derive(Clone, Debug)]
pub struct CrashLogs {
    redactor: Redactor,
    fetched: Arc<Mutex<Fetched>>,
}

#[derive(Debug, Default)]
struct Fetched {
    tails: Arc<LogTails>,
    /// How often the container had restarted when its log was fetched.
    at_restart: BTreeMap<(String, String), u32>,
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

    pub fn read(&self) -> Arc<LogTails> {
        Arc::clone(&self.lock().tails)
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
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace.as_str());
        let mut changed = hub.changed();
        loop {
            changed.mark_unchanged();
            for wanted in self.wanted(hub) {
                let lines = fetch(&pods, &wanted).await.unwrap_or_default();
                self.keep(&wanted, &lines);
                look.notify_one();
            }
            if changed.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn wanted(&self, hub: &Hub) -> Vec<Wanted> {
        let crashed = hub.read(crashed);
        let fetched = self.lock();
        crashed
            .into_iter()
            .filter(|wanted| {
                let key = (wanted.uid.clone(), wanted.container.clone());
                fetched.at_restart.get(&key) != Some(&wanted.restarts)
            })
            .collect()
    }

    fn keep(&self, wanted: &Wanted, lines: &[String]) {
        let key = (wanted.uid.clone(), wanted.container.clone());
        let redacted = lines
            .iter()
            .map(|line| self.redactor.redact(line).into_owned())
            .collect::<Vec<_>>();
        let mut fetched = self.lock();
        fetched.at_restart.insert(key.clone(), wanted.restarts);
        // An empty answer says less than what was fetched before.
        if !redacted.is_empty() {
            let mut tails = LogTails::clone(&fetched.tails);
            tails.insert(key, redacted);
            fetched.tails = Arc::new(tails);
        }
    }
}

/// Containers that are down after a bad end, or back up after one.
fn crashed(state: &PanelState) -> Vec<Wanted> {
    let is_bad = |container: &ContainerRow| match &container.state {
        ContainerState::Terminated(end) => end.exit_code != 0,
        ContainerState::Waiting { reason, .. } => reason == "CrashLoopBackOff",
        ContainerState::Running { .. } | ContainerState::Unknown => {
            !container.ready && container.restarts > 0
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
                    previous: matches!(container.state, ContainerState::Running { .. }),
                })
        })
        .collect()
}

async fn fetch(pods: &Api<Pod>, wanted: &Wanted) -> Option<Vec<String>> {
    let params = LogParams {
        container: Some(wanted.container.clone()),
        previous: wanted.previous,
        tail_lines: i64::try_from(LINES).ok(),
        limit_bytes: Some(64 * 1024),
        ..LogParams::default()
    };
    let text = tokio::time::timeout(DEADLINE, pods.logs(&wanted.pod, &params))
        .await
        .ok()?
        .ok()?;
    let plain = crate::process::strip_escapes(&text);
    Some(
        plain
            .lines()
            .map(|line| line.chars().take(500).collect())
            .collect(),
    )
}
