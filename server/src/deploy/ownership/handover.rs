//! A change of hands: planned, confirmed, and carried out object by object.
//! Each object changes whole, and the former owner's records go last: broken off anywhere, the
//! same wish finishes it, because the plan is made from what is left to do.

use std::time::Duration;

use app::model::{
    DeployMode, Finding, Handover, HandoverAct, HandoverObject, NextAction, ObjectId, Owner, Stage,
    StageState,
};
use kube::Client;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::marks::{hand_to_helm, hand_to_raw, is_done};
use super::owner;
use crate::adapters::kube::apply::{api, delete, get};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::discovery::Discovery;
use crate::deploy::identity::RECORD_OF;
use crate::deploy::inventory::Owned;
use crate::deploy::words::refused;
use crate::engine::{RunError, RunHandle, clock};

/// Not the manager of the applies: it holds the marks only, and no apply fights over them.
const MANAGER: &str = "slipway-handover";
/// How often an object is tried again when somebody else writes it at the same moment.
const TRIES: u32 = 6;

const TAKE: &str = "take";
const DELETE: &str = "delete";
const FORGET: &str = "forget";

/// Kinds that may hold data: they are left to nobody rather than deleted.
const KEPT: [&str; 2] = ["PersistentVolumeClaim", "Namespace"];

/// What a change of hands is about, beside the objects in the cluster.
#[derive(Clone, Debug)]
pub struct Handing {
    pub project: String,
    pub namespace: String,
    pub to: DeployMode,
    /// What the new owner's files describe: the manifests, or the rendered chart.
    pub wanted: Vec<ObjectId>,
    /// The release that is entered. To raw: further releases to leave (of a handover broken off).
    pub release: Option<String>,
}

impl Handing {
    /// What has to be done, from everything there is. Nothing is written.
    pub async fn plan(&self, client: &Client, there: &[Owned]) -> Result<Handover, KubeError> {
        let mut objects = Vec::new();
        let left = self.releases_left(there);
        for owned in there {
            let from = owner(&owned.object, &self.project);
            let id = owned.id();
            let is_wanted = self.wanted.iter().any(|wanted| wanted.is_same(&id));
            let act = match (self.to, &from) {
                (DeployMode::Raw, Owner::Helm { release, .. }) if left.contains(release) => {
                    Some(HandoverAct::Take)
                }
                (DeployMode::Helm, Owner::Raw) if !is_wanted => {
                    (!KEPT.contains(&owned.kind())).then_some(HandoverAct::Delete)
                }
                (DeployMode::Helm, Owner::Raw) => Some(HandoverAct::Take),
                (_, Owner::KubectlApply | Owner::Other { .. }) if is_wanted => {
                    Some(HandoverAct::Take)
                }
                _ => None,
            };
            if let Some(act) = act {
                objects.push(HandoverObject { id, from, act });
            }
        }
        objects.sort_by(|a, b| (a.act, &a.id).cmp(&(b.act, &b.id)));
        let release = match self.to {
            DeployMode::Raw => left.first().cloned(),
            DeployMode::Helm => self.release.clone(),
        };
        let records = self.records(client, &left).await?.len();
        let forgets = (records > 0).then(|| match self.to {
            DeployMode::Raw => format!(
                "{} of release {}",
                counted(records, "revision record"),
                left.join(", ")
            ),
            DeployMode::Helm => format!("{} of the raw deploys", counted(records, "record")),
        });
        let mut handover = Handover {
            hash: String::new(),
            at: clock::now(),
            to: self.to,
            release,
            findings: self.findings(&objects),
            objects,
            forgets,
        };
        handover.hash = hash(&handover);
        Ok(handover)
    }

    /// To raw: the releases that have objects which the manifests describe, and, where none has,
    /// the only release there is.
    fn releases_left(&self, there: &[Owned]) -> Vec<String> {
        if self.to != DeployMode::Raw {
            return Vec::new();
        }
        let of_helm = |wanted_only: bool| {
            let mut releases: Vec<String> = there
                .iter()
                .filter(|owned| {
                    !wanted_only || self.wanted.iter().any(|wanted| wanted.is_same(&owned.id()))
                })
                .filter_map(|owned| match owner(&owned.object, &self.project) {
                    Owner::Helm { release, .. } => Some(release),
                    _ => None,
                })
                .chain(self.release.clone())
                .collect();
            releases.sort();
            releases.dedup();
            releases
        };
        let overlapping = of_helm(true);
        if !overlapping.is_empty() {
            return overlapping;
        }
        let all = of_helm(false);
        if all.len() == 1 { all } else { Vec::new() }
    }

