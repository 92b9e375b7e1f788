//! Live: the project's namespace, watched and folded into rows.
//! Watches say what changed; the cluster's heartbeat says whether that can still be believed.

pub mod asking;
mod delete_pod;
pub mod event_facts;
mod following;
mod forwarding;
pub mod image_proof;
mod logs;
mod metrics;
mod objects;
pub mod pod_facts;
pub mod pod_row;
pub mod probe;
mod reach;
mod recording;
mod resource_map;
pub mod rollout;
pub mod service_facts;
pub mod store;
pub mod table;
mod timeline;
mod watching;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::model::{
    BuiltImage, ComponentName, Failure, ImageState, LiveObject, LogFile, LogFrame, LogWish,
    ObjectKey, PanelState, ResourceMap, RunId, Timeline, UnixMillis,
};
use app::ports::Live;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::cluster::ClusterRoom;
use crate::engine::Core;
use crate::project::Project;
use crate::secrets::SecretsRoom;

#[derive(Debug)]
pub struct LiveRoom {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    secrets: Arc<SecretsRoom>,
    forwards: forwarding::Registry,
}

impl LiveRoom {
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        secrets: Arc<SecretsRoom>,
    ) -> Self {
        Self {
            core,
            project,
            cluster,
            secrets,
            forwards: forwarding::Registry::default(),
        }
    }

    fn namespace(&self) -> String {
        self.project.spec().namespace.to_string()
    }

    /// Watches the cluster in use, whichever that is.
    pub fn spawn(self: &Arc<Self>) {
        let room = Arc::clone(self);
        let stop = self.core.shutdown.clone();
        let name = self.project.spec().name.clone();
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.watch_clusters() => {}
                () = recording::record(&room.core, &name) => {}
            }
        });
    }
}

/// The images that were proved to be in the cluster, by component.
pub fn proved_images(state: &PanelState) -> BTreeMap<ComponentName, BuiltImage> {
    state
        .images
        .iter()
        .filter_map(|view| match &view.state {
            ImageState::InCluster { image, .. } => Some((view.component.clone(), image.clone())),
            ImageState::NotBuilt | ImageState::NotInCluster { .. } => None,
        })
        .collect()
}

#[async_trait]
impl Live for LiveRoom {
    async fn follow_logs(&self, wish: LogWish) -> Result<BoxStream<'static, LogFrame>, Failure> {
        let connected = self.cluster.connected()?;
        Ok(following::follow(&self.core, &connected, self.namespace(), wish).boxed())
    }

    async fn log_file(&self, wish: LogWish) -> Result<LogFile, Failure> {
        let connected = self.cluster.connected()?;
        Ok(following::whole(&self.core, &connected, self.namespace(), wish).await)
    }

    async fn timeline(&self, from: UnixMillis, to: UnixMillis) -> Result<Timeline, Failure> {
        let connected = self.cluster.connected()?;
        Ok(timeline::read(&self.core, &connected, from, to).await?)
    }

    async fn object(&self, key: ObjectKey, everything: bool) -> Result<LiveObject, Failure> {
        self.read_object(key, everything).await
    }

    async fn map(&self) -> Result<ResourceMap, Failure> {
        self.read_map().await
    }

    async fn delete_pod(&self, uid: String) -> Result<RunId, Failure> {
        self.start_delete_pod(uid).await
    }
}

pub use logs::last_lines;
