//! The room's side of a change of hands: what is there, the plan of a switch, and the run.

use app::model::{
    DeployMode, Failure, Finding, Handover, NextAction, ObjectId, OwnedObject, OwnershipView,
    PanelEvent, RunId, RunKind, Severity,
};
use app::ports::Handovers;
use async_trait::async_trait;
use serde_json::Value;

use super::inventory::{self, Owned};
use super::ownership::{self, Handing};
use super::{DeployRoom, words};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::Connected;

/// Journal: handovers that were begun and not finished, by cluster and namespace.
const SCOPE: &str = "handover";

/// What a chart would install; the Helm room answers this.
#[async_trait]
pub trait ChartObjects: std::fmt::Debug + Send + Sync {
    /// The release's name, and the objects of the rendered chart without its hooks.
    async fn rendered(&self) -> Result<(String, Vec<Value>), Failure>;
}

impl DeployRoom {
    /// Tells this room who renders the project's chart. Once, when the rooms are put together.
    pub fn set_chart(&self, chart: std::sync::Arc<dyn ChartObjects>) {
        let _ = self.chart.set(chart);
    }

    /// Who owns what, from everything in the namespace.
    pub(super) fn ownership(&self, connected: &Connected, there: &[Owned]) -> OwnershipView {
        let spec = self.project.spec();
        let mut objects: Vec<OwnedObject> = there
            .iter()
            // What was entered in Secrets is nobody's deploy.
            .filter(|owned| !(owned.kind() == "Secret" && owned.name() == spec.secret_name))
            .map(|owned| OwnedObject {
                id: owned.id(),
                owner: ownership::owner(&owned.object, &spec.name),
            })
            .collect();
        objects.sort_by(|a, b| (&a.owner, &a.id).cmp(&(&b.owner, &b.id)));
        OwnershipView {
            objects,
            unfinished: self.unfinished(connected),
        }
    }

    fn unfinished(&self, connected: &Connected) -> Option<Handover> {
        let fact = self.core.journal.get_fact(SCOPE, &self.place(connected))?;
        serde_json::from_str(&fact).ok()
    }

    /// Names the cluster and the namespace.
    pub(super) fn place(&self, connected: &Connected) -> String {
        format!("{}/{}", connected.id, self.project.spec().namespace)
    }