    fn findings(&self, objects: &[HandoverObject]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let leftover: Vec<String> = objects
            .iter()
            .filter(|object| {
                self.to == DeployMode::Raw
                    && !self.wanted.iter().any(|wanted| wanted.is_same(&object.id))
            })
            .map(|object| object.id.to_string())
            .collect();
        if !leftover.is_empty() {
            findings.push(
                Finding::new(
                    "HANDOVER_LEFTOVERS",
                    format!("{} not in the manifests", counted(leftover.len(), "object")),
                    "They change hands too; the next deploy plan lists them as deletions and asks first.",
                )
                .attention()
                .evidence("Only in the release", leftover.join("\n")),
            );
        }
        if self.to == DeployMode::Helm
            && objects
                .iter()
                .any(|object| object.act == HandoverAct::Delete)
        {
            findings.push(
                Finding::new(
                    "HANDOVER_DELETES",
                    "Some objects are not in the chart",
                    "They are deleted now; pods that need them may fail until the release is installed.",
                )
                .attention()
                .next(NextAction::advice("Install the release right after the switch")),
            );
        }
        findings
    }

    /// The former owner's records: a release's revisions, or the raw deploys' own.
    async fn records(
        &self,
        client: &Client,
        releases: &[String],
    ) -> Result<Vec<(Owned, String)>, KubeError> {
        let mut discovery = Discovery::default();
        let mut found = Vec::new();
        let selectors: Vec<String> = match self.to {
            DeployMode::Raw => releases
                .iter()
                .map(|release| format!("owner=helm,name={release}"))
                .collect(),
            DeployMode::Helm => vec![format!("{RECORD_OF}={}", self.project)],
        };
        for kind in ["Secret", "ConfigMap"] {
            let Some(served) = discovery.find(client, "v1", kind).await? else {
                continue;
            };
            let api = api(client, &served, &self.namespace);
            for selector in &selectors {
                let params = ListParams::default().labels(selector);
                let list = match within(REQUEST_LIMIT, api.list_metadata(&params)).await {
                    Ok(list) => list,
                    Err(error) if error.is_forbidden() || error.is_not_found() => continue,
                    Err(error) => return Err(error),
                };
                found.extend(list.items.iter().filter_map(|item| {
                    let name = item.metadata.name.clone()?;
                    let owned = Owned {
                        served: served.clone(),
                        object: serde_json::to_value(item).ok()?,
                    };
                    Some((owned, name))
                }));
            }
        }
        Ok(found)
    }
}

/// The run as it is announced.
pub(in crate::deploy) fn stages(handover: &Handover) -> Vec<Stage> {
    let stage = |id: &str, title: String| Stage {
        id: id.to_owned(),
        title,
        component: None,
        state: StageState::Pending,
    };
    let mut stages = Vec::new();
    let taken = handover.count(HandoverAct::Take);
    if taken > 0 {
        let to = match (&handover.to, &handover.release) {
            (DeployMode::Helm, Some(release)) => format!("release {release}"),
            (DeployMode::Helm, None) => "the release".to_owned(),
            (DeployMode::Raw, _) => "Slipway".to_owned(),
        };
        stages.push(stage(
            TAKE,
            format!("Hand {} to {to}", counted(taken, "object")),
        ));
    }
    let deleted = handover.count(HandoverAct::Delete);
    if deleted > 0 {
        stages.push(stage(
            DELETE,
            format!("Delete {}", counted(deleted, "object")),
        ));
    }
    if let Some(forgets) = &handover.forgets {
        stages.push(stage(FORGET, format!("Forget {forgets}")));
    }
    stages
}

