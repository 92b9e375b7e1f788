//! What the controllers that own pods share: claiming them by selector, creating and deleting them
//! with events and expectations, and hearing of their changes.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::Cluster;
use super::expectations::Expectations;
use super::informer::{Change, Informer};
use super::key::ObjectKey;
use super::owner::{self, Claim};
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::selector;
use super::worker::{self, SyncError};

/// A kind whose objects own pods.
pub trait PodOwner:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The controller's name, as events carry it.
    const COMPONENT: &'static str;

    /// Which pods are its own.
    fn selector(&self) -> Option<&LabelSelector>;

    /// The cache of the kind.
    fn informer(cluster: &Cluster) -> &Informer<Self>;
}

/// What went wrong when pods were created or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `FailedCreate` or `FailedDelete`.
    pub reason: &'static str,
    pub message: String,
}

/// One controller's hand on its pods.
#[derive(Debug)]
pub struct PodControl {
    cluster: Arc<Cluster>,
    expectations: Arc<Expectations>,
}

impl PodControl {
    /// For the owners of one kind: its queue is woken when an owner or one of its pods changes.
    pub fn new<K: PodOwner>(cluster: &Arc<Cluster>, queue: &Arc<WorkQueue<ObjectKey>>) -> Self {
        let expectations = Arc::new(Expectations::default());
        let wishes = Arc::clone(queue);
        K::informer(cluster)
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        let (wishes, expected, weak) = (
            Arc::clone(queue),
            Arc::clone(&expectations),
            Arc::downgrade(cluster),
        );
        cluster.pods.on_change(move |change| {
            if let Some(cluster) = weak.upgrade() {
                pod_changed::<K>(change, &cluster, &expected, &wishes);
            }
        });
        Self {
            cluster: Arc::clone(cluster),
            expectations,
        }
    }

    /// What was asked for and is not seen yet.
    pub fn expectations(&self) -> &Expectations {
        &self.expectations
    }