    /// What stands in the way of a raw deploy onto these live objects (`null` where there is none).
    pub(super) fn guard<'a>(
        &self,
        connected: &Connected,
        live: impl Iterator<Item = &'a Value>,
    ) -> Vec<Finding> {
        let project = self.project.spec().name.clone();
        let live: Vec<OwnedObject> = live
            .filter(|object| object.is_object())
            .map(|object| OwnedObject {
                id: ownership::id(object),
                owner: ownership::owner(object, &project),
            })
            .collect();
        let mut findings = ownership::guard(DeployMode::Raw, None, &live);
        findings.extend(
            self.unfinished(connected)
                .as_ref()
                .map(ownership::unfinished),
        );
        findings
    }

    async fn there(
        &self,
        connected: &Connected,
        kinds: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<Owned>, KubeError> {
        inventory::everything(
            &connected.client,
            &mut Discovery::default(),
            self.project.spec().namespace.as_str(),
            kinds,
        )
        .await
    }

    /// The plan of a switch, with what is needed to carry it out.
    async fn plan_switch(
        &self,
        connected: &Connected,
        to: DeployMode,
    ) -> Result<(Handing, Handover), Failure> {
        let spec = self.project.spec();
        let (release, wanted) = match to {
            DeployMode::Raw => {
                let broken_off = self
                    .unfinished(connected)
                    .filter(|unfinished| unfinished.to == DeployMode::Raw)
                    .and_then(|unfinished| unfinished.release);
                (broken_off, self.manifest_ids().await?)
            }
            DeployMode::Helm => {
                let chart = self.chart.get().ok_or_else(no_chart)?;
                let (release, objects) = chart.rendered().await?;
                let ids = objects.iter().map(|object| self.placed(object)).collect();
                (Some(release), ids)
            }
        };
        let no = |error: KubeError| Failure::from(words::cluster_says_no("Planning", &error));
        let kinds: Vec<(String, String)> = wanted
            .iter()
            .map(|id: &ObjectId| (id.api_version.clone(), id.kind.clone()))
            .collect();
        let mut there = self.there(connected, kinds).await.map_err(no)?;
        there.retain(|owned| !(owned.kind() == "Secret" && owned.name() == spec.secret_name));
        let handing = Handing {
            project: spec.name.clone(),
            namespace: spec.namespace.to_string(),
            to,
            wanted,
            release,
        };
        let handover = handing.plan(&connected.client, &there).await.map_err(no)?;
        Ok((handing, handover))
    }

    async fn manifest_ids(&self) -> Result<Vec<ObjectId>, Failure> {
        let spec = self.project.spec();
        if spec.deploy.manifests.is_empty() {
            return Err(words::no_manifests_named().into());
        }
        let reading = self.read_manifests(&spec).await;
        // A file that cannot be read would make its objects look unwanted.
        let broken = |finding: &&Finding| finding.severity == Severity::Failed;
        if let Some(finding) = reading.findings.iter().find(broken) {
            return Err(finding.clone().into());
        }
        let ids = reading.manifests.iter();
        Ok(ids.map(|manifest| self.placed(&manifest.object)).collect())
    }

    /// The object's name, in the project's namespace where it names none.
    fn placed(&self, object: &Value) -> ObjectId {
        let mut id = ownership::id(object);
        if id.namespace.is_empty() {
            id.namespace = self.project.spec().namespace.to_string();
        }
        id
    }
}

#[async_trait]
impl Handovers for DeployRoom {
    async fn plan_handover(&self, to: DeployMode) -> Result<Handover, Failure> {
        let connected = self.cluster.connected()?;
        let (_, handover) = self.plan_switch(&connected, to).await?;
        connected
            .voice
            .publish(PanelEvent::Handover(Some(Box::new(handover.clone()))));
        Ok(handover)
    }

    async fn hand_over(&self, to: DeployMode, hash: String) -> Result<RunId, Failure> {
        let connected = self.cluster.changeable()?;
        let (handing, handover) = self.plan_switch(&connected, to).await?;
        if handover.hash != hash {
            connected
                .voice
                .publish(PanelEvent::Handover(Some(Box::new(handover))));
            return Err(words::plan_outdated().into());
        }
        let journal = &self.core.journal;
        let what = format!("hand {} to {}", connected.choice.label(), to.title());
        journal.audit("operator", &what).await?;
        let place = self.place(&connected);
        // Serializing the model cannot fail; an empty fact would only lose the reminder.
        let fact = serde_json::to_string(&handover).unwrap_or_default();
        journal.put_fact_durably(SCOPE, &place, &fact).await?;
        connected.voice.publish(PanelEvent::Handover(None));
        let room = self.handle();
        let stages = ownership::stages(&handover);
        self.core
            .runs
            .start(RunKind::Handover, stages, move |run| async move {
                let done = ownership::hand_over(&connected.client, &handing, &handover, &run).await;
                if done.is_ok() {
                    room.core.journal.delete_fact(SCOPE, &place);
                }
                room.look_quietly(&connected).await;
                connected.voice.publish(PanelEvent::Plan(None));
                done
            })
    }

    async fn dismiss_handover(&self) -> Result<(), Failure> {
        self.core.hub.voice().publish(PanelEvent::Handover(None));
        Ok(())
    }
}

fn no_chart() -> Failure {
    Finding::new(
        "HELM_NOT_SET_UP",
        "The project has no chart",
        "slipway.toml names none, so there is no release to switch to.",
    )
    .next(NextAction::advice(
        "Add [deploy] chart = \"chart\" to slipway.toml",
    ))
    .into()
}
