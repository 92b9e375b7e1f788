//! Keeps as many pods of a template alive as the ReplicaSet asks for.

mod ranking;
mod status;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::expectations::Expectations;
use super::informer::Change;
use super::key::ObjectKey;
use super::owner::{self, Claim};
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::worker::{self, Reconcile, SyncError};
use super::{pods, selector};
use status::Failure;

const COMPONENT: &str = "replicaset-controller";
/// Most pods created or deleted in one pass.
const BURST: usize = 500;

/// The ReplicaSet controller.
#[derive(Debug)]
pub struct ReplicaSetController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    expectations: Arc<Expectations>,
}

impl ReplicaSetController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let expectations = Arc::new(Expectations::default());
        let wishes = Arc::clone(&queue);
        cluster
            .replica_sets
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        let (wishes, expected, sets) = (
            Arc::clone(&queue),
            Arc::clone(&expectations),
            Arc::downgrade(&cluster),
        );
        cluster.pods.on_change(move |change| {
            let Some(cluster) = sets.upgrade() else {
                return;
            };
            pod_changed(change, &cluster, &expected, &wishes);
        });
        Self {
            cluster,
            queue,
            expectations,
        }
    }

    /// Adopts and releases until the pods found are exactly the set's own active ones.
    async fn claim(
        &self,
        set: &ReplicaSet,
        spec: &ReplicaSetSpec,
    ) -> Result<Vec<Arc<Pod>>, SyncError> {
        let namespace = set.namespace().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &namespace);
        let mut own = Vec::new();
        let mut checked_alive = false;
        for pod in self.cluster.pods.in_namespace(&namespace) {
            if !pods::is_active(&pod) {
                continue;
            }
            let fits = selector::matches(&spec.selector, pod.metadata.labels.as_ref());
            match owner::claim(&set.metadata, &pod.metadata, fits) {
                Claim::Keep => own.push(pod),
                Claim::Ignore => {}
                Claim::Release => {
                    let patch = owner::release_patch(&pod.metadata, &set.uid().unwrap_or_default());
                    patch_gone_is_fine(&api, &pod.name_any(), patch).await?;
                }
                Claim::Adopt => {
                    if !checked_alive {
                        self.check_alive(set).await?;
                        checked_alive = true;
                    }
                    let reference =
                        owner::controller_reference("apps/v1", "ReplicaSet", &set.metadata);
                    let patch = owner::adoption_patch(&pod.metadata, &reference);
                    if patch_gone_is_fine(&api, &pod.name_any(), patch).await? {
                        own.push(pod);
                    }
                }
            }
        }
        Ok(own)
    }

    /// The cache may not know yet that the set is going: ask before adopting.
    async fn check_alive(&self, set: &ReplicaSet) -> Result<(), SyncError> {
        let api: Api<ReplicaSet> = Api::namespaced(
            self.cluster.client.clone(),
            &set.namespace().unwrap_or_default(),
        );
        let fresh = api.get(&set.name_any()).await?;
        if fresh.metadata.uid != set.metadata.uid || fresh.metadata.deletion_timestamp.is_some() {
            return Err(SyncError::Other(format!(
                "replica set {} is going away",
                set.name_any()
            )));
        }
        Ok(())
    }

    /// Creates missing pods in batches that double while all goes well, so that a quota or a
    /// missing account costs one refusal and not hundreds.
    async fn create(&self, key: &ObjectKey, set: &ReplicaSet, count: usize) -> Option<Failure> {
        let Some(pod) = new_pod(set) else {
            let message = "replica set has no pod template".to_owned();
            return Some(Failure {
                reason: "FailedCreate",
                message,
            });
        };
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        let mut remaining = count;
        let mut batch = 1;
        while remaining > 0 {
            let size = batch.min(remaining);
            let outcomes = join_all((0..size).map(|_| self.create_one(key, set, &api, &pod))).await;
            if let Some(failure) = outcomes.into_iter().find_map(Result::err) {
                return failure;
            }
            remaining -= size;
            batch *= 2;
        }
        None
    }

    /// `Err(None)` means: stop, but there is nothing to report.
    async fn create_one(
        &self,
        key: &ObjectKey,
        set: &ReplicaSet,
        api: &Api<Pod>,
        pod: &Pod,
    ) -> Result<(), Option<Failure>> {
        self.expectations.creation_sent(key);
        let outcome = api.create(&PostParams::default(), pod).await;
        let uid = outcome
            .as_ref()
            .ok()
            .and_then(|pod| pod.metadata.uid.as_deref());
        self.expectations.creation_returned(key, uid);
        match outcome {
            Ok(created) => {
                let message = format!("Created pod: {}", created.name_any());
                let recorder = &self.cluster.recorder;
                recorder
                    .write(
                        COMPONENT,
                        set,
                        Severity::Normal,
                        "SuccessfulCreate",
                        &message,
                    )
                    .await;
                // The watch may have shown the pod before its UID was known to be ours.
                if let Some(uid) = created.metadata.uid.as_deref()
                    && self.cluster.pods.get(&ObjectKey::of(&created)).is_some()
                {
                    self.expectations.creation_seen(key, uid);
                }
                Ok(())
            }
            Err(error) if worker::is_namespace_terminating(&error) => Err(None),
            Err(error) => {
                let cause = worker::api_message(&error);
                let message = format!("Error creating: {cause}");
                let recorder = &self.cluster.recorder;
                recorder
                    .write(COMPONENT, set, Severity::Warning, "FailedCreate", &message)
                    .await;
                Err(Some(Failure {
                    reason: "FailedCreate",
                    message: cause,
                }))
            }
        }
    }

    async fn delete(
        &self,
        key: &ObjectKey,
        set: &ReplicaSet,
        victims: Vec<Arc<Pod>>,
    ) -> Option<Failure> {
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        for pod in &victims {
            self.expectations
                .deletion_sent(key, &pod.uid().unwrap_or_default());
        }
        let outcomes = join_all(
            victims
                .iter()
                .map(|pod| self.delete_one(key, set, &api, pod)),
        )
        .await;
        outcomes.into_iter().find_map(Result::err)
    }

    async fn delete_one(
        &self,
        key: &ObjectKey,
        set: &ReplicaSet,
        api: &Api<Pod>,
        pod: &Pod,
    ) -> Result<(), Failure> {
        let name = pod.name_any();
        let uid = pod.uid().unwrap_or_default();
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        });
        let recorder = &self.cluster.recorder;
        match api.delete(&name, &params).await {
            Ok(_) => {
                let message = format!("Deleted pod: {name}");
                recorder
                    .write(
                        COMPONENT,
                        set,
                        Severity::Normal,
                        "SuccessfulDelete",
                        &message,
                    )
                    .await;
                // It may have gone before the expectation was noted.
                if self.cluster.pods.get(&ObjectKey::of(pod)).is_none() {
                    self.expectations.deletion_seen(key, &uid);
                }
                Ok(())
            }
            Err(error) => {
                self.expectations.deletion_seen(key, &uid);
                if worker::is_not_found(&error) || worker::is_conflict(&error) {
                    return Ok(());
                }
                let cause = worker::api_message(&error);
                let message = format!("Error deleting: {cause}");
                recorder
                    .write(COMPONENT, set, Severity::Warning, "FailedDelete", &message)
                    .await;
                Err(Failure {
                    reason: "FailedDelete",
                    message: cause,
                })
            }
        }
    }

    /// Pods of all ReplicaSets with the same controller.
    fn related_pods(&self, set: &ReplicaSet) -> Vec<Arc<Pod>> {
        let namespace = set.namespace().unwrap_or_default();
        let owner = owner::controller_of(&set.metadata).map(|owner| owner.uid.clone());
        let siblings: HashSet<String> = self
            .cluster
            .replica_sets
            .in_namespace(&namespace)
            .into_iter()
            .filter(|other| {
                other.metadata.uid == set.metadata.uid
                    || owner
                        .as_deref()
                        .is_some_and(|uid| owner::is_controlled_by(&other.metadata, uid))
            })
            .filter_map(|other| other.uid())
            .collect();
        let mut pods = self.cluster.pods.in_namespace(&namespace);
        pods.retain(|pod| {
            owner::controller_of(&pod.metadata).is_some_and(|owner| siblings.contains(&owner.uid))
        });
        pods
    }

    async fn manage(
        &self,
        key: &ObjectKey,
        set: &ReplicaSet,
        spec: &ReplicaSetSpec,
        own: &[Arc<Pod>],
    ) -> Option<Failure> {
        let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or_default();
        if own.len() < wanted {
            return self.create(key, set, (wanted - own.len()).min(BURST)).await;
        }
        let surplus = (own.len() - wanted).min(BURST);
        if surplus == 0 {
            return None;
        }
        let related = self.related_pods(set);
        let victims = ranking::pods_to_delete(own.to_vec(), &related, surplus, Timestamp::now());
        self.delete(key, set, victims).await
    }
}

