//! The plan: what is wanted, what is there, and the preview of getting from one to the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use app::model::{
    Change, ComponentName, DeployPlan, Failure, Finding, PanelEvent, PlanChoices, Planning,
    Severity,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::identity::{label, stamped};
use super::inventory::{Owned, owned};
use super::manifests::{Manifest, rank};
use super::preview::noise::essence;
use super::preview::{
    Applier, Desired, Leaving, NamespaceState, Previewed, Request, namespace_state, preview,
};
use super::templates::{place_images, stamp_fingerprint};
use super::{DeployRoom, policy, words};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::{Discovery, Served};
use crate::cluster::Connected;
use crate::engine::clock;
use crate::live::proved_images;
use crate::project::ProjectSpec;

/// Kinds that may hold data, or things others made: never deleted for not being in the manifests.
const KEPT: [&str; 4] = [
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "CustomResourceDefinition",
];

/// One object of the plan, ready to be applied.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub object: Value,
    /// None while its kind does not exist yet (its CRD is in the same plan).
    pub served: Option<Served>,
    pub source: String,
    pub change: Change,
    /// A person chose to take conflicting fields over.
    pub force: bool,
    /// A person chose to have this very object (its UID) deleted and made anew.
    pub replaces: Option<String>,
}

impl Ready {
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// A plan with everything needed to carry it out.
#[derive(Debug)]
pub(super) struct Prepared {
    pub plan: DeployPlan,
    pub previewed: Vec<Previewed>,
    pub objects: Vec<Ready>,
    pub deletions: Vec<Owned>,
    /// The number this deploy gets.
    pub revision: u64,
    /// The revision it goes back to.
    pub back_to: Option<u64>,
    pub namespace: String,
}

impl Prepared {
    pub fn blocker(&self) -> Option<&Finding> {
        self.plan
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Failed)
    }
}

impl DeployRoom {
    /// Makes the plan from the files, the images, the secrets and the cluster as they are now.
    pub(super) async fn prepare(
        &self,
        connected: &Connected,
        choices: &PlanChoices,
    ) -> Result<Prepared, Failure> {
        let spec = self.project.spec();
        let (objects, stays, mut findings) = self.wanted(connected, &spec, choices).await?;
        let namespace = spec.namespace.to_string();
        let no = |error: KubeError| Failure::from(words::cluster_says_no("Planning", &error));
        let mut discovery = Discovery::default();
        let room = namespace_state(&connected.client, &namespace)
            .await
            .map_err(no)?;
        if room == NamespaceState::Terminating {
            findings.push(words::namespace_terminating(&namespace));
        }
        let objects = with_namespace(objects, &namespace, &room, &spec.name);
        findings.extend(check_namespaces(&objects, &namespace));
        let items: Vec<policy::Item<'_>> = objects
            .iter()
            .map(|(manifest, object)| policy::Item {
                object,
                source: &manifest.source,
            })
            .collect();
        let world =
            policy::world::observe(&self.core, &self.secrets, connected, &spec, &items).await;
        findings.extend(policy::check(&items, &world));
        let all: Vec<&Value> = objects.iter().map(|(_, object)| object).collect();

        let there = if room == NamespaceState::Active {
            let kinds: BTreeSet<(String, String)> = all
                .iter()
                .map(|object| (text(&object["apiVersion"]), text(&object["kind"])))
                .collect();
            let client = &connected.client;
            owned(client, &mut discovery, &namespace, &spec.name, kinds)
                .await
                .map_err(no)?
        } else {
            Vec::new()
        };
        let (mut deletions, kept) = no_longer_wanted(&there, &all, &spec.secret_name);
        deletions.retain(|owned| {
            !(owned.kind() == "Secret" && stays.iter().any(|name| name == owned.name()))
        });
        findings.extend(kept);
        let (recorded, _) = self.book(connected).list().await.map_err(no)?;
        let revision = there
            .iter()
            .filter_map(|owned| stamped(&owned.object))
            .map(|(revision, _)| revision)
            .chain(recorded.first().map(|newest| newest.revision))
            .max()
            .unwrap_or(0)
            + 1;
        let request = Request {
            client: &connected.client,
            namespace: &namespace,
            desired: objects
                .into_iter()
                .map(|(manifest, object)| Desired {
                    object,
                    source: manifest.source,
                })
                .collect(),
            leaving: deletions
                .iter()
                .map(|owned| Leaving {
                    object: owned.object.clone(),
                    served: Some(owned.served.clone()),
                })
                .collect(),
            applier: &Applier::Slipway,
            choices,
            redactor: &self.core.redactor,
            progress: &|planning: Planning| {
                connected
                    .voice
                    .publish(PanelEvent::Planning(Some(planning)));
            },
        };
        let previewed = preview(request).await.map_err(no)?;
        let wanted = previewed
            .iter()
            .filter(|object| object.planned.change != Change::Delete);
        findings.extend(self.guard(connected, wanted.map(|object| &object.live)));
        let mut prepared = finish(
            connected, namespace, previewed, deletions, findings, revision,
        );
        prepared.back_to = choices.back_to;
        Ok(prepared)
    }

