//! Keeps as many pods of a template alive as the ReplicaSet asks for.

mod ranking;
mod status;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::informer::Informer;
use super::key::ObjectKey;
use super::pod_control::{self, Failure, PodControl, PodOwner};
use super::queue::WorkQueue;
use super::worker::{self, Reconcile, SyncError};
use super::{owner, pods};

pub use status::next_availability;

const COMPONENT: &str = "replicaset-controller";
/// Most pods created or deleted in one pass.
const BURST: usize = 500;

/// The ReplicaSet controller.
#[derive(Debug)]
pub struct ReplicaSetController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    control: PodControl,
}

impl PodOwner for ReplicaSet {
    const COMPONENT: &'static str = COMPONENT;

    fn selector(&self) -> Option<&LabelSelector> {
        Some(&self.spec.selector)
    }

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.replica_sets
    }
}

impl ReplicaSetController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let control = PodControl::new::<ReplicaSet>(&cluster, &queue);
        Self {
            cluster,
            queue,
            control,
        }
    }

    /// Creates missing pods in batches that double while all goes well, so that a quota or a
    /// missing account costs one refusal and not hundreds.
    async fn create(&self, key: &ObjectKey, set: &ReplicaSet, count: usize) -> Option<Failure> {
        let Some(template) = &set.spec.template else {
            let message = "replica set has no pod template".to_owned();
            return Some(Failure {
                reason: "FailedCreate",
                message,
            });
        };
        let pod = pod_control::pod_from_template(set, template);
        let mut remaining = count;
        let mut batch = 1;
        while remaining > 0 {
            let size = batch.min(remaining);
            let outcomes = join_all((0..size).map(|_| self.control.create(key, set, &pod))).await;
            if let Some(failure) = outcomes.into_iter().find_map(Result::err) {
                return failure;
            }
            remaining -= size;
            batch *= 2;
        }
        None
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
        self.control.delete(key, set, &victims).await
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
            self.control.expectations().forget(key);
            return Ok(());
        };
        let spec = &set.spec;
        // Asked before the pods are listed: what is met now is in the list.
        let met = self.control.expectations().are_met(key);
        let own = self.control.claim(set.as_ref(), pods::is_active).await?;
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
