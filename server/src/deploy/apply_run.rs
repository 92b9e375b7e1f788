//! Carries a plan out: apply in order, remove what is no longer wanted, follow the rollouts.
//! Killed halfway, nothing is lost: applying again finishes what was begun.

use std::sync::Arc;
use std::time::Duration;

use app::model::{Change, ComponentName, DeployRevision, PanelEvent, Stage, StageState};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::api::{Api, DynamicObject};
use serde_json::Value;

use super::follow_rollout::{Follower, Grown};
use super::history::Done;
use super::identity::stamp;
use super::manifests::rank;
use super::plan::{Prepared, Ready};
use super::retry::patiently;
use super::revisions::BEAT;
use super::{DeployRoom, words};
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::apply::{Applying, api, apply_as, delete, get};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle, StageHandle, clock};
use crate::project::ProjectSpec;

/// After one rollout has failed for good, the others get this long to end by themselves.
const OTHERS_WAIT: Duration = Duration::from_secs(10);
/// How long a definition may take to be established.
const ESTABLISHED_WAIT: Duration = Duration::from_secs(60);
/// How long a kind may take to be served after its definition was applied.
const NEW_KIND_WAIT: Duration = Duration::from_secs(15);

/// How long an object that is made anew may take to go: its pods have a grace period.
const REPLACED_WAIT: Duration = Duration::from_secs(60);

/// The whole run as it is announced.
pub(super) fn stages(prepared: &Prepared, project: &ProjectSpec) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let record = || {
        let title = format!("Record revision {}", prepared.revision);
        pending(RECORD.to_owned(), title, None)
    };
    for group in groups(prepared) {
        // The record lives in the namespace, and comes before everything else in it.
        if group.kind != "Namespace" && stages.iter().all(|stage| stage.id != RECORD) {
            stages.push(record());
        }
        let title = match group.objects.as_slice() {
            [one] => format!("Apply {} {}", one.kind(), one.name()),
            many => format!("Apply {} {}", many.len(), plural(&group.kind)),
        };
        stages.push(pending(group.id(), title, None));
    }
    if stages.iter().all(|stage| stage.id != RECORD) {
        stages.push(record());
    }
    if !prepared.deletions.is_empty() {
        let count = prepared.deletions.len();
        let things = if count == 1 { "object" } else { "objects" };
        stages.push(pending(
            REMOVE.to_owned(),
            format!("Remove {count} {things} no longer in the manifests"),
            None,
        ));
    }
    for workload in workloads(prepared) {
        let name = workload.name();
        let component = project
            .components
            .iter()
            .map(|component| &component.name)
            .find(|component| component.as_str() == name)
            .cloned();
        stages.push(pending(
            rollout_stage(workload),
            format!("Roll out {name}"),
            component,
        ));
    }
    stages
}

const REMOVE: &str = "remove";
const RECORD: &str = "record";

fn pending(id: String, title: String, component: Option<ComponentName>) -> Stage {
    Stage {
        id,
        title,
        component,
        state: StageState::Pending,
    }
}

fn rollout_stage(workload: &Ready) -> String {
    match workload.kind() {
        "Deployment" => format!("rollout/{}", workload.name()),
        kind => format!("rollout/{}/{}", kind.to_lowercase(), workload.name()),
    }
}

fn workloads(prepared: &Prepared) -> impl Iterator<Item = &Ready> {
    prepared
        .objects
        .iter()
        .filter(|ready| matches!(ready.kind(), "Deployment" | "StatefulSet" | "DaemonSet"))
}

fn plural(kind: &str) -> String {
    if kind.ends_with('y') && !kind.ends_with("ay") {
        format!("{}ies", &kind[..kind.len() - 1])
    } else if kind.ends_with('s') {
        format!("{kind}es")
    } else {
        format!("{kind}s")
    }
}

/// Objects of one kind, applied in one stage.
struct Group<'a> {
    kind: String,
    objects: Vec<&'a Ready>,
}

impl Group<'_> {
    fn id(&self) -> String {
        format!("apply/{}", self.kind.to_lowercase())
    }
}

fn groups(prepared: &Prepared) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for ready in &prepared.objects {
        match groups.iter_mut().find(|group| group.kind == ready.kind()) {
            Some(group) => group.objects.push(ready),
            None => groups.push(Group {
                kind: ready.kind().to_owned(),
                objects: vec![ready],
            }),
        }
    }
    groups.sort_by_key(|group| rank(&group.kind));
    groups
}

impl DeployRoom {
    /// The same room for a run's body, which outlives the call that started it.
    pub(super) fn handle(&self) -> Arc<Self> {
        let room = Self::new(
            self.core.clone(),
            self.project.clone(),
            self.cluster.clone(),
            self.secrets.clone(),
        );
        if let Some(chart) = self.chart.get() {
            room.set_chart(Arc::clone(chart));
        }
        Arc::new(room)
    }