/// Carries a plan out. Idempotent: what has changed hands already is left as it is.
pub async fn hand_over(
    client: &Client,
    handing: &Handing,
    handover: &Handover,
    run: &RunHandle,
) -> Result<String, RunError> {
    let mut discovery = Discovery::default();
    for (act, id) in [(HandoverAct::Take, TAKE), (HandoverAct::Delete, DELETE)] {
        let objects: Vec<&HandoverObject> = handover
            .objects
            .iter()
            .filter(|object| object.act == act)
            .collect();
        if objects.is_empty() {
            continue;
        }
        let stage = run.stage(id);
        stage.start();
        for object in &objects {
            if run.cancelled().is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let done = match act {
                HandoverAct::Take => take(client, &mut discovery, handing, handover, object).await,
                HandoverAct::Delete => remove(client, &mut discovery, object).await,
            };
            match done {
                Ok(what) => stage.log(format!("{} {what}", object.id)),
                Err(error) => {
                    let finding =
                        refused(&object.id.kind, &object.id.name, "changing hands", &error);
                    stage.fail(finding.clone());
                    return Err(finding.into());
                }
            }
        }
        stage.succeed(counted(objects.len(), "object"));
    }
    forget(client, handing, handover, run).await?;
    Ok(match handover.to {
        DeployMode::Raw => "The project is deployed raw from now on".to_owned(),
        DeployMode::Helm => "The objects are ready for the release".to_owned(),
    })
}

async fn take(
    client: &Client,
    discovery: &mut Discovery,
    handing: &Handing,
    handover: &Handover,
    object: &HandoverObject,
) -> Result<&'static str, KubeError> {
    let Some(served) = discovery
        .find(client, &object.id.api_version, &object.id.kind)
        .await?
    else {
        return Ok("is gone");
    };
    let api = api(client, &served, &object.id.namespace);
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let mut tries = 0;
    loop {
        let Some(live) = get(&api, &object.id.name).await? else {
            return Ok("is gone");
        };
        let patch = patch_for(handing, handover, &live);
        if is_done(&live, &patch) {
            return Ok("had changed hands");
        }
        match within(
            REQUEST_LIMIT,
            api.patch(&object.id.name, &params, &Patch::Merge(&patch)),
        )
        .await
        {
            Ok(_) => return Ok("changed hands"),
            Err(error) if error.code() == Some(409) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50 << tries)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn patch_for(handing: &Handing, handover: &Handover, live: &Value) -> Value {
    match handover.to {
        DeployMode::Raw => hand_to_raw(live, &handing.project),
        DeployMode::Helm => hand_to_helm(
            live,
            handover.release.as_deref().unwrap_or(&handing.project),
            &handing.namespace,
        ),
    }
}

async fn remove(
    client: &Client,
    discovery: &mut Discovery,
    object: &HandoverObject,
) -> Result<&'static str, KubeError> {
    let served = discovery
        .find(client, &object.id.api_version, &object.id.kind)
        .await?;
    let Some(served) = served else {
        return Ok("is gone");
    };
    let api = api(client, &served, &object.id.namespace);
    let was_there = delete(&api, &object.id.name, None).await?;
    Ok(if was_there { "deleted" } else { "was gone" })
}

/// The former owner's records go last, newest first: as long as one is left, it is known that the
/// handover is not finished.
async fn forget(
    client: &Client,
    handing: &Handing,
    handover: &Handover,
    run: &RunHandle,
) -> Result<(), RunError> {
    if handover.forgets.is_none() {
        return Ok(());
    }
    let stage = run.stage(FORGET);
    stage.start();
    let releases: Vec<String> = handover
        .objects
        .iter()
        .filter_map(|object| match &object.from {
            Owner::Helm { release, .. } => Some(release.clone()),
            _ => None,
        })
        .chain(handover.release.clone())
        .collect();
    let failed = |error: &KubeError| {
        let finding = refused("Secret", "of the release", "forgetting", error);
        stage.fail(finding.clone());
        RunError::from(finding)
    };
    let mut records = handing
        .records(client, &releases)
        .await
        .map_err(|error| failed(&error))?;
    records.sort_by(|a, b| b.1.cmp(&a.1));
    for (record, name) in &records {
        let api = api(client, &record.served, &handing.namespace);
        delete(&api, name, record.uid())
            .await
            .map_err(|error| failed(&error))?;
        stage.log(format!("{} {name} deleted", record.kind()));
    }
    stage.succeed(counted(records.len(), "record"));
    Ok(())
}

/// What a handover that was broken off says until it is finished.
pub fn unfinished(handover: &Handover) -> Finding {
    super::words::unfinished(handover.to).next(NextAction::advice(
        "What has changed hands already is left as it is",
    ))
}

fn hash(handover: &Handover) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{:?}{:?}{:?}{:?}",
        handover.to, handover.release, handover.objects, handover.forgets
    ));
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(16);
    digest
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}