    fn api(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), namespace)
    }

    /// Adopts and releases until the pods found are exactly the owner's own among those `wanted`.
    pub async fn claim<K: PodOwner>(
        &self,
        owner: &K,
        wanted: impl Fn(&Pod) -> bool,
    ) -> Result<Vec<Arc<Pod>>, SyncError> {
        let meta = owner.meta();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let api = self.api(&namespace);
        let mut own = Vec::new();
        let mut checked_alive = false;
        for pod in self.cluster.pods.in_namespace(&namespace) {
            if !wanted(&pod) {
                continue;
            }
            let fits = owner
                .selector()
                .is_some_and(|wanted| selector::matches(wanted, pod.metadata.labels.as_ref()));
            match owner::claim(meta, &pod.metadata, fits) {
                Claim::Keep => own.push(pod),
                Claim::Ignore => {}
                Claim::Release => {
                    let uid = meta.uid.clone().unwrap_or_default();
                    let patch = owner::release_patch(&pod.metadata, &uid);
                    patch_gone_is_fine(&api, &pod.name_any(), patch).await?;
                }
                Claim::Adopt => {
                    if !checked_alive {
                        self.check_alive(owner).await?;
                        checked_alive = true;
                    }
                    let patch = owner::adoption_patch(&pod.metadata, &reference_to(owner));
                    if patch_gone_is_fine(&api, &pod.name_any(), patch).await? {
                        own.push(pod);
                    }
                }
            }
        }
        Ok(own)
    }

    /// The cache may not know yet that the owner is going: ask before adopting.
    async fn check_alive<K: PodOwner>(&self, owner: &K) -> Result<(), SyncError> {
        let meta = owner.meta();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), &namespace);
        let fresh = api.get(&owner.name_any()).await?;
        if fresh.meta().uid != meta.uid || fresh.meta().deletion_timestamp.is_some() {
            return Err(SyncError::Other(format!(
                "{} {} is going away",
                K::kind(&()),
                owner.name_any()
            )));
        }
        Ok(())
    }

    /// Creates a pod of the owner. `Err(None)` means: stop, but there is nothing to report.
    pub async fn create<K: PodOwner>(
        &self,
        key: &ObjectKey,
        owner: &K,
        pod: &Pod,
    ) -> Result<(), Option<Failure>> {
        self.expectations.creation_sent(key);
        let outcome = self
            .api(&key.namespace)
            .create(&PostParams::default(), pod)
            .await;
        let uid = outcome
            .as_ref()
            .ok()
            .and_then(|pod| pod.metadata.uid.as_deref());
        self.expectations.creation_returned(key, uid);
        match outcome {
            Ok(created) => {
                let message = format!("Created pod: {}", created.name_any());
                self.tell(owner, Severity::Normal, "SuccessfulCreate", &message)
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
                self.tell(owner, Severity::Warning, "FailedCreate", &message)
                    .await;
                Err(Some(Failure {
                    reason: "FailedCreate",
                    message: cause,
                }))
            }
        }
    }

    /// Deletes these pods of the owner at once; the first failure is reported.
    pub async fn delete<K: PodOwner>(
        &self,
        key: &ObjectKey,
        owner: &K,
        victims: &[Arc<Pod>],
    ) -> Option<Failure> {
        for pod in victims {
            self.expectations
                .deletion_sent(key, &pod.uid().unwrap_or_default());
        }
        let deletions = victims.iter().map(|pod| self.delete_one(key, owner, pod));
        let outcomes = futures::future::join_all(deletions).await;
        outcomes.into_iter().find_map(Result::err)
    }

    async fn delete_one<K: PodOwner>(
        &self,
        key: &ObjectKey,
        owner: &K,
        pod: &Pod,
    ) -> Result<(), Failure> {
        let name = pod.name_any();
        let uid = pod.uid().unwrap_or_default();
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        });
        match self.api(&key.namespace).delete(&name, &params).await {
            Ok(_) => {
                let message = format!("Deleted pod: {name}");
                self.tell(owner, Severity::Normal, "SuccessfulDelete", &message)
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
                self.tell(owner, Severity::Warning, "FailedDelete", &message)
                    .await;
                Err(Failure {
                    reason: "FailedDelete",
                    message: cause,
                })
            }
        }
    }

    /// Writes an event of the controller about the owner.
    pub async fn tell<K: PodOwner>(
        &self,
        owner: &K,
        severity: Severity,
        reason: &str,
        message: &str,
    ) {
        self.cluster
            .recorder
            .write(K::COMPONENT, owner, severity, reason, message)
            .await;
    }
}

/// The reference that makes a pod the owner's.
fn reference_to<K: PodOwner>(
    owner: &K,
) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
    owner::controller_reference(&K::api_version(&()), &K::kind(&()), owner.meta())
}

/// The pod an owner makes from its template; the name is left to the server.
pub fn pod_from_template<K: PodOwner>(owner: &K, template: &PodTemplateSpec) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", owner.name_any())),
            namespace: owner.namespace(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![reference_to(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Wakes the owner of a pod, or those that could adopt it.
fn pod_changed<K: PodOwner>(
    change: &Change<Pod>,
    cluster: &Cluster,
    expectations: &Expectations,
    queue: &WorkQueue<ObjectKey>,
) {
    let pod = change.object();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let owner_key = |meta: &ObjectMeta| {
        let owner = owner::controller_of(meta).filter(|owner| owner.kind == K::kind(&()))?;
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
    for owner in K::informer(cluster).in_namespace(&pod.namespace().unwrap_or_default()) {
        let fits = owner
            .selector()
            .is_some_and(|wanted| selector::matches(wanted, pod.metadata.labels.as_ref()));
        if fits {
            queue.add(ObjectKey::of(owner.as_ref()));
        }
    }
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
