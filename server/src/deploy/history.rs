//! The room's side of the revisions: who deploys, what came of it, comparing and going back.

use app::model::{
    Change, ChangeCounts, DeployOutcome, DeployRevision, Failure, Finding, NextAction,
    RevisionChange, RunKind, StepId,
};
use app::ports::Revisions;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::manifests::Manifest;
use super::plan::Prepared;
use super::preview::object_diff::object_diff;
use super::revisions::{Book, Elsewhere, Record, Unclaimed};
use super::{DeployRoom, words};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::engine::{RunError, clock};
use crate::project::ProjectSpec;

/// A node lists this many images at most, so a longer list may be cut.
const LIST_MAY_BE_CUT: usize = 50;

/// What a deploy has done so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub applied: Vec<String>,
    /// The record was made, so it has to be closed.
    pub claimed: bool,
}

impl DeployRoom {
    /// The project's records in this cluster.
    pub(super) fn book(&self, connected: &Connected) -> Book {
        let spec = self.project.spec();
        Book::new(
            &connected.client,
            spec.namespace.as_str(),
            &spec.name,
            self.holder(),
        )
        .deploying(self.core.hub.read(|state| {
            let mut runs = state.runs.values();
            runs.any(|run| run.kind == RunKind::Deploy && run.ending.is_none())
        }))
    }

    /// Names this installation, for as long as its state folder lives.
    fn holder(&self) -> String {
        let journal = &self.core.journal;
        journal.get_fact("installation", "id").unwrap_or_else(|| {
            let id = hex::encode(rand::random::<[u8; 8]>());
            journal.put_fact("installation", "id", &id);
            id
        })
    }

    /// The record as it is made before anything is applied.
    pub(super) fn summary(&self, prepared: &Prepared) -> DeployRevision {
        let count = |change: Change| {
            let objects = prepared.plan.objects.iter();
            u32::try_from(objects.filter(|object| object.change == change).count())
                .unwrap_or(u32::MAX)
        };
        let mut images: Vec<String> = prepared
            .objects
            .iter()
            .filter_map(|ready| super::templates::template(&ready.object))
            .filter_map(|template| template["spec"]["containers"].as_array())
            .flatten()
            .filter_map(|container| container["image"].as_str().map(str::to_owned))
            .collect();
        images.sort();
        images.dedup();
        DeployRevision {
            revision: prepared.revision,
            at: clock::now(),
            by: who(),
            outcome: DeployOutcome::Going,
            note: String::new(),
            images,
            counts: ChangeCounts {
                created: count(Change::Create),
                updated: count(Change::Update) + count(Change::Replace),
                deleted: count(Change::Delete),
                unchanged: count(Change::Unchanged),
            },
            back_to: prepared.back_to,
            has_objects: true,
        }
    }

    /// Makes the record: whoever makes it first deploys.
    pub(super) async fn claim(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        summary: &DeployRevision,
    ) -> Result<(), Finding> {
        let objects = prepared.objects.iter().map(|ready| &ready.object);
        let record = Record::of(objects, &self.core.redactor);
        match self.book(connected).claim(summary, &record).await {
            Ok(()) => Ok(()),
            Err(Unclaimed::Taken) => Err(outrun(summary.revision)),
            Err(Unclaimed::Elsewhere(elsewhere)) => Err(going_elsewhere(&elsewhere)),
            Err(Unclaimed::Kube(error)) => {
                Err(words::cluster_says_no("Recording the deploy", &error))
            }
        }
    }

    /// Writes down what came of a deploy. The answer says it in words when it did not get to its end.
    pub(super) async fn close(
        &self,
        connected: &Connected,
        prepared: &Prepared,
        mut summary: DeployRevision,
        done: &Done,
        result: &Result<String, RunError>,
    ) -> String {
        summary.outcome = match result {
            Ok(_) => DeployOutcome::Succeeded,
            Err(RunError::Cancelled) => DeployOutcome::Cancelled,
            Err(RunError::Failed(_)) => DeployOutcome::Failed,
        };
        if let Err(error) = result {
            let why = match error {
                RunError::Failed(finding) => format!("{}. ", finding.what),
                RunError::Cancelled => String::new(),
            };
            summary.note = format!("{why}{}", what_is_where(prepared, done));
        }
        let book = self.book(connected);
        let closed = async {
            book.close(&summary).await?;
            book.forget_old().await
        };
        if let Err(error) = closed.await {
            tracing::warn!(%error, revision = summary.revision, "the deploy's record was not closed");
        }
        summary.note
    }

