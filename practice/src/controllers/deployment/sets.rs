//! The ReplicaSets of a Deployment: which one is new, what their annotations say, and how a new
//! one is made.

use std::cmp::Ordering;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::controllers::{owner, template_hash};

/// Which template version a ReplicaSet or Deployment stands for.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const DEPRECATED_ROLLBACK: &str = "deprecated.deployment.rollback.to";
/// Longer histories lose their oldest entries.
const HISTORY_LIMIT: usize = 2000;

/// Annotations that belong to one object and are not handed down.
const OWN_ANNOTATIONS: [&str; 6] = [
    LAST_APPLIED,
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    DEPRECATED_ROLLBACK,
];

/// Pods the set should have.
pub fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// Pods the set has.
pub fn actual(set: &ReplicaSet) -> i32 {
    set.status
        .as_ref()
        .map(|status| status.replicas)
        .unwrap_or_default()
}

/// Pods of the set that are ready long enough.
pub fn available(set: &ReplicaSet) -> i32 {
    set.status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or_default()
}

/// The revision the annotation names; none is 0.
pub fn revision(meta: &ObjectMeta) -> i64 {
    annotation(meta, REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The wished size of the Deployment when the set was last scaled.
pub fn desired_annotation(set: &ReplicaSet) -> Option<i32> {
    annotation(&set.metadata, DESIRED_REPLICAS)?.parse().ok()
}

/// The most pods the Deployment could have when the set was last scaled.
pub fn max_annotation(set: &ReplicaSet) -> Option<i32> {
    annotation(&set.metadata, MAX_REPLICAS)?.parse().ok()
}

/// Writes down both sizes; `true` when something changed.
pub fn set_size_annotations(set: &mut ReplicaSet, desired: i32, max: i32) -> bool {
    let desired = put(&mut set.metadata, DESIRED_REPLICAS, desired.to_string());
    put(&mut set.metadata, MAX_REPLICAS, max.to_string()) || desired
}

/// Writes an annotation; `true` when it changed.
pub fn put(meta: &mut ObjectMeta, key: &str, value: String) -> bool {
    let annotations = meta.annotations.get_or_insert_default();
    if annotations.get(key) == Some(&value) {
        return false;
    }
    annotations.insert(key.to_owned(), value);
    true
}

/// Older first, then by name.
pub fn by_age(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    let created = |set: &ReplicaSet| set.metadata.creation_timestamp.as_ref().map(|time| time.0);
    // An object that was not stored yet is younger than all others.
    created(a)
        .is_none()
        .cmp(&created(b).is_none())
        .then_with(|| created(a).cmp(&created(b)))
        .then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

/// Whether two templates make the same pods; the hash label does not count.
pub fn same_template(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    normal(a) == normal(b)
}

fn normal(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let meta = template.metadata.get_or_insert_default();
    if let Some(labels) = meta.labels.as_mut() {
        labels.remove(template_hash::LABEL);
    }
    meta.labels.take_if(|labels| labels.is_empty());
    meta.annotations
        .take_if(|annotations| annotations.is_empty());
    meta.creation_timestamp = None;
    template
}

/// The position of the set whose template is the Deployment's; the oldest of several.
pub fn find_new(template: &PodTemplateSpec, sets: &[ReplicaSet]) -> Option<usize> {
    let mut matching: Vec<usize> = (0..sets.len())
        .filter(|at| {
            let other = sets[*at].spec.template.as_ref();
            other.is_some_and(|other| same_template(other, template))
        })
        .collect();
    matching.sort_by(|a, b| by_age(&sets[*a], &sets[*b]));
    matching.first().copied()
}

/// Hands the Deployment's annotations and the revision to its new set; `true` when something
/// changed.
pub fn hand_down(deployment: &Deployment, set: &mut ReplicaSet, revision: i64) -> bool {
    let mut changed = false;
    for (key, value) in deployment.metadata.annotations.iter().flatten() {
        if !OWN_ANNOTATIONS.contains(&key.as_str()) {
            changed |= put(&mut set.metadata, key, value.clone());
        }
    }
    let before = annotation(&set.metadata, REVISION).map(str::to_owned);
    let before_number = before.as_deref().and_then(|text| text.parse::<i64>().ok());
    // Old sets may be deleted, so the computed revision can fall behind the one written down.
    if before_number.unwrap_or_default() < revision {
        put(&mut set.metadata, REVISION, revision.to_string());
        changed = true;
        if let Some(before) = before {
            remember_revision(&mut set.metadata, &before);
        }
    }
    changed
}

/// A set that comes back keeps the revisions it had.
fn remember_revision(meta: &mut ObjectMeta, revision: &str) {
    let mut history: Vec<String> = annotation(meta, REVISION_HISTORY)
        .filter(|history| !history.is_empty())
        .map(|history| history.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    history.push(revision.to_owned());
    let mut text = history.join(",");
    while text.len() > HISTORY_LIMIT && history.len() > 1 {
        history.remove(0);
        text = history.join(",");
    }
    put(meta, REVISION_HISTORY, text);
}

/// The set for the Deployment's present template, not sized yet. Its name follows from the
/// template, so creating it twice is impossible.
pub fn new_set(deployment: &Deployment) -> ReplicaSet {
    let spec = &deployment.spec;
    let collisions = deployment
        .status
        .as_ref()
        .and_then(|status| status.collision_count);
    let hash = template_hash::compute(&spec.template, collisions);
    let mut template = spec.template.clone();
    let meta = template.metadata.get_or_insert_default();
    meta.labels
        .get_or_insert_default()
        .insert(template_hash::LABEL.to_owned(), hash.clone());
    let labels = meta.labels.clone();
    let mut selector = spec.selector.clone();
    selector
        .match_labels
        .get_or_insert_default()
        .insert(template_hash::LABEL.to_owned(), hash.clone());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(set_name(&deployment.name_any(), &hash)),
            namespace: deployment.namespace(),
            labels,
            owner_references: Some(vec![owner::controller_reference(
                "apps/v1",
                "Deployment",
                &deployment.metadata,
            )]),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        },
        status: None,
    }
}

/// Names have 253 characters at most; the hash always stays whole.
fn set_name(deployment: &str, hash: &str) -> String {
    let room = 253 - hash.len() - 1;
    let base: String = deployment.chars().take(room).collect();
    format!("{base}-{hash}")
}
