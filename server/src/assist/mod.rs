//! The assist room: Slipway's own diagnosis. Plain rules over what is known, no AI, works offline.
//! It looks again whenever something changes, and a condition must last before it is called a problem.

pub mod approvals;
mod cluster_facts;
pub mod command;
mod crash_logs;
mod debounce;
pub mod desk;
mod facts;
pub mod mcp;
mod order;
mod pack;
pub mod reading;
mod rules;
pub mod tools;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::model::{Finding, PanelEvent, PanelState, UnixMillis};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, Voice, clock};
use crate::project::Project;

use cluster_facts::SharedFacts;
use crash_logs::CrashLogs;
use debounce::Debounce;

pub use cluster_facts::ClusterFacts;
pub use facts::{Facts, LogTails};
pub use rules::{CODES, diagnose, page};

/// What is wrong by the panel's state alone: for those who have no watch of their own. It knows no
/// log lines and no Service's selector.
pub fn diagnose_state(state: &PanelState, now: UnixMillis) -> Vec<Finding> {
    diagnose(&Facts {
        state,
        cluster: &ClusterFacts::default(),
        logs: None,
        now,
    })
}

/// The state may change many times a second; this is often enough to look.
const THROTTLE: Duration = Duration::from_millis(250);
const TICK: Duration = Duration::from_secs(1);

/// Diagnoses what is wrong now; clones share the room.
#[derive(Clone, Debug)]
pub struct AssistRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    cluster_facts: SharedFacts,
    logs: CrashLogs,
    /// Which choice of a cluster the facts and logs are of.
    era: AtomicU64,
    look: Notify,
}

impl AssistRoom {
    pub fn new(core: Core, project: Arc<Project>, cluster: ClusterRoom) -> Self {
        let logs = CrashLogs::new(core.redactor.clone());
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                cluster_facts: SharedFacts::default(),
                logs,
                era: AtomicU64::new(0),
                look: Notify::new(),
            }),
        }
    }

    /// Starts to watch and to diagnose.
    pub fn spawn(self: &Arc<Self>) {
        let room = Self::clone(self);
        let shutdown = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = room.inner.keep_diagnosing() => {}
                () = room.inner.follow_cluster() => {}
            }
        });
    }

    /// What is wrong at this moment, without waiting for it to last.
    pub fn diagnose_now(&self) -> Vec<Finding> {
        self.inner.look().findings
    }
}

/// What is wrong, why pods are not ready, and the voice to say it with.
struct Look {
    findings: Vec<Finding>,
    reasons: BTreeMap<String, String>,
    voice: Voice,
}

impl Inner {
    async fn follow_cluster(&self) {
        let mut clusters = self.cluster.watch();
        loop {
            let connected = clusters.borrow_and_update().clone();
            let era = connected
                .as_ref()
                .map_or(0, |connected| connected.voice.era());
            if era != self.era.load(Ordering::Acquire) {
                self.cluster_facts.replace(ClusterFacts::default());
                self.logs.forget();
                self.era.store(era, Ordering::Release);
            }
            let following = async {
                let Some(connected) = connected else {
                    return std::future::pending().await;
                };
                self.watch(&connected).await;
            };
            tokio::select! {
                changed = clusters.changed() => if changed.is_err() { return },
                () = following => {}
            }
        }
    }

    async fn watch(&self, connected: &Connected) {
        let namespace = self.project.spec().namespace.clone();
        let facts = cluster_facts::watch(
            &connected.client,
            &namespace,
            &self.cluster_facts,
            &self.look,
        );
        let logs =
            self.logs
                .keep_fetching(&connected.client, &namespace, &self.core.hub, &self.look);
        tokio::join!(facts, logs);
    }

    async fn keep_diagnosing(&self) {
        let mut changed = self.core.hub.changed();
        let mut debounce = Debounce::default();
        let mut era = 0;
        loop {
            changed.mark_unchanged();
            let Look {
                findings,
                reasons,
                voice,
            } = self.look();
            if era != voice.era() {
                debounce.forget();
                era = voice.era();
            }
            let (findings, next) = debounce.lasting(findings, Instant::now());
            voice.publish_all(vec![
                PanelEvent::Findings(findings),
                PanelEvent::Reasons(reasons),
            ]);
            let ripe = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changed.changed() => if changed.is_err() { return },
                () = self.look.notified() => {}
                () = ripe => {}
                // Conditions such as "since 30 seconds" change without any event.
                () = tokio::time::sleep(TICK) => {}
            }
            tokio::time::sleep(THROTTLE).await;
        }
    }

    fn look(&self) -> Look {
        // The era first: the facts are emptied before it moves on.
        let era = self.era.load(Ordering::Acquire);
        let (cluster_facts, logs) = (self.cluster_facts.read(), self.logs.read());
        let nothing = ClusterFacts::default();
        let ((mut findings, mut reasons), voice) = self.core.hub.read_to_tell(|state| {
            let seen = state.cluster.as_ref().map_or(0, |cluster| cluster.era);
            // Just after a choice the facts may still be the old cluster's.
            let ours = era == seen;
            let facts = Facts {
                state,
                cluster: if ours { &cluster_facts } else { &nothing },
                logs: logs.as_deref().filter(|_| ours),
                now: clock::now(),
            };
            (diagnose(&facts), why::reasons(&facts))
        });
        for reason in reasons.values_mut() {
            *reason = self.core.redactor.redact(reason).into_owned();
        }
        for finding in &mut findings {
            finding.why = self.core.redactor.redact(&finding.why).into_owned();
            for evidence in &mut finding.evidence {
                evidence.text = self.core.redactor.redact(&evidence.text).into_owned();
            }
        }
        Look {
            findings,
            reasons,
            voice,
        }
    }
}