    pub(super) async fn carry_out(
        &self,
        connected: Arc<Connected>,
        prepared: Prepared,
        run: RunHandle,
    ) -> Result<String, RunError> {
        let summary = self.summary(&prepared);
        let mut done = Done::default();
        let book = self.book(&connected);
        let beating = async {
            loop {
                tokio::time::sleep(BEAT).await;
                // A beat that is lost is made up for by the next.
                let _ = book.beat(summary.revision).await;
            }
        };
        let result = tokio::select! {
            result = self.apply_and_follow(&connected, &prepared, &summary, &run, &mut done) => result,
            () = beating => Err(RunError::Cancelled),
        };
        if done.claimed {
            let note = self
                .close(&connected, &prepared, summary, &done, &result)
                .await;
            if !note.is_empty() {
                run.stage(RECORD).log(note);
            }
        }
        self.look_quietly(&connected).await;
        connected.voice.publish(PanelEvent::Plan(None));
        result
    }

    async fn apply_and_follow(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        summary: &DeployRevision,
        run: &RunHandle,
        done: &mut Done,
    ) -> Result<String, RunError> {
        let mut grown = Vec::new();
        for group in groups(prepared) {
            if group.kind != "Namespace" && !done.claimed {
                self.make_record(connected, prepared, summary, run, done)
                    .await?;
            }
            let stage = run.stage(&group.id());
            if group
                .objects
                .iter()
                .all(|ready| ready.change == Change::Unchanged)
            {
                stage.skip("Unchanged");
                continue;
            }
            stage.start();
            let applied = self
                .apply_group(connected, prepared, &group, run, &stage, done)
                .await?;
            grown.extend(applied);
            if group.kind == "CustomResourceDefinition" {
                self.wait_established(connected, &group, &stage).await?;
            }
        }
        if !done.claimed {
            self.make_record(connected, prepared, summary, run, done)
                .await?;
        }
        if !prepared.deletions.is_empty() {
            self.remove(connected, prepared, run).await?;
        }
        self.follow_all(connected, prepared, &grown, run).await?;
        let changed = prepared
            .objects
            .iter()
            .filter(|ready| ready.change != Change::Unchanged)
            .count();
        Ok(format!(
            "Revision {}: {changed} of {} objects changed, everything is rolled out",
            prepared.revision,
            prepared.objects.len()
        ))
    }

    async fn make_record(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        summary: &DeployRevision,
        run: &RunHandle,
        done: &mut Done,
    ) -> Result<(), RunError> {
        let stage = run.stage(RECORD);
        stage.start();
        if let Err(finding) = self.claim(connected, prepared, summary).await {
            stage.fail(finding.clone());
            return Err(finding.into());
        }
        done.claimed = true;
        stage.succeed(format!("As {}", summary.by));
        Ok(())
    }

