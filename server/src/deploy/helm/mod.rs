//! Helm: the project's chart, its values and its release, by the user's own `helm`.
//! What a release is, its records in the cluster say; helm is only asked to render and to change.

mod acts;
mod chart;
mod dependencies;
mod drift;
mod form;
mod history;
mod images;
mod layers;
mod line_diff;
mod places;
mod plan;
mod records;
mod run;
mod schema;
mod secret_shape;
mod stuck;
mod tool;
mod values;
mod watch_run;
mod words;
mod yaml;
mod yaml_edit;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::model::{
    Failure, HelmView, PanelEvent, ReleasePlan, ReleaseWish, RevisionComparison, RevisionDetail,
    RunId, SavePreview, ValueEdit, ValuesForm,
};
use app::ports::Releases;
use async_trait::async_trait;

use super::handovers::ChartObjects;
use super::preview::store::PreviewStore;
use crate::adapters::helm::record::Record;
use crate::cluster::ClusterRoom;
use crate::engine::Core;
use crate::project::Project;
use crate::secrets::SecretsRoom;
use tool::Tool;

/// How often the chart's files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The room; clones are the same room.
#[derive(Clone, Debug)]
pub struct ReleasesRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    secrets: Arc<SecretsRoom>,
    tool: Tool,
    /// Shared with the raw side, so that one page asks for differences in one way.
    previews: PreviewStore,
    view: Mutex<HelmView>,
    /// The release's records as the watch has them, by revision. Never shown as they are.
    records: Mutex<BTreeMap<u32, Arc<Record>>>,
}

impl ReleasesRoom {
    /// `program` is the helm to use; `previews` keeps the differences of the plans.
    pub fn new(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        secrets: Arc<SecretsRoom>,
        previews: PreviewStore,
        program: OsString,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                secrets,
                tool: Tool::new(program),
                previews,
                view: Mutex::default(),
                records: Mutex::default(),
            }),
        }
    }

    /// Keeps chart, tool and release up to date.
    pub fn spawn(&self) {
        let core = &self.inner.core;
        for work in [Work::Chart, Work::Records, Work::Drift] {
            let (room, stop) = (self.clone(), core.shutdown.clone());
            core.tasks.spawn(async move {
                let going = async {
                    match work {
                        Work::Chart => room.keep_reading_chart().await,
                        Work::Records => room.keep_watching_records().await,
                        Work::Drift => room.keep_looking_for_drift().await,
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = going => {}
                }
            });
        }
    }

    /// Changes what is shown, and shows it.
    fn update(&self, change: impl FnOnce(&mut HelmView)) {
        let mut view = self
            .inner
            .view
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut view);
        // Under the lock, so that two changes are shown in their order.
        self.inner
            .core
            .hub
            .voice()
            .publish(PanelEvent::Helm(Box::new(view.clone())));
    }

    async fn keep_reading_chart(&self) {
        let mut seen = None;
        loop {
            let project = Arc::clone(&self.inner.project);
            let now = tokio::task::spawn_blocking(move || places::fingerprint(&project)).await;
            let now = now.unwrap_or_default();
            if seen != Some(now) {
                seen = Some(now);
                self.look_at_chart().await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[async_trait]
impl Releases for ReleasesRoom {
    async fn check_chart(&self) -> Result<(), Failure> {
        self.inner.tool.forget().await;
        self.helm().await.ok();
        self.look_at_chart().await;
        Ok(())
    }

    async fn build_dependencies(&self) -> Result<RunId, Failure> {
        self.start_dependencies().await
    }

    async fn values(&self, edits: Vec<ValueEdit>) -> Result<ValuesForm, Failure> {
        self.form(edits).await
    }

    async fn plan_save(&self, edits: Vec<ValueEdit>, file: String) -> Result<SavePreview, Failure> {
        Ok(self.save_plan(&edits, &file).await?.0)
    }

    async fn save(&self, edits: Vec<ValueEdit>, file: String, hash: String) -> Result<(), Failure> {
        self.save_edits(&edits, &file, &hash).await
    }

    async fn plan(&self, wish: ReleaseWish) -> Result<ReleasePlan, Failure> {
        let connected = self.inner.cluster.connected()?;
        Ok(self.prepare(&connected, &wish).await?.plan)
    }

    async fn carry_out(&self, wish: ReleaseWish, plan_hash: String) -> Result<RunId, Failure> {
        self.start(wish, &plan_hash).await
    }

    async fn compare(&self, from: u32, to: u32) -> Result<RevisionComparison, Failure> {
        self.comparison(from, to)
    }

    async fn revision(&self, revision: u32) -> Result<RevisionDetail, Failure> {
        self.detail(revision)
    }
}

#[async_trait]
impl ChartObjects for ReleasesRoom {
    async fn rendered(&self) -> Result<(String, Vec<serde_json::Value>), Failure> {
        let objects = self.render_here().await?;
        let objects = objects.into_iter().map(|one| one.object).collect();
        Ok((self.release()?.to_string(), objects))
    }
}

#[derive(Clone, Copy)]
enum Work {
    Chart,
    Records,
    Drift,
}
