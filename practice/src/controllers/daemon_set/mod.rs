//! Keeps one pod of a DaemonSet on every node that takes it.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::informer::Informer;
use super::key::ObjectKey;
use super::pod_control::{PodControl, PodOwner};
use super::pods;
use super::queue::WorkQueue;
use super::revisions;
use super::worker::{self, Reconcile, SyncError};
use plan::Observed;

/// The DaemonSet controller.
#[derive(Debug)]
pub struct DaemonSetController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    control: PodControl,
}

impl PodOwner for DaemonSet {
    const COMPONENT: &'static str = "daemonset-controller";

    fn selector(&self) -> Option<&LabelSelector> {
        Some(&self.spec.selector)
    }

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.daemon_sets
    }
}

impl DaemonSetController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let control = PodControl::new::<DaemonSet>(&cluster, &queue);
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster.nodes.on_change(move |change| {
            let new = change.object();
            // Heartbeats change nothing that matters here.
            let same = change.old().is_some_and(|old| {
                old.spec == new.spec && old.metadata.labels == new.metadata.labels
            });
            if let Some(cluster) = weak.upgrade().filter(|_| !same) {
                for set in cluster.daemon_sets.all() {
                    wishes.add(ObjectKey::of(set.as_ref()));
                }
            }
        });
        Self {
            cluster,
            queue,
            control,
        }
    }
}

impl Reconcile for DaemonSetController {
    type Key = ObjectKey;
    const NAME: &'static str = DaemonSet::COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(set) = self.cluster.daemon_sets.get(key) else {
            self.control.expectations().forget(key);
            return Ok(());
        };
        let spec = &set.spec;
        if set.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        // Asked before the pods are listed: what is met now is in the list.
        let met = self.control.expectations().are_met(key);
        let own = self.control.claim(set.as_ref(), |_| true).await?;
        let history = revisions::keep(&self.cluster, set.as_ref(), &spec.template).await?;
        let nodes = self.cluster.nodes.all();
        let plan = plan::plan(&Observed {
            set: &set,
            pods: &own,
            nodes: &nodes,
            hash: &revisions::hash_of(&history.update),
            now: Timestamp::now(),
        });
        let mut failure = None;
        if met {
            failure = self.control.delete(key, set.as_ref(), &plan.delete).await;
            for pod in &plan.create {
                if let Err(why) = self.control.create(key, set.as_ref(), pod).await {
                    failure = failure.or(why);
                    break;
                }
            }
        }
        if set.status.as_ref() != Some(&plan.status) {
            let mut updated = DaemonSet::clone(&set);
            updated.status = Some(plan.status);
            let api: Api<DaemonSet> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
            match api
                .replace_status(&key.name, &PostParams::default(), &updated)
                .await
            {
                Ok(_) => {}
                Err(error) if worker::is_not_found(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let in_use: Vec<String> = own
            .iter()
            .filter(|pod| pods::is_active(pod))
            .filter_map(|pod| pod.labels().get(revisions::POD_LABEL).cloned())
            .collect();
        revisions::trim(
            &self.cluster,
            &history,
            &in_use,
            spec.revision_history_limit,
        )
        .await?;
        if let Some(wait) = plan.look_again {
            self.queue.add_after(key.clone(), wait);
        }
        match failure {
            Some(failure) => Err(SyncError::Other(failure.message)),
            None => Ok(()),
        }
    }
}