    /// Refuses while another Slipway deploys.
    pub(super) async fn nobody_else_deploys(&self, connected: &Connected) -> Result<(), Failure> {
        let listed = self.book(connected).list().await;
        let (_, elsewhere) = listed.map_err(|error| words::cluster_says_no("Deploying", &error))?;
        match elsewhere {
            Some(elsewhere) => Err(going_elsewhere(&elsewhere).into()),
            None => Ok(()),
        }
    }

    /// The objects of a revision in the place of the manifests.
    pub(super) async fn recorded(
        &self,
        connected: &Connected,
        revision: u64,
    ) -> Result<(Vec<Manifest>, Vec<String>, Vec<Finding>), Failure> {
        let record = self.record(connected, revision).await?;
        let mut findings = vec![going_back(revision)];
        if !record.masked.is_empty() {
            findings.push(masked(revision, &record.masked));
        }
        if !record.secrets.is_empty() {
            findings.push(secrets_stay(&record.secrets));
        }
        let spec = self.project.spec();
        findings.extend(self.images_gone(connected, &spec, &record.objects).await);
        let manifests = record
            .objects
            .into_iter()
            .map(|object| Manifest {
                object,
                source: format!("revision {revision}"),
            })
            .collect();
        Ok((manifests, record.secrets, findings))
    }

    async fn record(&self, connected: &Connected, revision: u64) -> Result<Record, Failure> {
        let read = self.book(connected).read(revision).await;
        read.map_err(|error: KubeError| words::cluster_says_no("Reading the record", &error))?
            .ok_or_else(|| not_recorded(revision).into())
    }

    /// The components' images of a revision that no node has any more, as far as nodes say so.
    async fn images_gone(
        &self,
        connected: &Connected,
        spec: &ProjectSpec,
        objects: &[Value],
    ) -> Vec<Finding> {
        let nodes: Api<Node> = Api::all(connected.client.clone());
        let Ok(nodes) = within(REQUEST_LIMIT, nodes.list(&ListParams::default())).await else {
            return Vec::new();
        };
        let mut names: Vec<String> = Vec::new();
        for node in &nodes.items {
            let images = node
                .status
                .as_ref()
                .and_then(|status| status.images.as_ref());
            let Some(images) = images.filter(|images| images.len() < LIST_MAY_BE_CUT) else {
                return Vec::new();
            };
            let listed = images.iter().flat_map(|image| image.names.iter().flatten());
            names.extend(listed.map(|name| practice::images::normalize(name)));
        }
        let templates = objects.iter().filter_map(super::templates::template);
        let mut gone: Vec<String> = templates
            .filter_map(|template| template["spec"]["containers"].as_array())
            .flatten()
            .filter_map(|container| container["image"].as_str())
            .filter(|image| spec.component_of_image(image).is_some())
            .filter(|image| !names.contains(&practice::images::normalize(image)))
            .map(str::to_owned)
            .collect();
        gone.sort();
        gone.dedup();
        gone.iter().map(|image| image_gone(image)).collect()
    }
}

