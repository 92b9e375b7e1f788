//! The preview: every object as it would be, beside the object as it is, before anything is
//! touched. The API server itself does the sum by dry runs, so defaults, validation, quotas and
//! admission are part of it. Raw manifests and rendered charts go through here alike.

pub mod diff;
mod dry_run;
pub mod helm_patch;
pub mod mask;
pub mod noise;
pub mod object_diff;
pub mod owners;
pub mod path;
mod refusal;
pub mod rows;
pub mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use app::model::{
    Change, FieldConflict, Finding, ObjectDiff, PlanChoices, PlannedObject, Planning,
};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde_json::Value;
use tokio::task::JoinError;

use super::manifests::Manifest;
use super::words;
use crate::adapters::kube::apply::{api, get};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::discovery::{Discovery, Served};
use crate::engine::redact::Redactor;
use dry_run::{Asker, Seen};
use object_diff::{counted, object_diff};

/// Dry runs at the same time.
const AT_ONCE: usize = 8;

/// An object as it is meant to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// As it will be applied; without a namespace it goes into the request's.
    pub object: Value,
    /// Where it comes from: `k8s/backend.yaml:12`.
    pub source: String,
}

/// An object that an earlier deploy put there and that goes, because it is not wanted any more.
#[derive(Clone, Debug)]
pub struct Leaving {
    pub object: Value,
    pub served: Option<Served>,
}

/// In whose manner the objects will be applied.
#[derive(Clone, Debug)]
pub enum Applier {
    /// Server-side apply with Slipway's field manager.
    Slipway,
    /// `helm upgrade` by server-side apply (Helm 4), with `--force-conflicts` or without.
    HelmServerSide { force_conflicts: bool },
    /// `helm upgrade` by a three-way merge (Helm 3). `previous` are the objects of the deployed
    /// revision's manifest.
    HelmClientSide { previous: Vec<Value> },
}

impl Applier {
    /// The field manager its changes go under.
    pub fn manager(&self) -> &'static str {
        match self {
            Self::Slipway => crate::adapters::kube::FIELD_MANAGER,
            Self::HelmServerSide { .. } | Self::HelmClientSide { .. } => "helm",
        }
    }
}

/// What is asked.
pub struct Request<'a> {
    pub client: &'a Client,
    /// Where objects without a namespace go.
    pub namespace: &'a str,
    pub desired: Vec<Desired>,
    pub leaving: Vec<Leaving>,
    pub applier: &'a Applier,
    pub choices: &'a PlanChoices,
    pub redactor: &'a Redactor,
    /// Told after every object.
    pub progress: &'a (dyn Fn(Planning) + Send + Sync),
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("namespace", &self.namespace)
            .field("desired", &self.desired.len())
            .field("leaving", &self.leaving.len())
            .field("applier", &self.applier)
            .finish_non_exhaustive()
    }
}

/// One object of a preview.
#[derive(Clone, Debug)]
pub struct Previewed {
    pub planned: PlannedObject,
    /// What the manifest means to change.
    pub diff: ObjectDiff,
    /// With all that the server keeps and fills in.
    pub everything: ObjectDiff,
    /// The object as it will be applied; `Null` for one that goes.
    pub object: Value,
    /// The object as it is; `Null` for one that is not there. Holds values in the clear.
    pub live: Value,
    /// None while its kind is not served yet.
    pub served: Option<Served>,
    pub source: String,
}