    /// A kind can be used when its definition is established.
    async fn wait_established(
        &self,
        connected: &Connected,
        group: &Group<'_>,
        stage: &StageHandle,
    ) -> Result<(), RunError> {
        let give_up = tokio::time::Instant::now() + ESTABLISHED_WAIT;
        for ready in &group.objects {
            let Some(served) = &ready.served else {
                continue;
            };
            let api = api(&connected.client, served, "");
            loop {
                let live = get(&api, ready.name()).await;
                let is_established = live.ok().flatten().is_some_and(|live| {
                    let conditions = live["status"]["conditions"].as_array();
                    conditions.into_iter().flatten().any(|condition| {
                        condition["type"] == "Established" && condition["status"] == "True"
                    })
                });
                if is_established {
                    break;
                }
                if tokio::time::Instant::now() > give_up {
                    let finding = words::not_established(ready.name());
                    stage.fail(finding.clone());
                    return Err(finding.into());
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        Ok(())
    }

    async fn apply_group(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        group: &Group<'_>,
        run: &RunHandle,
        stage: &StageHandle,
        done: &mut Done,
    ) -> Result<Vec<Grown>, RunError> {
        let mut grown = Vec::new();
        let at = clock::now();
        for ready in &group.objects {
            if run.cancelled().is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let named = format!("{}/{}", ready.kind().to_lowercase(), ready.name());
            if ready.change == Change::Unchanged {
                stage.log(format!("{named} unchanged"));
                continue;
            }
            let mut object = ready.object.clone();
            stamp(&mut object, prepared.revision, at);
            match self
                .apply_one(connected, prepared, ready, &object, (run, stage))
                .await
            {
                Ok(applied) => {
                    stage.log(format!("{named} serverside-applied"));
                    done.applied
                        .push(format!("{} {}", ready.kind(), ready.name()));
                    grown.push(Grown::of(ready.kind(), ready.name(), &applied));
                }
                Err(finding) => {
                    stage.fail((*finding).clone());
                    return Err(RunError::Failed(finding));
                }
            }
        }
        stage.succeed(match grown.len() {
            1 => "Applied".to_owned(),
            count => format!("{count} applied"),
        });
        Ok(grown)
    }

    async fn apply_one(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        ready: &Ready,
        object: &Value,
        (run, stage): (&RunHandle, &StageHandle),
    ) -> Result<Value, Box<app::model::Finding>> {
        let refused = |error: &_| {
            Box::new(words::refused(
                ready.kind(),
                ready.name(),
                &ready.source,
                error,
            ))
        };
        let served = match &ready.served {
            Some(served) => served.clone(),
            None => self
                .wait_for_kind(connected, object)
                .await
                .map_err(|error| refused(&error))?
                .ok_or_else(|| {
                    Box::new(words::kind_unknown(&super::manifests::Manifest {
                        object: object.clone(),
                        source: ready.source.clone(),
                    }))
                })?,
        };
        let api = api(&connected.client, &served, &prepared.namespace);
        if let Some(uid) = &ready.replaces {
            self.clear_the_way(&api, ready, uid)
                .await
                .map_err(|error| refused(&error))?;
        }
        let how = Applying {
            manager: FIELD_MANAGER,
            force: ready.force,
            dry_run: false,
        };
        let named = format!("{}/{}", ready.kind().to_lowercase(), ready.name());
        let applied = patiently(
            run.cancelled(),
            |why| stage.log(format!("{named}: {why}")),
            || apply_as(&api, ready.name(), object, how),
        )
        .await
        .map_err(|error| refused(&error))?;
        self.remember_applied(connected, &applied);
        Ok(applied)
    }

    /// Deletes the object that is to be made anew, and waits until it is gone.
    async fn clear_the_way(
        &self,
        api: &Api<DynamicObject>,
        ready: &Ready,
        uid: &str,
    ) -> Result<(), KubeError> {
        delete(api, ready.name(), Some(uid.to_owned())).await?;
        let give_up = tokio::time::Instant::now() + REPLACED_WAIT;
        loop {
            let there = get(api, ready.name()).await?;
            let is_same = there.is_some_and(|object| object["metadata"]["uid"] == uid);
            if !is_same {
                return Ok(());
            }
            if tokio::time::Instant::now() > give_up {
                return Err(KubeError::Silent(REPLACED_WAIT));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Its definition was applied a moment ago; the API server takes a little while to serve it.
    async fn wait_for_kind(
        &self,
        connected: &Connected,
        object: &Value,
    ) -> Result<
        Option<crate::adapters::kube::discovery::Served>,
        crate::adapters::kube::client::KubeError,
    > {
        let give_up = tokio::time::Instant::now() + NEW_KIND_WAIT;
        loop {
            let found = Discovery::default()
                .find(
                    &connected.client,
                    object["apiVersion"].as_str().unwrap_or_default(),
                    object["kind"].as_str().unwrap_or_default(),
                )
                .await?;
            if found.is_some() || tokio::time::Instant::now() > give_up {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn remove(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let stage = run.stage(REMOVE);
        stage.start();
        for owned in &prepared.deletions {
            if run.cancelled().is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let api = api(&connected.client, &owned.served, &prepared.namespace);
            match delete(&api, owned.name(), owned.uid()).await {
                Ok(_) => {
                    self.forget_applied(connected, owned);
                    stage.log(format!(
                        "{}/{} deleted",
                        owned.kind().to_lowercase(),
                        owned.name()
                    ));
                }
                Err(error) => {
                    let finding = words::refused(owned.kind(), owned.name(), "deleting", &error);
                    stage.fail(finding.clone());
                    return Err(finding.into());
                }
            }
        }
        stage.succeed(format!("{} removed", prepared.deletions.len()));
        Ok(())
    }

    /// Follows all rollouts at the same time. The first that fails for good decides.
    async fn follow_all(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        grown: &[Grown],
        run: &RunHandle,
    ) -> Result<(), RunError> {
        let mut followers: FuturesUnordered<_> = workloads(prepared)
            .map(|workload| {
                let stage = run.stage(&rollout_stage(workload));
                let (generation, template) = grown
                    .iter()
                    .find(|grown| grown.kind == workload.kind() && grown.name == workload.name())
                    .map_or((0, None), |grown| (grown.generation, grown.template));
                async move {
                    stage.start();
                    let follower = Follower {
                        core: &self.core,
                        connected,
                        namespace: &prepared.namespace,
                        stage: &stage,
                    };
                    let result = follower
                        .follow(workload.kind(), workload.name(), generation, template)
                        .await;
                    (stage, result)
                }
            })
            .collect();
        let mut failed = None;
        let mut others_until = None;
        loop {
            let deadline = async {
                match others_until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                () = run.cancelled().cancelled() => return Err(RunError::Cancelled),
                next = followers.next() => next,
                () = deadline => None,
            };
            let Some((stage, result)) = next else {
                break;
            };
            match result {
                Ok(note) => stage.succeed(note),
                Err(finding) => {
                    stage.fail(finding.clone());
                    failed.get_or_insert(finding);
                    others_until.get_or_insert_with(|| tokio::time::Instant::now() + OTHERS_WAIT);
                }
            }
        }
        match failed {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }
}
