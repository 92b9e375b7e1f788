//! Keeps a StatefulSet's pods: each has a number, a name and claims of its own that outlive it.

mod plan;
mod pod;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::informer::Informer;
use super::key::ObjectKey;
use super::pod_control::{Failure, PodControl, PodOwner};
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::revisions::{self, History};
use super::worker::{self, Reconcile, SyncError};
use plan::Observed;

/// The StatefulSet controller.
#[derive(Debug)]
pub struct StatefulSetController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    control: PodControl,
}

impl PodOwner for StatefulSet {
    const COMPONENT: &'static str = "statefulset-controller";

    fn selector(&self) -> Option<&LabelSelector> {
        Some(&self.spec.selector)
    }

    fn informer(cluster: &Cluster) -> &Informer<Self> {
        &cluster.stateful_sets
    }
}

impl StatefulSetController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let control = PodControl::new::<StatefulSet>(&cluster, &queue);
        Self {
            cluster,
            queue,
            control,
        }
    }

    /// Creates the pod of this number, after the claims it mounts.
    async fn create(
        &self,
        key: &ObjectKey,
        set: &StatefulSet,
        history: &History,
        (ordinal, revision): (i32, &str),
    ) -> Result<(), Option<Failure>> {
        let failed = |message: String| {
            Some(Failure {
                reason: "FailedCreate",
                message,
            })
        };
        let revision = history.named(revision).unwrap_or(&history.update);
        let template = revisions::template_of(revision)
            .ok_or_else(|| failed("the revision holds no pod template".to_owned()))?;
        let pod = pod::new_pod(set, &template, ordinal, &revision.name_any());
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.cluster.client.clone(), &key.namespace);
        for claim in pod::claims(set, ordinal) {
            let name = claim.name_any();
            if self
                .cluster
                .claims
                .get(&ObjectKey::new(&key.namespace, &name))
                .is_some()
            {
                continue;
            }
            let told = format!(
                "create Claim {name} Pod {} in StatefulSet {}",
                pod.name_any(),
                set.name_any()
            );
            match claims.create(&PostParams::default(), &claim).await {
                Ok(_) => {
                    let message = format!("{told} success");
                    self.control
                        .tell(set, Severity::Normal, "SuccessfulCreate", &message)
                        .await;
                }
                Err(error) if worker::is_already_exists(&error) => {}
                Err(error) => {
                    let cause = worker::api_message(&error);
                    let message = format!("{told} failed error: {cause}");
                    self.control
                        .tell(set, Severity::Warning, "FailedCreate", &message)
                        .await;
                    return Err(failed(cause));
                }
            }
        }
        self.control.create(key, set, &pod).await
    }
}

impl Reconcile for StatefulSetController {
    type Key = ObjectKey;
    const NAME: &'static str = StatefulSet::COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(set) = self.cluster.stateful_sets.get(key) else {
            self.control.expectations().forget(key);
            return Ok(());
        };
        let spec = &set.spec;
        if set.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        // Asked before the pods are listed: what is met now is in the list.
        let met = self.control.expectations().are_met(key);
        let name = set.name_any();
        let pods = self
            .control
            .claim(set.as_ref(), |pod| pod::ordinal_of(&name, pod).is_some())
            .await?;
        let history = revisions::keep(&self.cluster, set.as_ref(), &spec.template).await?;
        let current = set
            .status
            .as_ref()
            .and_then(|status| status.current_revision.clone())
            .filter(|name| history.named(name).is_some())
            .unwrap_or_else(|| history.update.name_any());
        let plan = plan::plan(&Observed {
            set: &set,
            pods: &pods,
            current: &current,
            update: &history.update.name_any(),
            now: Timestamp::now(),
        });
        let mut failure = None;
        if met {
            failure = self.control.delete(key, set.as_ref(), &plan.delete).await;
            for (ordinal, revision) in &plan.create {
                match self.create(key, &set, &history, (*ordinal, revision)).await {
                    Ok(()) => {}
                    Err(why) => {
                        failure = failure.or(why);
                        break;
                    }
                }
            }
        }
        if set.status.as_ref() != Some(&plan.status) {
            let mut updated = StatefulSet::clone(&set);
            updated.status = Some(plan.status);
            let api: Api<StatefulSet> =
                Api::namespaced(self.cluster.client.clone(), &key.namespace);
            match api
                .replace_status(&key.name, &PostParams::default(), &updated)
                .await
            {
                Ok(_) => {}
                Err(error) if worker::is_not_found(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let in_use: Vec<String> = pods
            .iter()
            .filter_map(|pod| pod.labels().get(revisions::POD_LABEL).cloned())
            .chain([current])
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