/// The name of an object within a plan.
pub fn key(object: &Value, namespace: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = [
        text(&object["apiVersion"]),
        text(&object["kind"]),
        namespace.to_owned(),
        text(&object["metadata"]["name"]),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

/// Looks at every object, in the order they were given, the leaving ones last. Only a silent API
/// server is an error: whatever it says about an object is part of that object's preview.
pub async fn preview(request: Request<'_>) -> Result<Vec<Previewed>, KubeError> {
    let mut discovery = Discovery::default();
    let mut resolved = Vec::new();
    for desired in &request.desired {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (
            text(&desired.object["apiVersion"]),
            text(&desired.object["kind"]),
        );
        let served = discovery.find(request.client, &version, &kind).await?;
        resolved.push((desired.clone(), served));
    }
    let mut rooms = BTreeMap::new();
    for namespace in namespaces(&resolved, request.namespace) {
        let state = namespace_state(request.client, &namespace).await?;
        rooms.insert(namespace, state);
    }
    let total = u32::try_from(resolved.len()).unwrap_or(u32::MAX);
    let done = AtomicU32::new(0);
    (request.progress)(Planning { done: 0, total });
    let request = &request;
    let (resolved, rooms, done) = (&resolved, &rooms, &done);
    let mut previewed: Vec<Previewed> = stream::iter(0..resolved.len())
        .map(|at| async move {
            let (desired, served) = &resolved[at];
            let asker = Asker {
                client: request.client,
                applier: request.applier,
                choices: request.choices,
                rooms,
                made_here: |what: &Value| defined_by(resolved, what),
            };
            let namespace = namespace_of(desired, served.as_ref(), request.namespace);
            let seen = asker.look(desired, served.as_ref(), &namespace).await?;
            let planning = Planning {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            };
            (request.progress)(planning);
            Ok::<_, KubeError>(
                put_together(request, desired, served.clone(), namespace, seen).await,
            )
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let leaving: Vec<Previewed> = stream::iter(0..request.leaving.len())
        .map(|at| goes(request, &request.leaving[at]))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    previewed.extend(leaving);
    Ok(previewed)
}

fn namespace_of(desired: &Desired, served: Option<&Served>, default: &str) -> String {
    let named = desired.object["metadata"]["namespace"].as_str();
    match served {
        Some(served) if !served.namespaced => String::new(),
        None if desired.object["kind"] == "Namespace" => String::new(),
        _ => named.unwrap_or(default).to_owned(),
    }
}

fn namespaces(resolved: &[(Desired, Option<Served>)], default: &str) -> Vec<String> {
    let mut all: Vec<String> = resolved
        .iter()
        .map(|(desired, served)| namespace_of(desired, served.as_ref(), default))
        .filter(|name| !name.is_empty())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Whether something in the same plan brings the kind of this object, or the namespace of this name.
fn defined_by(resolved: &[(Desired, Option<Served>)], what: &Value) -> bool {
    let of_kind = |kind: &str| {
        let kind = kind.to_owned();
        resolved
            .iter()
            .map(|(desired, _)| &desired.object)
            .filter(move |object| object["kind"] == kind.as_str())
    };
    if let Some(namespace) = what.as_str() {
        return of_kind("Namespace").any(|object| object["metadata"]["name"] == namespace);
    }
    let group = what["apiVersion"]
        .as_str()
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group);
    of_kind("CustomResourceDefinition").any(|object| {
        object["spec"]["group"] == group && object["spec"]["names"]["kind"] == what["kind"]
    })
}

async fn put_together(
    request: &Request<'_>,
    desired: &Desired,
    served: Option<Served>,
    namespace: String,
    seen: Seen,
) -> Previewed {
    let object = &desired.object;
    // Without a dry run the manifest says what is meant.
    let after = seen.after.unwrap_or_else(|| object.clone());
    let (diff, everything) =
        differences(seen.live.clone(), after, object.clone(), request.redactor).await;
    let (added, removed) = counted(&diff.rows);
    let is_same = diff.fields.is_empty() && diff.more_fields == 0;
    let change = match (&seen.refusal, seen.live.is_null()) {
        (Some(refusal), _) if refusal.needs_replacing => Change::Replace,
        (Some(_), _) => Change::Refused,
        (None, true) => Change::Create,
        (None, false) if seen.replaced => Change::Replace,
        (None, false) if is_same => Change::Unchanged,
        (None, false) => Change::Update,
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Previewed {
        planned: PlannedObject {
            key: key(object, &namespace),
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            name: text(&object["metadata"]["name"]),
            namespace,
            source: desired.source.clone(),
            change,
            fields: total_fields(&diff),
            added,
            removed,
            conflicts: seen
                .conflicts
                .into_iter()
                .map(|conflict| redacted_conflict(request.redactor, conflict))
                .collect(),
            chosen: seen.chosen,
            problem: seen
                .refusal
                .map(|refusal| Box::new(redacted_finding(request.redactor, refusal.finding))),
        },
        diff,
        everything,
        object: object.clone(),
        live: seen.live,
        served,
        source: desired.source.clone(),
    }
}

/// What the manifest means, and everything; off the threads that answer pages, because comparing a
/// large text takes a while.
async fn differences(
    live: Value,
    after: Value,
    object: Value,
    redactor: &Redactor,
) -> (ObjectDiff, ObjectDiff) {
    let objects = Arc::new((live, after, object));
    let compare = |is_everything: bool| {
        let (objects, redactor) = (Arc::clone(&objects), redactor.clone());
        tokio::task::spawn_blocking(move || {
            let (live, after, object) = &*objects;
            let desired = (!is_everything).then_some(object);
            object_diff(live, after, desired, &redactor)
        })
    };
    let compared = tokio::join!(compare(false), compare(true));
    let finished = |result: Result<ObjectDiff, JoinError>| match result {
        Ok(diff) => diff,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    (finished(compared.0), finished(compared.1))
}

fn redacted_conflict(redactor: &Redactor, mut conflict: FieldConflict) -> FieldConflict {
    for text in [&mut conflict.theirs, &mut conflict.ours]
        .into_iter()
        .flatten()
    {
        *text = redactor.redact(text).into_owned();
    }
    conflict
}

/// The API server repeats values it does not like.
fn redacted_finding(redactor: &Redactor, mut finding: Finding) -> Finding {
    finding.what = redactor.redact(&finding.what).into_owned();
    finding.why = redactor.redact(&finding.why).into_owned();
    for evidence in &mut finding.evidence {
        evidence.text = redactor.redact(&evidence.text).into_owned();
    }
    finding
}

fn total_fields(diff: &ObjectDiff) -> u32 {
    u32::try_from(diff.fields.len()).unwrap_or(u32::MAX) + diff.more_fields
}

async fn goes(request: &Request<'_>, leaving: &Leaving) -> Result<Previewed, KubeError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let named = &leaving.object;
    let mut whole = None;
    // Inventories know metadata only; what goes is shown in full.
    if let Some(served) = &leaving.served {
        let namespace = named["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = named["metadata"]["name"].as_str().unwrap_or_default();
        match get(&api(request.client, served, namespace), name).await {
            Ok(found) => whole = found,
            Err(error) if error.is_unreachable() => return Err(error),
            Err(_) => {}
        }
    }
    let object = whole.as_ref().unwrap_or(named);
    let bare = noise::essence(object);
    let diff = object_diff(&bare, &Value::Null, Some(&bare), request.redactor);
    let everything = object_diff(object, &Value::Null, None, request.redactor);
    let (added, removed) = counted(&diff.rows);
    let namespace = text(&object["metadata"]["namespace"]);
    Ok(Previewed {
        planned: PlannedObject {
            key: key(object, &namespace),
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            name: text(&object["metadata"]["name"]),
            namespace,
            source: String::new(),
            change: Change::Delete,
            fields: total_fields(&diff),
            added,
            removed,
            conflicts: Vec::new(),
            chosen: false,
            problem: None,
        },
        diff,
        everything,
        object: Value::Null,
        live: object.clone(),
        served: leaving.served.clone(),
        source: String::new(),
    })
}

/// Whether objects can go into a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceState {
    Missing,
    Active,
    Terminating,
}

/// Asks for a namespace. Whoever may not look at namespaces was given one.
pub async fn namespace_state(client: &Client, name: &str) -> Result<NamespaceState, KubeError> {
    use k8s_openapi::api::core::v1::Namespace;
    let api: kube::Api<Namespace> = kube::Api::all(client.clone());
    match within(REQUEST_LIMIT, api.get_opt(name)).await {
        Ok(None) => Ok(NamespaceState::Missing),
        Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_some() => {
            Ok(NamespaceState::Terminating)
        }
        Ok(Some(_)) => Ok(NamespaceState::Active),
        Err(error) if error.is_forbidden() => Ok(NamespaceState::Active),
        Err(error) => Err(error),
    }
}

fn kind_unknown(desired: &Desired) -> Finding {
    words::kind_unknown(&Manifest {
        object: desired.object.clone(),
        source: desired.source.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_named_by_version_kind_namespace_and_name() {
        let object =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}});
        assert_eq!(key(&object, "todo"), "apps/v1/Deployment/todo/a");
        assert_eq!(key(&object, ""), "apps/v1/Deployment/a");
    }

    #[test]
    fn a_definition_in_the_plan_brings_its_kind_and_a_namespace_its_name() {
        let plan = [
            json!({"kind": "CustomResourceDefinition", "spec": {"group": "x.dev", "names": {"kind": "Thing"}}}),
            json!({"kind": "Namespace", "metadata": {"name": "new"}}),
        ]
        .map(|object| {
            let source = String::new();
            (Desired { object, source }, None)
        });
        assert!(defined_by(
            &plan,
            &json!({"apiVersion": "x.dev/v1", "kind": "Thing"})
        ));
        assert!(!defined_by(
            &plan,
            &json!({"apiVersion": "y.dev/v1", "kind": "Thing"})
        ));
        assert!(defined_by(&plan, &json!("new")) && !defined_by(&plan, &json!("other")));
    }
}
