//! Deploy: the plan, the apply and the rollout.
//! Nothing is applied that was not planned, and a deploy is done when the rollout is.

mod apply_run;
pub mod causes;
mod down;
mod drift;
pub mod drill;
mod follow_rollout;
pub mod handovers;
pub mod helm;
mod history;
pub mod hopeless;
pub mod identity;
pub mod inventory;
pub mod manifests;
pub mod merge_patch;
pub mod ownership;
mod patience;
mod plan;
mod pod_evidence;
pub mod policy;
pub mod preview;
pub mod replica_sets;
mod restart_stale;
pub mod retry;
pub mod revisions;
pub mod rollout_pods;
mod steer;
pub mod templates;
mod words;
pub mod workload;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use app::model::{DeployPlan, Failure, ObjectDiff, PanelEvent, PlanChoices, RunId, RunKind};
use app::ports::Deploys;
use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::{ClusterRoom, Connected};
use crate::engine::Core;
use crate::project::{Project, ProjectSpec};
use crate::secrets::SecretsRoom;

pub use down::DownScope;
pub(crate) use follow_rollout::Follower;
pub use handovers::ChartObjects;
use preview::store::PreviewStore;

/// How often the objects are asked what deploy they carry.
const LOOK_EVERY: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct DeployRoom {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    secrets: Arc<SecretsRoom>,
    /// Plans are made one after the other, so that the newest one is the one that is shown.
    planning: Mutex<()>,
    /// Who renders the project's chart; set once by the panel.
    chart: OnceLock<Arc<dyn ChartObjects>>,
    /// Stops the plan that is being made.
    stop_planning: std::sync::Mutex<CancellationToken>,
    previews: PreviewStore,
    /// What the last looks for drift found.
    seen: drift::SeenObjects,
}

impl DeployRoom {
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
            planning: Mutex::default(),
            chart: OnceLock::new(),
            stop_planning: std::sync::Mutex::default(),
            previews: PreviewStore::default(),
            seen: drift::SeenObjects::default(),
        }
    }

    /// Where the differences of plans are kept until a page asks for them.
    pub fn previews(&self) -> PreviewStore {
        self.previews.clone()
    }

    /// Keeps saying what is deployed, by the objects themselves.
    pub fn spawn(self: &Arc<Self>) {
        let room = Arc::clone(self);
        let stop = self.core.shutdown.clone();
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.keep_looking() => {}
            }
        });
    }

    async fn keep_looking(&self) {
        let mut clusters = self.cluster.watch();
        loop {
            let connected = clusters.borrow_and_update().clone();
            if let Some(connected) = connected {
                self.look_quietly(&connected).await;
            }
            tokio::select! {
                changed = clusters.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Reads from the live objects which deploy they carry, and says so.
    pub async fn look(&self, connected: &Connected) -> Result<(), KubeError> {
        let spec = self.project.spec();
        let there = inventory::everything(
            &connected.client,
            &mut Discovery::default(),
            spec.namespace.as_str(),
            [],
        )
        .await?;
        let own = there
            .iter()
            .map(|owned| &owned.object)
            .filter(|object| identity::belongs_to(object, &spec.name));
        let ownership = self.ownership(connected, &there);
        self.secrets
            .saw_workloads(there.iter().map(|owned| &owned.object));
        let (revisions, _) = self.book(connected).list().await?;
        connected.voice.publish_all(vec![
            PanelEvent::Revisions(revisions),
            PanelEvent::Deployed(inventory::deployed(own)),
            PanelEvent::Ownership(Some(Box::new(ownership))),
        ]);
        self.look_for_drift(connected, &there).await
    }

    /// All manifests of the project, as one set.
    async fn read_manifests(&self, spec: &ProjectSpec) -> manifests::Reading {
        let roots = spec.deploy.manifests.iter();
        let roots = roots.map(|shown| (self.project.path(shown), shown.clone()));
        manifests::read_all(roots.collect()).await
    }

    /// The same after something was done: whatever came of it, the page shows what the objects say.
    async fn look_quietly(&self, connected: &Connected) {
        if let Err(error) = self.look(connected).await {
            tracing::debug!(%error, "could not look what is deployed");
        }
    }

    async fn plan_and_show(
        &self,
        connected: &Connected,
        choices: &PlanChoices,
    ) -> Result<plan::Prepared, Failure> {
        let _one = self.planning.lock().await;
        let stop = CancellationToken::new();
        *self.stop_token() = stop.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(connected, choices) => prepared,
            () = stop.cancelled() => Err(words::planning_stopped().into()),
        };
        connected.voice.publish(PanelEvent::Planning(None));
        let prepared = prepared?;
        self.previews
            .put(&prepared.plan.hash, choices, &prepared.previewed);
        connected
            .voice
            .publish(PanelEvent::Plan(Some(Box::new(prepared.plan.clone()))));
        Ok(prepared)
    }

    fn stop_token(&self) -> std::sync::MutexGuard<'_, CancellationToken> {
        self.stop_planning
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Deploys for DeployRoom {
    async fn plan(&self, choices: PlanChoices) -> Result<DeployPlan, Failure> {
        let connected = self.cluster.connected()?;
        Ok(self.plan_and_show(&connected, &choices).await?.plan)
    }

    async fn stop_planning(&self) -> Result<(), Failure> {
        self.stop_token().cancel();
        Ok(())
    }

    async fn object_diff(
        &self,
        plan_hash: String,
        key: String,
        everything: bool,
    ) -> Result<ObjectDiff, Failure> {
        self.previews
            .get(&plan_hash, &key, everything)
            .ok_or_else(|| words::plan_outdated().into())
    }

    async fn deploy(&self, plan_hash: String, prune: bool) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        self.nobody_else_deploys(&connected).await?;
        let choices = self.previews.choices(&plan_hash);
        let prepared = self.plan_and_show(&connected, &choices).await?;
        if prepared.plan.hash != plan_hash {
            return Err(words::plan_outdated().into());
        }
        if let Some(blocker) = prepared.blocker() {
            return Err(blocker.clone().into());
        }
        if !prepared.deletions.is_empty() && !prune {
            return Err(words::prune_unconfirmed(&prepared.deletions).into());
        }
        self.core
            .journal
            .audit(
                "operator",
                &format!("deploy plan {plan_hash} to {}", connected.choice.label()),
            )
            .await?;
        let stages = apply_run::stages(&prepared, &self.project.spec());
        let room = self.handle();
        self.core
            .runs
            .start(RunKind::Deploy, stages, move |run| async move {
                room.carry_out(connected, prepared, run).await
            })
    }
}