    /// What is to be in the cluster: by the manifests, or by the record of a revision; with the
    /// Secrets that stay as they are.
    async fn wanted(
        &self,
        connected: &Connected,
        spec: &Arc<ProjectSpec>,
        choices: &PlanChoices,
    ) -> Result<(Vec<(Manifest, Value)>, Vec<String>, Vec<Finding>), Failure> {
        let Some(revision) = choices.back_to else {
            let (manifests, mut findings) = self.manifests(spec).await?;
            let (objects, more) = self.own(spec, manifests);
            findings.extend(more);
            return Ok((objects, Vec::new(), findings));
        };
        let (manifests, secrets, findings) = self.recorded(connected, revision).await?;
        let fingerprints = self.secrets.fingerprints();
        let objects = manifests.into_iter().map(|manifest| {
            let mut object = manifest.object.clone();
            // The pods will read the secrets as they are now.
            stamp_fingerprint(
                &mut object,
                &spec.secret_name,
                self.secrets.fingerprint_key(),
                &fingerprints,
            );
            (manifest, object)
        });
        Ok((objects.collect(), secrets, findings))
    }

    async fn manifests(
        &self,
        spec: &Arc<ProjectSpec>,
    ) -> Result<(Vec<Manifest>, Vec<Finding>), Failure> {
        if spec.deploy.manifests.is_empty() {
            return Ok((Vec::new(), vec![words::no_manifests_named()]));
        }
        let reading = self.read_manifests(spec).await;
        Ok((reading.manifests, reading.findings))
    }

    /// The manifests with Slipway's label, the proved images and the secrets' fingerprint in them.
    fn own(
        &self,
        spec: &ProjectSpec,
        manifests: Vec<Manifest>,
    ) -> (Vec<(Manifest, Value)>, Vec<Finding>) {
        let proved = self.core.hub.read(proved_images);
        let fingerprints = self.secrets.fingerprints();
        let mut unproved: BTreeSet<ComponentName> = BTreeSet::new();
        let mut placed: BTreeSet<ComponentName> = BTreeSet::new();
        let objects: Vec<(Manifest, Value)> = manifests
            .into_iter()
            .map(|manifest| {
                let mut object = manifest.object.clone();
                label(&mut object, &spec.name);
                let done = place_images(&mut object, spec, &proved);
                unproved.extend(done.unproved);
                placed.extend(done.placed);
                stamp_fingerprint(
                    &mut object,
                    &spec.secret_name,
                    self.secrets.fingerprint_key(),
                    &fingerprints,
                );
                (manifest, object)
            })
            .collect();
        let mut findings: Vec<Finding> = unproved.iter().map(words::image_not_proven).collect();
        if !objects.is_empty() {
            findings.extend(
                spec.components
                    .iter()
                    .map(|component| &component.name)
                    .filter(|name| !placed.contains(*name) && !unproved.contains(*name))
                    .map(words::component_not_deployed),
            );
        }
        (objects, findings)
    }
}

