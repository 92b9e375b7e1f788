//! The history of a pod template in ControllerRevisions, as StatefulSets and DaemonSets keep it.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::pod_control::PodOwner;
use super::worker::{self, SyncError};
use super::{owner, template_hash};

/// The label a pod carries for the revision it was made from.
pub const POD_LABEL: &str = "controller-revision-hash";

/// All revisions of one owner, oldest first, and which of them is the template's.
#[derive(Debug)]
pub struct History {
    pub all: Vec<Arc<ControllerRevision>>,
    pub update: Arc<ControllerRevision>,
}

impl History {
    /// The revision of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<ControllerRevision>> {
        self.all
            .iter()
            .chain([&self.update])
            .find(|revision| revision.name_any() == name)
    }
}

/// The template a revision keeps.
pub fn template_of(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = revision.data.0["spec"]["template"].clone();
    template.as_object_mut()?.remove("$patch");
    serde_json::from_value(template).ok()
}

/// The hash a revision's name ends with.
pub fn hash_of(revision: &ControllerRevision) -> String {
    let name = revision.name_any();
    name.rsplit('-').next().unwrap_or_default().to_owned()
}

fn number_of(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or_default()
}

fn data_of(template: &PodTemplateSpec) -> Result<Value, SyncError> {
    let mut template = serde_json::to_value(template)
        .map_err(|error| SyncError::Other(format!("failed to write a template: {error}")))?;
    template["$patch"] = "replace".into();
    Ok(json!({"spec": {"template": template}}))
}

/// Makes sure that the template has the newest revision: a new one, or an older one that is used
/// again after an undo.
pub async fn keep<K: PodOwner>(
    cluster: &Cluster,
    owner: &K,
    template: &PodTemplateSpec,
) -> Result<History, SyncError> {
    let meta = owner.meta();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let uid = meta.uid.clone().unwrap_or_default();
    let mut all = cluster.revisions.in_namespace(&namespace);
    all.retain(|revision| owner::is_controlled_by(&revision.metadata, &uid));
    all.sort_by_key(|revision| number_of(revision));
    let data = data_of(template)?;
    let api: Api<ControllerRevision> = Api::namespaced(cluster.client.clone(), &namespace);
    let next = all.last().map_or(1, |last| number_of(last) + 1);
    let known = all.iter().find(|revision| revision.data.0 == data).cloned();
    let update = match known {
        Some(known) if number_of(&known) + 1 == next => known,
        Some(known) => {
            let mut again = ControllerRevision::clone(&known);
            again.revision = Some(next);
            let stored = api
                .replace(&known.name_any(), &PostParams::default(), &again)
                .await?;
            Arc::new(stored)
        }
        None => Arc::new(create(&api, owner, template, data, next).await?),
    };
    Ok(History { all, update })
}

async fn create<K: PodOwner>(
    api: &Api<ControllerRevision>,
    owner: &K,
    template: &PodTemplateSpec,
    data: Value,
    revision: i64,
) -> Result<ControllerRevision, SyncError> {
    let hash = template_hash::compute(template, None);
    let name = format!("{}-{hash}", owner.name_any());
    let mut labels = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    labels.insert("controller.kubernetes.io/hash".to_owned(), hash.clone());
    labels.insert(POD_LABEL.to_owned(), hash);
    let reference = owner::controller_reference(&K::api_version(&()), &K::kind(&()), owner.meta());
    let object = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: owner.namespace(),
            labels: Some(labels),
            owner_references: Some(vec![reference]),
            ..ObjectMeta::default()
        },
        data: RawExtension(data),
        revision: Some(revision),
    };
    match api.create(&PostParams::default(), &object).await {
        Ok(created) => Ok(created),
        // Made by us before the cache showed it: the next pass sees it.
        Err(error) if worker::is_already_exists(&error) => Ok(api.get(&name).await?),
        Err(error) => Err(error.into()),
    }
}

/// Removes the oldest revisions nobody uses beyond the limit.
pub async fn trim(
    cluster: &Cluster,
    history: &History,
    in_use: &[String],
    limit: Option<i32>,
) -> Result<(), SyncError> {
    let limit = usize::try_from(limit.unwrap_or(10)).unwrap_or_default();
    let update = history.update.name_any();
    let unused: Vec<&Arc<ControllerRevision>> = history
        .all
        .iter()
        .filter(|revision| {
            let name = revision.name_any();
            name != update && !in_use.contains(&name) && !in_use.contains(&hash_of(revision))
        })
        .collect();
    let surplus = unused.len().saturating_sub(limit);
    for revision in unused.into_iter().take(surplus) {
        let namespace = revision.namespace().unwrap_or_default();
        let api: Api<ControllerRevision> = Api::namespaced(cluster.client.clone(), &namespace);
        match api
            .delete(&revision.name_any(), &DeleteParams::default())
            .await
        {
            Err(error) if !worker::is_not_found(&error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
