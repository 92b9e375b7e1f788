//! The plan: every object as it would be, compared with the object as it is.
//! The server itself does the sum, by a dry run, so defaults and admission are part of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use app::model::{Change, ComponentName, DeployPlan, Failure, Finding, PlannedObject, Severity};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::diff::{all_fields, changes, essence};
use super::identity::{label, stamped};
use super::inventory::{Owned, owned};
use super::manifests::{Manifest, rank, read};
use super::templates::{place_images, stamp_fingerprint};
use super::{DeployRoom, policy, words};
use crate::adapters::kube::apply::{api, apply, get};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
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
/// Dry runs at the same time.
const AT_ONCE: usize = 6;

/// One object of the plan, ready to be applied.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub object: Value,
    /// None while its kind does not exist yet (its CRD is in the same plan).
    pub served: Option<Served>,
    pub source: String,
    pub change: Change,
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
    pub objects: Vec<Ready>,
    pub deletions: Vec<Owned>,
    /// The number this deploy gets.
    pub revision: u64,
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
    pub(super) async fn prepare(&self, connected: &Connected) -> Result<Prepared, Failure> {
        let spec = self.project.spec();
        let (manifests, mut findings) = self.manifests(&spec).await?;
        let (objects, more) = self.own(&spec, manifests);
        findings.extend(more);
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
        let mut resolved = Vec::new();
        for (manifest, object) in objects {
            let served = discovery
                .find(&connected.client, manifest.api_version(), manifest.kind())
                .await
                .map_err(no)?;
            if served.is_none() && !defined_here(&resolved, &manifest) {
                findings.push(words::kind_unknown(&manifest));
            }
            resolved.push((manifest, object, served));
        }
        findings.extend(check_namespaces(&resolved, &namespace));
        let secret_keys =
            self.secrets
                .observe()
                .borrow()
                .as_ref()
                .ok()
                .map(|secret| match secret {
                    Some(secret) => secret.fingerprints.keys().cloned().collect::<Vec<_>>(),
                    None => Vec::new(),
                });
        let all: Vec<&Value> = resolved.iter().map(|(_, object, _)| object).collect();
        findings.extend(policy::check(&all, &spec, secret_keys.as_deref()));

        let exists = room == NamespaceState::Active;
        let compared: Vec<Compared> = stream::iter(resolved)
            .map(|(manifest, object, served)| {
                compare(
                    &connected.client,
                    &namespace,
                    exists,
                    manifest,
                    object,
                    served,
                )
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .map_err(no)?;
        findings.extend(self.guard(connected, compared.iter().map(|compared| &compared.live)));
        let kinds: BTreeSet<(String, String)> = compared
            .iter()
            .map(|compared| {
                let object = &compared.ready.object;
                (text(&object["apiVersion"]), text(&object["kind"]))
            })
            .collect();
        let there = if exists {
            owned(
                &connected.client,
                &mut discovery,
                &namespace,
                &spec.name,
                kinds,
            )
            .await
            .map_err(no)?
        } else {
            Vec::new()
        };
        let (deletions, kept) = no_longer_wanted(&there, &compared, &spec.secret_name);
        findings.extend(kept);
        let revision = there
            .iter()
            .filter_map(|owned| stamped(&owned.object))
            .map(|(revision, _)| revision)
            .max()
            .unwrap_or(0)
            + 1;
        Ok(self.finish(
            connected, namespace, compared, deletions, findings, revision,
        ))
    }

    async fn manifests(
        &self,
        spec: &Arc<ProjectSpec>,
    ) -> Result<(Vec<Manifest>, Vec<Finding>), Failure> {
        let Some(shown) = spec.deploy.manifests.clone() else {
            return Ok((Vec::new(), vec![words::no_manifests_named()]));
        };
        let path: PathBuf = self.project.path(&shown);
        let reading = tokio::task::spawn_blocking(move || read(&path, &shown))
            .await
            .map_err(|error| Failure::Transport(error.to_string()))?;
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

    fn finish(
        &self,
        connected: &Connected,
        namespace: String,
        compared: Vec<Compared>,
        deletions: Vec<Owned>,
        mut findings: Vec<Finding>,
        revision: u64,
    ) -> Prepared {
        findings.extend(
            compared
                .iter()
                .filter_map(|compared| compared.refused.clone()),
        );
        // Worst first, and in the same order every time.
        findings.sort_by_key(|finding| {
            (
                std::cmp::Reverse(finding.severity),
                finding.key(),
                finding.why.clone(),
            )
        });
        let mut hash = Sha256::new();
        hash.update(connected.id.as_bytes());
        let mut planned = Vec::new();
        let mut objects = Vec::new();
        for compared in compared {
            hash.update(compared.ready.object.to_string().as_bytes());
            hash.update([0]);
            hash.update(essence(&compared.live).to_string().as_bytes());
            hash.update([0]);
            planned.push(self.redacted(compared.planned));
            objects.push(compared.ready);
        }
        for owned in &deletions {
            hash.update(owned.uid().unwrap_or_default().as_bytes());
            hash.update([0]);
            planned.push(PlannedObject {
                kind: owned.kind().to_owned(),
                name: owned.name().to_owned(),
                namespace: namespace.clone(),
                change: Change::Delete,
                fields: Vec::new(),
                more_fields: 0,
            });
        }
        for finding in &findings {
            hash.update(finding.key().as_bytes());
        }
        let mut digest = hex::encode(hash.finalize());
        digest.truncate(16);
        Prepared {
            plan: DeployPlan {
                hash: digest,
                at: clock::now(),
                objects: planned,
                findings,
            },
            objects,
            deletions,
            revision,
            namespace,
        }
    }

    /// A manifest may hold a secret value in the clear; the plan goes to every page.
    fn redacted(&self, mut planned: PlannedObject) -> PlannedObject {
        for field in &mut planned.fields {
            for text in [&mut field.before, &mut field.after].into_iter().flatten() {
                *text = self.core.redactor.redact(text).into_owned();
            }
        }
        planned
    }
}

/// An object beside its live state.
#[derive(Debug)]
struct Compared {
    ready: Ready,
    live: Value,
    planned: PlannedObject,
    refused: Option<Finding>,
}

async fn compare(
    client: &Client,
    namespace: &str,
    namespace_exists: bool,
    manifest: Manifest,
    object: Value,
    served: Option<Served>,
) -> Result<Compared, KubeError> {
    let (kind, name) = (manifest.kind().to_owned(), manifest.name().to_owned());
    let namespaced = served.as_ref().is_none_or(|served| served.namespaced);
    let mut live = Value::Null;
    let mut refused = None;
    let mut after = None;
    if let Some(served) = &served
        && (namespace_exists || !namespaced)
    {
        let api = api(client, served, namespace);
        live = get(&api, &name).await?.unwrap_or(Value::Null);
        match apply(&api, &name, &object, true).await {
            Ok(would_be) => after = Some(would_be),
            // Without an answer there is no plan; a refusal is part of the plan.
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => refused = Some(words::refused(&kind, &name, &manifest.source, &error)),
        }
    }
    let (change, (fields, more_fields)) = match (&live, after) {
        // The server's own reading of a new object has many defaults; the manifest says what is meant.
        (Value::Null, _) => (Change::Create, all_fields(&object)),
        (live, Some(after)) => {
            let found = changes(live, &after);
            if found.0.is_empty() && found.1 == 0 {
                (Change::Unchanged, found)
            } else {
                (Change::Update, found)
            }
        }
        (_, None) => (Change::Update, (Vec::new(), 0)),
    };
    Ok(Compared {
        planned: PlannedObject {
            kind,
            name,
            namespace: if namespaced {
                namespace.to_owned()
            } else {
                String::new()
            },
            change,
            fields,
            more_fields,
        },
        ready: Ready {
            object,
            served,
            source: manifest.source,
            change,
        },
        live,
        refused,
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NamespaceState {
    Missing,
    Active,
    Terminating,
}

async fn namespace_state(client: &Client, name: &str) -> Result<NamespaceState, KubeError> {
    use k8s_openapi::api::core::v1::Namespace;
    let api: kube::Api<Namespace> = kube::Api::all(client.clone());
    match within(REQUEST_LIMIT, api.get_opt(name)).await {
        Ok(None) => Ok(NamespaceState::Missing),
        Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_some() => {
            Ok(NamespaceState::Terminating)
        }
        Ok(Some(_)) => Ok(NamespaceState::Active),
        // Whoever may not look at namespaces was given one.
        Err(error) if error.is_forbidden() => Ok(NamespaceState::Active),
        Err(error) => Err(error),
    }
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

/// Whether a CustomResourceDefinition before it makes its kind.
fn defined_here(before: &[(Manifest, Value, Option<Served>)], manifest: &Manifest) -> bool {
    let group = manifest
        .api_version()
        .split_once('/')
        .map_or("", |(group, _)| group);
    before.iter().any(|(_, object, _)| {
        object["kind"] == "CustomResourceDefinition"
            && object["spec"]["group"] == group
            && object["spec"]["names"]["kind"] == manifest.kind()
    })
}

fn check_namespaces(objects: &[(Manifest, Value, Option<Served>)], wanted: &str) -> Vec<Finding> {
    objects
        .iter()
        .filter_map(|(manifest, _, served)| {
            let found = if manifest.kind() == "Namespace" {
                Some(manifest.name())
            } else if served.as_ref().is_some_and(|served| !served.namespaced) {
                None
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
    compared: &[Compared],
    secret_name: &str,
) -> (Vec<Owned>, Vec<Finding>) {
    let mut deletions = Vec::new();
    let mut findings = Vec::new();
    for owned in there {
        let wanted = compared.iter().any(|compared| {
            compared.ready.kind() == owned.kind() && compared.ready.name() == owned.name()
        });
        if wanted {
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