impl Reconcile for ReplicaSetController {
    type Key = ObjectKey;
    const NAME: &'static str = COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(set) = self.cluster.replica_sets.get(key) else {
            self.expectations.forget(key);
            return Ok(());
        };
        let spec = &set.spec;
        // Asked before the pods are listed: what is met now is in the list.
        let met = self.expectations.are_met(key);
        let own = self.claim(&set, spec).await?;
        let uid = set.uid().unwrap_or_default();
        let failure = if met && set.metadata.deletion_timestamp.is_none() {
            self.manage(key, &set, spec, &own).await
        } else {
            None
        };
        let terminating = self
            .cluster
            .pods
            .in_namespace(&key.namespace)
            .iter()
            .filter(|pod| pods::is_terminating(pod) && owner::is_controlled_by(&pod.metadata, &uid))
            .count();
        let now = Timestamp::now();
        let status = status::calculate(&set, &own, terminating, failure.as_ref(), now);
        if set.status.as_ref() != Some(&status) {
            let mut updated = ReplicaSet::clone(&set);
            updated.status = Some(status);
            let api: Api<ReplicaSet> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
            match api
                .replace_status(&key.name, &PostParams::default(), &updated)
                .await
            {
                Ok(_) => {}
                Err(error) if worker::is_not_found(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let min_ready = spec.min_ready_seconds.unwrap_or_default();
        if min_ready > 0
            && let Some(wait) = status::next_availability(&own, min_ready, now)
        {
            self.queue
                .add_after(key.clone(), wait + Duration::from_millis(20));
        }
        match failure {
            Some(failure) => Err(SyncError::Other(failure.message)),
            None => Ok(()),
        }
    }
}

/// Wakes the set a pod belongs to, or those that could adopt it.
fn pod_changed(
    change: &Change<Pod>,
    cluster: &Cluster,
    expectations: &Expectations,
    queue: &WorkQueue<ObjectKey>,
) {
    let pod = change.object();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let owner_key = |meta: &ObjectMeta| {
        let owner = owner::controller_of(meta).filter(|owner| owner.kind == "ReplicaSet")?;
        Some(ObjectKey::new(
            meta.namespace.clone().unwrap_or_default(),
            owner.name.clone(),
        ))
    };
    let going = pod.metadata.deletion_timestamp.is_some() || matches!(change, Change::Deleted(_));
    let current = owner_key(&pod.metadata);
    if let Some(old) = change.old() {
        let former = owner_key(&old.metadata);
        if let Some(former) = former
            && Some(&former) != current.as_ref()
        {
            queue.add(former);
        }
    }
    if let Some(key) = current {
        if going {
            expectations.deletion_seen(&key, uid);
        }
        expectations.creation_seen(&key, uid);
        queue.add(key);
        return;
    }
    if going || owner::controller_of(&pod.metadata).is_some() {
        return;
    }
    for set in cluster
        .replica_sets
        .in_namespace(&pod.namespace().unwrap_or_default())
    {
        if selector::matches(&set.spec.selector, pod.metadata.labels.as_ref()) {
            queue.add(ObjectKey::of(set.as_ref()));
        }
    }
}

/// The pod a ReplicaSet makes from its template.
fn new_pod(set: &ReplicaSet) -> Option<Pod> {
    let template = set.spec.template.as_ref()?;
    let meta = template.metadata.clone().unwrap_or_default();
    Some(Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", set.name_any())),
            namespace: set.namespace(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner::controller_reference(
                "apps/v1",
                "ReplicaSet",
                &set.metadata,
            )]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    })
}

/// Patches a pod; `false` when it was gone or another one by then.
async fn patch_gone_is_fine(
    api: &Api<Pod>,
    name: &str,
    patch: serde_json::Value,
) -> Result<bool, SyncError> {
    match api
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if worker::is_not_found(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