#[async_trait]
impl Revisions for DeployRoom {
    async fn compare(&self, from: u64, to: u64) -> Result<Vec<RevisionChange>, Failure> {
        let connected = self.cluster.connected()?;
        let before = self.record(&connected, from).await?.objects;
        let after = self.record(&connected, to).await?.objects;
        let same = |a: &Value, b: &Value| {
            a["kind"] == b["kind"] && a["metadata"]["name"] == b["metadata"]["name"]
        };
        let none = Value::Null;
        let mut pairs: Vec<(&Value, &Value)> = before
            .iter()
            .map(|a| (a, after.iter().find(|b| same(a, b)).unwrap_or(&none)))
            .collect();
        let new = after.iter().filter(|b| !before.iter().any(|a| same(a, b)));
        pairs.extend(new.map(|b| (&none, b)));
        Ok(pairs
            .into_iter()
            .filter_map(|(a, b)| {
                let diff = object_diff(a, b, None, &self.core.redactor);
                let change = match (a.is_null(), b.is_null()) {
                    (true, _) => Change::Create,
                    (_, true) => Change::Delete,
                    _ if diff.fields.is_empty() => return None,
                    _ => Change::Update,
                };
                let shown = if b.is_null() { a } else { b };
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Some(RevisionChange {
                    kind: text(&shown["kind"]),
                    name: text(&shown["metadata"]["name"]),
                    change,
                    fields: diff.fields,
                    more_fields: diff.more_fields,
                })
            })
            .collect())
    }
}

/// `ada@laptop`
fn who() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "someone".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    match host.trim() {
        "" => user,
        host => format!("{user}@{host}"),
    }
}

/// What of a plan is in the cluster and what is not.
fn what_is_where(prepared: &Prepared, done: &Done) -> String {
    let wanted: Vec<String> = prepared
        .objects
        .iter()
        .filter(|ready| ready.change != Change::Unchanged)
        .map(|ready| format!("{} {}", ready.kind(), ready.name()))
        .collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|name| !done.applied.contains(name))
        .cloned()
        .collect();
    let list = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    format!(
        "Applied: {}. Not applied: {}. Deploy again to finish, or go back to an earlier revision.",
        list(&done.applied),
        list(&missing)
    )
}

fn outrun(revision: u64) -> Finding {
    words::about_deploy(
        Finding::new(
            "PLAN_OUTDATED",
            "Somebody else deployed at the same moment",
            format!("Revision {revision} was taken a moment ago by another Slipway. Nothing was applied."),
        )
        .attention(),
    )
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Look at the new plan".to_owned(),
    })
}

fn going_elsewhere(elsewhere: &Elsewhere) -> Finding {
    words::about_deploy(
        Finding::new(
            "DEPLOY_ELSEWHERE",
            "Somebody else is deploying",
            format!(
                "Revision {} is being deployed by {} right now; two at once would undo each other's work.",
                elsewhere.revision, elsewhere.by
            ),
        )
        .attention(),
    )
    .next(NextAction::advice("Wait until it has ended, then look at the new plan"))
}

fn not_recorded(revision: u64) -> Finding {
    words::about_deploy(Finding::new(
        "REVISION_NOT_RECORDED",
        format!("The objects of revision {revision} are not recorded"),
        "The record was removed, or the objects were too large for one.",
    ))
    .next(NextAction::advice(
        "Check the manifests of that time out and deploy them",
    ))
}

fn going_back(revision: u64) -> Finding {
    words::about_deploy(
        Finding::new(
            "BACK_TO_REVISION",
            format!("This plan goes back to revision {revision}"),
            "It uses the objects and images as they were applied then, not your manifests.",
        )
        .attention(),
    )
    .next(NextAction::advice(
        "Refresh the plan to go by the manifests again",
    ))
}

fn masked(revision: u64, objects: &[String]) -> Finding {
    words::about_deploy(Finding::new(
        "REVISION_MASKED",
        format!("Revision {revision} cannot be put back whole"),
        "A secret value stood in its objects in the clear. It was masked in the record, so the value is not known any more.",
    ))
    .evidence("Masked", objects.join("\n"))
    .next(NextAction::advice("Move the value into a secret, and deploy the manifests"))
}

fn secrets_stay(names: &[String]) -> Finding {
    words::about_deploy(
        Finding::new(
            "SECRETS_STAY",
            "Secrets stay as they are",
            "Values of Secrets are never recorded, so going back does not change them.",
        )
        .attention(),
    )
    .evidence("Secrets of the manifests", names.join("\n"))
}

fn image_gone(image: &str) -> Finding {
    words::about_deploy(Finding::new(
        "REVISION_IMAGE_GONE",
        format!("The image {image} is not in the cluster any more"),
        "The revision ran it, and no node lists it; its pods could not start.",
    ))
    .next(NextAction::advice(
        "Build that version again, or go back to a revision whose images are there",
    ))
}