fn finish(
    connected: &Connected,
    namespace: String,
    previewed: Vec<Previewed>,
    deletions: Vec<Owned>,
    mut findings: Vec<Finding>,
    revision: u64,
) -> Prepared {
    findings.extend(
        previewed
            .iter()
            .filter_map(|object| object.planned.problem.as_deref().cloned()),
    );
    // Worst first, and in the same order every time.
    findings.sort_by_key(|finding| {
        (
            std::cmp::Reverse(finding.severity),
            finding.key(),
            finding.why.clone(),
        )
    });
    findings.dedup_by_key(|finding| (finding.key(), finding.why.clone()));
    let plan = DeployPlan {
        hash: digest(&connected.id, &previewed, &findings),
        at: clock::now(),
        objects: previewed
            .iter()
            .map(|object| object.planned.clone())
            .collect(),
        findings,
    };
    let objects = previewed
        .iter()
        .filter(|object| object.planned.change != Change::Delete)
        .map(|object| {
            let chosen = object.planned.chosen;
            let replaces = chosen && object.planned.change == Change::Replace;
            Ready {
                object: object.object.clone(),
                served: object.served.clone(),
                source: object.source.clone(),
                change: object.planned.change,
                force: chosen && !replaces,
                replaces: replaces.then(|| text(&object.live["metadata"]["uid"])),
            }
        })
        .collect();
    Prepared {
        plan,
        previewed,
        objects,
        deletions,
        revision,
        back_to: None,
        namespace,
    }
}

/// Stands for the objects as they are and as they will be, what was chosen, and what was found.
fn digest(cluster: &str, previewed: &[Previewed], findings: &[Finding]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    add(cluster);
    for object in previewed {
        let planned = &object.planned;
        add(&planned.key);
        add(&format!("{:?} {}", planned.change, planned.chosen));
        add(&object.object.to_string());
        add(&essence(&object.live).to_string());
        add(object.live["metadata"]["uid"].as_str().unwrap_or_default());
    }
    for finding in findings {
        add(&finding.key());
    }
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(16);
    digest
}

/// Adds the namespace in front when nothing else makes it.
fn with_namespace(
    mut objects: Vec<(Manifest, Value)>,
    namespace: &str,
    state: &NamespaceState,
    project: &str,
) -> Vec<(Manifest, Value)> {
    let there = objects
        .iter()
        .any(|(manifest, _)| manifest.kind() == "Namespace" && manifest.name() == namespace);
    if *state == NamespaceState::Missing && !there && !objects.is_empty() {
        let mut object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        label(&mut object, project);
        let manifest = Manifest {
            object: object.clone(),
            source: "slipway.toml".to_owned(),
        };
        objects.insert(0, (manifest, object));
    }
    objects
}

fn check_namespaces(objects: &[(Manifest, Value)], wanted: &str) -> Vec<Finding> {
    objects
        .iter()
        .filter_map(|(manifest, _)| {
            let found = if manifest.kind() == "Namespace" {
                Some(manifest.name())
            } else {
                manifest.namespace()
            }?;
            (found != wanted).then(|| words::other_namespace(manifest, found, wanted))
        })
        .collect()
}

/// What carries the project's label and is in no manifest; with findings for what is kept anyway.
fn no_longer_wanted(
    there: &[Owned],
    wanted: &[&Value],
    secret_name: &str,
) -> (Vec<Owned>, Vec<Finding>) {
    let mut deletions = Vec::new();
    let mut findings = Vec::new();
    for owned in there {
        let is_wanted = wanted.iter().any(|object| {
            object["kind"] == owned.kind() && object["metadata"]["name"] == owned.name()
        });
        if is_wanted {
            continue;
        }
        // The project's Secret holds what was entered here, whoever made it first.
        if owned.kind() == "Secret" && owned.name() == secret_name {
            continue;
        }
        if KEPT.contains(&owned.kind()) {
            findings.push(words::kept(owned.kind(), owned.name()));
        } else {
            deletions.push(owned.clone());
        }
    }
    deletions.sort_by_key(|owned| std::cmp::Reverse(rank(owned.kind())));
    (deletions, findings)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
