//! The images room: builds the components' images and believes only what the cluster's runtime lists.
//! An image that disappears from the cluster is noticed while nobody builds anything.

mod build_run;
mod cargo_output;
pub mod context;
mod docker_build;
mod findings;
mod known;
mod nodes;
mod pack_build;
mod plan;
mod prove;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    BuiltImage, ComponentName, Failure, ImageState, ImageView, PanelEvent, RunId, RunKind,
};
use app::ports;
use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, Voice, clock};
use crate::project::Project;

use nodes::NodeImages;

/// How often clusters whose runtime can only be asked through a tool are asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long the nodes' first list may take before images count as not seen.
const FIRST_LIST: Duration = Duration::from_secs(5);

/// Builds images and knows which of them are proved; clones share the room.
#[derive(Clone, Debug)]
pub struct ImagesRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    /// The newest state of each component on the cluster in use.
    states: Mutex<BTreeMap<ComponentName, ImageView>>,
    /// What the nodes of the cluster in use list.
    nodes: watch::Sender<Arc<NodeImages>>,
    /// Wakes the verification up.
    verify: Notify,
}

impl ImagesRoom {
    pub fn new(core: Core, project: Arc<Project>, cluster: ClusterRoom) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                states: Mutex::default(),
                nodes: watch::Sender::default(),
                verify: Notify::new(),
            }),
        }
    }

    /// Starts to watch the cluster's images, whichever cluster is in use.
    pub fn spawn(self: &Arc<Self>) {
        let room = Self::clone(self);
        let shutdown = room.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = room.follow_cluster() => {}
            }
        });
    }

    /// The image of a component that is in the cluster now, by proof; a deploy uses its tag.
    pub fn proven(&self, component: &ComponentName) -> Option<BuiltImage> {
        match self.inner.states().get(component).map(|view| &view.state) {
            Some(ImageState::InCluster { image, .. }) => Some(image.clone()),
            _ => None,
        }
    }

    /// Compares what was built with what the cluster lists, again.
    pub fn recheck(&self) {
        self.inner.verify.notify_one();
    }

    async fn follow_cluster(&self) {
        let mut clusters = self.inner.cluster.watch();
        let mut id_before = None;
        loop {
            let connected = clusters.borrow_and_update().clone();
            let id = connected.as_ref().map(|connected| connected.id.clone());
            // A rebuilt client of the same cluster takes nothing away.
            if id != id_before {
                self.inner.states().clear();
                self.inner.nodes.send_replace(Arc::default());
                id_before = id;
            }
            tokio::select! {
                changed = clusters.changed() => if changed.is_err() { return },
                () = self.follow(connected) => {}
            }
        }
    }

    /// Stays with one cluster until dropped.
    async fn follow(&self, connected: Option<Arc<Connected>>) {
        let Some(connected) = connected else {
            self.inner.publish_unbuilt();
            return std::future::pending().await;
        };
        let watching = nodes::watch(&connected.client, &self.inner.nodes);
        let verifying = async {
            let mut nodes = self.inner.nodes.subscribe();
            let asks_a_tool = prove::asks_a_tool(&connected.kind);
            // Before the first list nobody can say that an image is not there.
            let listed = nodes.wait_for(|nodes| nodes.heard);
            let _ = tokio::time::timeout(FIRST_LIST, listed).await;
            loop {
                self.inner.verify_all(&connected).await;
                let again = async {
                    if asks_a_tool {
                        tokio::time::sleep(ASK_AGAIN).await;
                    } else {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    changed = nodes.changed() => if changed.is_err() { return },
                    () = self.inner.verify.notified() => {}
                    () = again => {}
                }
            }
        };
        tokio::join!(watching, verifying);
    }
}

impl Inner {
    fn states(&self) -> MutexGuard<'_, BTreeMap<ComponentName, ImageView>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the state of a component into the store.
    fn set_state(&self, voice: &Voice, view: ImageView) {
        self.states().insert(view.component.clone(), view.clone());
        voice.publish(PanelEvent::Image(Box::new(view)));
    }

    fn publish_unbuilt(&self) {
        let builds = self.project.spec();
        let voice = self.core.hub.voice();
        for component in &builds.components {
            let view = ImageView {
                component: component.name.clone(),
                builder: plan::usual_builder(component, None),
                state: ImageState::NotBuilt,
            };
            self.set_state(&voice, view);
        }
    }

    /// Says for every component whether what was built last is in this cluster.
    async fn verify_all(&self, connected: &Connected) {
        let spec = self.project.spec();
        let listing = prove::Listing::take(connected, &self.nodes).await;
        for component in &spec.components {
            let known = known::get(&self.core.journal, &connected.id, &component.name);
            let state = match known {
                None => ImageState::NotBuilt,
                Some(image) => match listing.has(&image) {
                    prove::Verdict::Listed => {
                        let proved = match self.states().get(&component.name) {
                            Some(ImageView {
                                state:
                                    ImageState::InCluster {
                                        image: same,
                                        proved,
                                    },
                                ..
                            }) if *same == image => *proved,
                            _ => clock::now(),
                        };
                        ImageState::InCluster { image, proved }
                    }
                    prove::Verdict::NotListed => ImageState::NotInCluster { image },
                    // Nothing was heard: what is shown stays, with the cluster's own age beside it.
                    prove::Verdict::Unknown => match self.states().get(&component.name) {
                        Some(shown) => shown.state.clone(),
                        None => ImageState::NotInCluster { image },
                    },
                },
            };
            let view = ImageView {
                component: component.name.clone(),
                builder: plan::usual_builder(component, Some(&connected.kind)),
                state,
            };
            self.set_state(&connected.voice, view);
        }
    }
}

#[async_trait]
impl ports::Images for ImagesRoom {
    async fn build(&self, components: Vec<ComponentName>) -> Result<RunId, Failure> {
        let connected = self.inner.cluster.changeable()?;
        if let Err(finding) = self.inner.project.reload() {
            self.inner
                .core
                .hub
                .voice()
                .publish(PanelEvent::ProjectProblem(Box::new(finding.clone())));
            return Err(finding.into());
        }
        self.inner
            .core
            .hub
            .voice()
            .publish(PanelEvent::Project(Box::new(self.inner.project.view())));
        let jobs = plan::jobs(&self.inner.project.spec(), &components, &connected.kind).await?;
        let stages = plan::stages(&jobs);
        let inner = Arc::clone(&self.inner);
        self.inner
            .core
            .runs
            .start(RunKind::Build, stages, move |run| async move {
                build_run::build(&inner, &connected, jobs, &run).await
            })
    }
}
