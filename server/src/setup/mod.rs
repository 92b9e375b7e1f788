//! The setup room: what is here, what is missing and how to get it on this machine.
//! Checks run side by side, each with a deadline of its own; nothing is installed without a person.

mod checks;
mod fixes;
mod machine;
mod tool;

use std::sync::Arc;
use std::time::Duration;

use app::model::{Check, CheckState, ClusterKind, Failure, Freshness, Need, PanelEvent};
use app::ports;
use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use crate::cluster::ClusterRoom;
use crate::engine::{Core, Voice, clock};
use crate::images::ImagesRoom;
use crate::project::Project;

pub use fixes::{allow_docker, start_docker};
pub use machine::{OsFamily, memory as machine_memory};
pub use tool::{Reading, Tool, first_lines, look_at};

/// How often everything is looked at again without being asked.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Checks this machine, the project and the cluster; clones share the room.
#[derive(Clone, Debug)]
pub struct SetupRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    images: Arc<ImagesRoom>,
    os: OsFamily,
    again: Notify,
    /// One round at a time.
    round: Mutex<()>,
}

impl SetupRoom {
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        images: Arc<ImagesRoom>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                images,
                os: OsFamily::detect(),
                again: Notify::new(),
                round: Mutex::default(),
            }),
        }
    }

    /// Starts the first round and looks again from time to time.
    pub fn spawn(self: &Arc<Self>) {
        let room = Self::clone(self);
        let shutdown = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = room.keep_looking() => {}
                () = room.follow_cluster() => {}
            }
        });
    }

    /// Runs every check once and waits for the results; `slipway check` uses it directly.
    pub async fn check_all(&self) -> Vec<Check> {
        self.inner.round().await;
        self.inner.core.hub.read(|state| state.checks.clone())
    }

    async fn keep_looking(&self) {
        self.inner.announce();
        loop {
            self.inner.round().await;
            tokio::select! {
                () = self.inner.again.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// The cluster's own line must not be half a minute old.
    async fn follow_cluster(&self) {
        let mut changed = self.inner.core.hub.changed();
        let mut kind_before: Option<ClusterKind> = None;
        loop {
            let kind = self
                .inner
                .core
                .hub
                .read(|state| state.cluster.as_ref().map(|cluster| cluster.kind.clone()));
            self.inner.check_cluster(Same::Keep);
            if kind != kind_before {
                // What is required depends on it.
                kind_before = kind;
                self.inner.again.notify_one();
            }
            if changed.changed().await.is_err() {
                return;
            }
            // The hub may change many times a second; this line does not have to.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What to do about a line that says the same as before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    /// It was looked at again: the page shows how long ago.
    Renew,
    /// Leave it: this runs with every change of the store and must not make one itself.
    Keep,
}

impl Inner {
    /// Shows every line at once, in the page's order, before the first answers.
    fn announce(&self) {
        let context = self.context();
        let now = clock::now();
        let events = checks::ROWS
            .iter()
            .map(|row| {
                PanelEvent::Check(Box::new(Check {
                    id: row.id.to_owned(),
                    title: row.title.to_owned(),
                    need: checks::need(row.id, &context),
                    state: CheckState::Checking,
                    checked: now,
                }))
            })
            .collect();
        self.core.hub.voice().publish_all(events);
    }

    fn context(&self) -> checks::Context {
        checks::Context {
            kind: self
                .core
                .hub
                .read(|state| state.cluster.as_ref().map(|cluster| cluster.kind.clone())),
            spec: self.project.spec(),
            root: self.project.root.clone(),
            state_dir: self.core.state_dir.path().to_owned(),
            os: self.os,
        }
    }

    async fn round(&self) {
        let _one = self.round.lock().await;
        let started = Instant::now();
        self.check_project();
        self.check_cluster(Same::Renew);
        let context = Arc::new(self.context());
        let each = checks::ROWS
            .iter()
            .filter(|row| !matches!(row.id, "project" | "cluster"))
            .map(|row| {
                let context = Arc::clone(&context);
                async move {
                    let state = checks::run(row.id, &context).await;
                    self.publish(
                        row.id,
                        row.title,
                        checks::need(row.id, &context),
                        state,
                        Same::Renew,
                    );
                }
            });
        futures::future::join_all(each).await;
        tracing::debug!(
            took_ms = started.elapsed().as_millis(),
            "checked this machine"
        );
    }

    fn check_project(&self) {
        let state = match self.project.reload() {
            Ok(changed) => {
                let event = PanelEvent::Project(Box::new(self.project.view()));
                self.core.hub.voice().publish(event);
                if changed {
                    self.images.recheck();
                }
                CheckState::Ok {
                    evidence: checks::project_evidence(&self.project.spec()),
                }
            }
            Err(finding) => {
                self.core
                    .hub
                    .voice()
                    .publish(PanelEvent::ProjectProblem(Box::new(finding.clone())));
                CheckState::Broken {
                    finding: Box::new(finding),
                }
            }
        };
        self.publish("project", "Project", Need::Required, state, Same::Renew);
    }

    fn check_cluster(&self, same: Same) {
        let now = clock::now();
        let (state, voice) = self.core.hub.read_to_tell(|state| {
            let freshness = state
                .cluster
                .as_ref()
                .map_or(Freshness::default(), |cluster| cluster.freshness);
            checks::cluster_state(state.cluster.as_ref(), freshness.is_fresh(now))
        });
        self.publish_by(&voice, "cluster", "Cluster", Need::Required, state, same);
    }

    /// Into the store.
    fn publish(&self, id: &str, title: &str, need: Need, state: CheckState, same: Same) {
        self.publish_by(&self.core.hub.voice(), id, title, need, state, same);
    }

    fn publish_by(
        &self,
        voice: &Voice,
        id: &str,
        title: &str,
        need: Need,
        state: CheckState,
        same: Same,
    ) {
        let is_known = || {
            self.core.hub.read(|panel| {
                panel
                    .checks
                    .iter()
                    .any(|check| check.id == id && check.state == state && check.need == need)
            })
        };
        if same == Same::Keep && is_known() {
            return;
        }
        voice.publish(PanelEvent::Check(Box::new(Check {
            id: id.to_owned(),
            title: title.to_owned(),
            need,
            state,
            checked: clock::now(),
        })));
    }
}

#[async_trait]
impl ports::Setup for SetupRoom {
    async fn recheck(&self) -> Result<(), Failure> {
        self.inner.again.notify_one();
        self.inner.cluster.refresh_options_soon();
        self.inner.images.recheck();
        Ok(())
    }
}
