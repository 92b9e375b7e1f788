//! The setup room: what is here, what is missing and how to get it on this machine.
//! Checks run side by side, each with a deadline of its own; nothing is installed without a person.

mod checks;
mod fixes;
mod machine;
mod tool;
mod world;

use std::sync::Arc;
use std::time::Duration;

use app::model::{Check, CheckState, ClusterKind, Failure, Finding, Freshness, Need, PanelEvent};
use app::ports;
use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use crate::adapters::kube::kubeconfig;
use crate::cluster::ClusterRoom;
use crate::engine::{Core, Voice, clock};
use crate::images::ImagesRoom;
use crate::minikube::{Demand, MinikubeRoom};
use crate::process::Surroundings;
use crate::project::Project;

pub use fixes::{allow_docker, install, start_docker};
pub use machine::{OsFamily, memory as machine_memory};
pub use tool::{Reading, Tool, first_lines, look_at};

/// How often everything is looked at again without being asked.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Facts: checks a person does not want to hear of.
const MUTED: &str = "check-muted";

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
    minikube: MinikubeRoom,
    around: Surroundings,
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
        minikube: MinikubeRoom,
        around: Surroundings,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                images,
                minikube,
                around,
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
                () = room.follow_world() => {}
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

    /// A tool that was installed, a kubeconfig that was written, a daemon that was started: seen
    /// within seconds, without anyone pressing anything.
    async fn follow_world(&self) {
        let kubeconfig = kubeconfig::paths();
        let mut world = world::Watch::new(self.inner.around.clone(), kubeconfig);
        loop {
            world.changed().await;
            tracing::debug!("something changed on this machine: checking again");
            self.inner.again.notify_one();
            self.inner.minikube.look_again();
            self.inner.cluster.refresh_options().await;
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
        let context = self.context(Demand::default());
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
                    muted: self.is_muted(row.id),
                }))
            })
            .collect();
        self.core.hub.voice().publish_all(events);
    }

    fn context(&self, demand: Demand) -> checks::Context {
        self.core.hub.read(|state| checks::Context {
            kind: state.cluster.as_ref().map(|cluster| cluster.kind.clone()),
            server_version: state
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.version.clone()),
            who: state
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.who.clone())
                .map(|who| who.name),
            contexts: state.clusters.clone(),
            kubeconfig: state.kubeconfig_files.clone(),
            demand,
            around: self.around.clone(),
            spec: self.project.spec(),
            root: self.project.root.clone(),
            state_dir: self.core.state_dir.path().to_owned(),
            os: self.os,
        })
    }

    fn is_muted(&self, id: &str) -> bool {
        self.core.journal.get_fact(MUTED, id).is_some()
    }

    async fn round(&self) {
        let _one = self.round.lock().await;
        let started = Instant::now();
        self.check_project();
        self.check_cluster(Same::Renew);
        let project = Arc::clone(&self.project);
        let demand = tokio::task::spawn_blocking(move || Demand::of(&project))
            .await
            .unwrap_or_default();
        let context = Arc::new(self.context(demand));
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
                panel.checks.iter().any(|check| {
                    check.id == id
                        && check.state == state
                        && check.need == need
                        && check.muted == self.is_muted(id)
                })
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
            muted: self.is_muted(id),
        })));
    }
}

#[async_trait]
impl ports::Setup for SetupRoom {
    async fn recheck(&self) -> Result<(), Failure> {
        self.inner.again.notify_one();
        self.inner.minikube.look_again();
        self.inner.cluster.refresh_options_soon();
        self.inner.images.recheck();
        Ok(())
    }

    async fn mute(&self, check: String, muted: bool) -> Result<(), Failure> {
        let known = self
            .inner
            .core
            .hub
            .read(|state| state.checks.iter().find(|known| known.id == check).cloned());
        let Some(known) = known else {
            return Err(Finding::new(
                "UNKNOWN_CHECK",
                format!("There is no check {check}"),
                "The page may be older than this Slipway; load it again.",
            )
            .into());
        };
        match muted {
            true => {
                let journal = &self.inner.core.journal;
                journal.put_fact_durably(MUTED, &check, "yes").await?;
            }
            false => self.inner.core.journal.delete_fact(MUTED, &check),
        }
        let event = PanelEvent::Check(Box::new(Check { muted, ..known }));
        self.inner.core.hub.voice().publish(event);
        Ok(())
    }
}
