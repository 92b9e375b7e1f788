//! The images room: builds the components' images and believes only what the cluster's runtime lists.
//! An image that disappears from the cluster is noticed while nobody builds anything.

mod build_arguments;
mod build_progress;
mod build_run;
mod cargo_output;
pub mod context;
mod deliver;
mod destination;
mod docker_build;
mod dockerfile_lines;
mod findings;
mod going;
mod known;
mod nodes;
mod pack_build;
mod plan;
mod platform;
mod prove;
pub mod report;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Builder, BuiltImage, ComponentName, Failure, ImageState, ImageView, PanelEvent, Rebuild, RunId,
    RunKind,
};
use app::ports;
use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Core, Voice, clock};
use crate::project::{ComponentSpec, Project};

use destination::Way;
use going::Going;
use nodes::NodeImages;
use report::Reporter;

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
    going: Going,
    reporter: Reporter,
}

impl ImagesRoom {
    pub fn new(core: Core, project: Arc<Project>, cluster: ClusterRoom) -> Self {
        let reporter = Reporter::new(&core.state_dir);
        Self {
            inner: Arc::new(Inner {
                reporter,
                core,
                project,
                cluster,
                states: Mutex::default(),
                nodes: watch::Sender::default(),
                verify: Notify::new(),
                going: Going::default(),
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
        self.inner.reporter.wake();
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
            let reporting = self.inner.keep_reporting(connected.clone());
            tokio::select! {
                changed = clusters.changed() => if changed.is_err() { return },
                ((), ()) = async { tokio::join!(self.follow(connected), reporting) } => {}
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
            let source = prove::Source::of(&connected);
            // Before the first list nobody can say that an image is not there.
            let listed = nodes.wait_for(|nodes| nodes.heard);
            let _ = tokio::time::timeout(FIRST_LIST, listed).await;
            loop {
                self.inner.verify_all(&connected, &source).await;
                let again = async {
                    if source.must_be_polled() {
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
        let spec = self.project.spec();
        let voice = self.core.hub.voice();
        for component in &spec.components {
            let view = ImageView {
                component: component.name.clone(),
                builder: plan::usual_builder(component, None, None),
                builders: plan::builders(component),
                goes: String::new(),
                proof: String::new(),
                state: ImageState::NotBuilt,
            };
            self.set_state(&voice, view);
        }
    }

    /// A component's image on this cluster as everyone sees it.
    fn view(
        &self,
        component: &ComponentSpec,
        connected: &Connected,
        state: ImageState,
        proof: String,
    ) -> ImageView {
        let chosen = known::builder(&self.core.journal, &connected.id, &component.name);
        let registry = self.project.spec().registry.clone();
        ImageView {
            component: component.name.clone(),
            builder: plan::usual_builder(component, Some(&connected.kind), chosen),
            builders: plan::builders(component),
            goes: Way::of(&connected.kind, registry.as_deref())
                .map_or_else(|_| String::new(), |way| way.phrase()),
            proof,
            state,
        }
    }

    /// Says for every component whether what was built last is in this cluster.
    async fn verify_all(&self, connected: &Connected, source: &prove::Source) {
        let spec = self.project.spec();
        let listing = prove::Listing::take(source, &self.nodes).await;
        for component in &spec.components {
            let known = known::get(&self.core.journal, &connected.id, &component.name);
            let shown = self.states().get(&component.name).cloned();
            let (state, proof) = match known {
                None => (ImageState::NotBuilt, String::new()),
                Some(known) => judge(known, &listing, shown),
            };
            let view = self.view(component, connected, state, proof);
            self.set_state(&connected.voice, view);
        }
    }
}

/// What a fresh look says about an image that was built before.
fn judge(
    known: known::Known,
    listing: &prove::Listing,
    shown: Option<ImageView>,
) -> (ImageState, String) {
    let known::Known { image, proved } = known;
    match listing.has(&image) {
        prove::Verdict::Listed => match shown {
            // Seen before: what was said then stands.
            Some(ImageView {
                state:
                    ImageState::InCluster {
                        image: same,
                        proved,
                    },
                proof,
                ..
            }) if same == image => (ImageState::InCluster { image, proved }, proof),
            _ => (
                ImageState::InCluster {
                    image,
                    proved: clock::now(),
                },
                listing.proof(),
            ),
        },
        prove::Verdict::NotListed => (
            ImageState::NotInCluster {
                image,
                lost: proved.map(|proved| proved.at),
            },
            String::new(),
        ),
        // Nothing was heard: what is shown stays, with the cluster's own age beside it.
        prove::Verdict::Unknown => match shown {
            Some(shown) if is_about(&shown.state, &image) => (shown.state, shown.proof),
            _ => (
                ImageState::NotInCluster { image, lost: None },
                String::new(),
            ),
        },
    }
}

fn is_about(state: &ImageState, image: &BuiltImage) -> bool {
    match state {
        ImageState::NotBuilt => false,
        ImageState::NotInCluster { image: shown, .. }
        | ImageState::InCluster { image: shown, .. } => shown == image,
    }
}

#[async_trait]
impl ports::Images for ImagesRoom {
    async fn build(
        &self,
        components: Vec<ComponentName>,
        rebuild: Rebuild,
    ) -> Result<RunId, Failure> {
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
        let journal = &self.inner.core.journal;
        let chosen = |name: &ComponentName| known::builder(journal, &connected.id, name);
        let spec = self.inner.project.spec();
        let jobs = plan::jobs(&spec, &components, &connected.kind, rebuild, chosen).await?;
        let stages = plan::stages(&jobs);
        let inner = Arc::clone(&self.inner);
        self.inner
            .core
            .runs
            .start(RunKind::Build, stages, move |run| async move {
                build_run::build(&inner, &connected, jobs, &run).await
            })
    }
    async fn cancel_build(&self, component: ComponentName) -> Result<(), Failure> {
        // One that has ended meanwhile is what was wished for.
        self.inner.going.cancel(&component);
        Ok(())
    }

    async fn choose_builder(
        &self,
        component: ComponentName,
        builder: Builder,
    ) -> Result<(), Failure> {
        let connected = self.inner.cluster.connected()?;
        let spec = self.inner.project.spec();
        let Some(found) = spec.component(&component) else {
            return Err(plan::unknown_component(&component).into());
        };
        if !plan::builders(found).contains(&builder) {
            return Err(findings::not_described(&component, builder).into());
        }
        known::put_builder(&self.inner.core.journal, &connected.id, &component, builder);
        self.inner.verify.notify_one();
        Ok(())
    }
}
