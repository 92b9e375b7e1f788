//! The room of minikube's profiles: which there are with their true state, making new ones, and
//! their life until they are deleted. Whichever cluster is in use.

mod advice;
mod demand;
mod download;
mod families;
mod follower;
mod life_run;
mod look;
mod offer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::{Failure, NewCluster, ProfileAct, ProfileName, RunId};
use app::ports;
use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};

use crate::cluster::ClusterRoom;
use crate::engine::Core;
use crate::process::Surroundings;
use crate::project::Project;
use crate::setup::OsFamily;

pub use demand::Demand;

/// How often the profiles are looked at without a sign of change, while someone looks at the page,
/// and while nobody does.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(120));

/// Clones are the same room.
#[derive(Clone, Debug)]
pub struct MinikubeRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    around: Surroundings,
    os: OsFamily,
    again: Notify,
    /// One look at a time.
    looking: Mutex<()>,
}

impl MinikubeRoom {
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        around: Surroundings,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                around,
                os: OsFamily::detect(),
                again: Notify::new(),
                looking: Mutex::default(),
            }),
        }
    }

    /// Looks at the profiles now and from time to time.
    pub fn spawn(&self) {
        let room = self.clone();
        let stop = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.keep_looking() => {}
                () = room.follow_cluster() => {}
            }
        });
    }

    /// Looks soon, because something may have changed.
    pub fn look_again(&self) {
        self.inner.again.notify_one();
    }

    async fn keep_looking(&self) {
        loop {
            self.look().await;
            let is_watched = self.inner.core.hub.read(|state| state.viewers > 0);
            let pause = if is_watched {
                LOOK_AGAIN.0
            } else {
                LOOK_AGAIN.1
            };
            tokio::select! {
                () = self.inner.again.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A cluster that stopped to answer, or answers again, may have been paused or stopped, and a
    /// page that was opened wants to see what is.
    async fn follow_cluster(&self) {
        let mut changed = self.inner.core.hub.changed();
        let sign = || {
            self.inner.core.hub.read(|state| {
                let lost = state
                    .cluster
                    .as_ref()
                    .map(|cluster| cluster.freshness.lost.is_some());
                (lost, state.viewers > 0)
            })
        };
        let mut before = sign();
        while changed.changed().await.is_ok() {
            let now = sign();
            if now != before {
                before = now;
                self.look_again();
            }
        }
    }

    /// The folder minikube keeps everything in.
    fn home(&self) -> Option<PathBuf> {
        home(&self.inner.around)
    }
}

/// `MINIKUBE_HOME`, with `.minikube` appended unless it ends so, else `~/.minikube`.
pub fn home(around: &Surroundings) -> Option<PathBuf> {
    match around.var("MINIKUBE_HOME").map(PathBuf::from) {
        Some(home) if home.ends_with(".minikube") => Some(home),
        Some(home) => Some(home.join(".minikube")),
        None => Some(PathBuf::from(around.var("HOME")?).join(".minikube")),
    }
}

#[async_trait]
impl ports::Minikube for MinikubeRoom {
    async fn create(&self, new: NewCluster) -> Result<RunId, Failure> {
        self.start_creating(new).await
    }

    async fn act(&self, act: ProfileAct, profile: ProfileName) -> Result<RunId, Failure> {
        self.start_acting(act, profile).await
    }
}
