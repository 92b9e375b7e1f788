//! Rolls Deployments out: one ReplicaSet per pod template, sized step by step.

mod numbers;
mod plan;
mod proportion;
mod sets;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::key::ObjectKey;
use super::owner::{self, Claim};
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::selector;
use super::worker::{self, Reconcile, SyncError};
pub use numbers::resolve as resolve_share;
use plan::{Action, Observed};

const COMPONENT: &str = "deployment-controller";

/// The Deployment controller.
#[derive(Debug)]
pub struct DeploymentController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
}

impl DeploymentController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let wishes = Arc::clone(&queue);
        cluster
            .deployments
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster.replica_sets.on_change(move |change| {
            let owners = [Some(change.object()), change.old()];
            let keys: Vec<ObjectKey> = owners
                .into_iter()
                .flatten()
                .filter_map(|set| owner_key(&set.metadata))
                .collect();
            if keys.is_empty()
                && let Some(cluster) = weak.upgrade()
            {
                wake_adopters(&cluster, change.object(), &wishes);
            }
            keys.into_iter().for_each(|key| wishes.add(key));
        });
        // A Recreate rollout waits for the last old pod to be gone.
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster.pods.on_change(move |change| {
            let (super::informer::Change::Deleted(pod), Some(cluster)) = (change, weak.upgrade())
            else {
                return;
            };
            let set = owner::controller_of(&pod.metadata)
                .filter(|owner| owner.kind == "ReplicaSet")
                .and_then(|owner| {
                    let namespace = pod.namespace().unwrap_or_default();
                    cluster
                        .replica_sets
                        .get(&ObjectKey::new(namespace, owner.name.clone()))
                });
            if let Some(key) = set.and_then(|set| owner_key(&set.metadata)) {
                wishes.add(key);
            }
        });
        Self { cluster, queue }
    }

    /// The Deployment's own sets, after adopting and releasing.
    async fn claim(&self, deployment: &Deployment) -> Result<Vec<Arc<ReplicaSet>>, SyncError> {
        let namespace = deployment.namespace().unwrap_or_default();
        let api: Api<ReplicaSet> = Api::namespaced(self.cluster.client.clone(), &namespace);
        let mut own = Vec::new();
        for set in self.cluster.replica_sets.in_namespace(&namespace) {
            let fits = selector::matches(&deployment.spec.selector, set.metadata.labels.as_ref());
            let patch = match owner::claim(&deployment.metadata, &set.metadata, fits) {
                Claim::Keep => {
                    own.push(set);
                    continue;
                }
                Claim::Ignore => continue,
                Claim::Release => {
                    owner::release_patch(&set.metadata, &deployment.uid().unwrap_or_default())
                }
                Claim::Adopt => {
                    let meta = &deployment.metadata;
                    let reference = owner::controller_reference("apps/v1", "Deployment", meta);
                    owner::adoption_patch(&set.metadata, &reference)
                }
            };
            // The change comes back through the watch and wakes us with the new state.
            match api
                .patch(
                    &set.name_any(),
                    &PatchParams::default(),
                    &Patch::Merge(patch),
                )
                .await
            {
                Ok(_) => {}
                Err(error) if worker::is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(own)
    }

    fn pods_of(&self, namespace: &str, sets: &[Arc<ReplicaSet>]) -> Vec<Arc<Pod>> {
        let mut pods = self.cluster.pods.in_namespace(namespace);
        pods.retain(|pod| {
            owner::controller_of(&pod.metadata).is_some_and(|owner| {
                sets.iter()
                    .any(|set| set.uid().as_ref() == Some(&owner.uid))
            })
        });
        pods
    }

    async fn carry_out(
        &self,
        key: &ObjectKey,
        deployment: &Deployment,
        actions: Vec<Action>,
    ) -> Result<(), SyncError> {
        let api: Api<ReplicaSet> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        // A set may be written twice in one plan: the second time on top of the first.
        let mut versions: HashMap<String, Option<String>> = HashMap::new();
        for action in actions {
            match action {
                Action::CreateSet(set) => self.create_set(&api, deployment, &set).await?,
                Action::UpdateSet(set) => {
                    replace_set(&api, *set, &mut versions).await?;
                }
                Action::Scale { set, from, to } => {
                    let name = set.name_any();
                    replace_set(&api, *set, &mut versions).await?;
                    let direction = if to > from { "up" } else { "down" };
                    let message =
                        format!("Scaled {direction} replica set {name} from {from} to {to}");
                    self.tell_scaling(deployment, &message).await;
                }
                Action::DeleteSet(set) => {
                    let params = DeleteParams::background().preconditions(Preconditions {
                        uid: set.uid(),
                        resource_version: None,
                    });
                    match api.delete(&set.name_any(), &params).await {
                        Ok(_) => {}
                        Err(error) if worker::is_not_found(&error) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Action::UpdateStatus(updated) => self.write_status(key, &updated).await?,
            }
        }
        Ok(())
    }

    async fn tell_scaling(&self, deployment: &Deployment, message: &str) {
        self.cluster
            .recorder
            .write(
                COMPONENT,
                deployment,
                Severity::Normal,
                "ScalingReplicaSet",
                message,
            )
            .await;
    }

    async fn write_status(&self, key: &ObjectKey, updated: &Deployment) -> Result<(), SyncError> {
        let api: Api<Deployment> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        match api
            .replace_status(&key.name, &PostParams::default(), updated)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn create_set(
        &self,
        api: &Api<ReplicaSet>,
        deployment: &Deployment,
        set: &ReplicaSet,
    ) -> Result<(), SyncError> {
        let name = set.name_any();
        match api.create(&PostParams::default(), set).await {
            Ok(_) => {
                let size = sets::wanted(set);
                if size > 0 {
                    let message = format!("Scaled up replica set {name} from 0 to {size}");
                    self.tell_scaling(deployment, &message).await;
                }
                Ok(())
            }
            Err(error) if worker::is_already_exists(&error) => {
                self.settle_taken_name(api, deployment, set).await
            }
            Err(error) if worker::is_namespace_terminating(&error) => Err(error.into()),
            Err(error) => {
                let cause = worker::api_message(&error);
                let message = format!("Failed to create new replica set \"{name}\": {cause}");
                if status::progress_deadline(deployment).is_some() {
                    let mut updated = deployment.clone();
                    let condition = status::new_condition(
                        status::PROGRESSING,
                        "False",
                        "ReplicaSetCreateError",
                        message.clone(),
                        Timestamp::now(),
                    );
                    status::set_condition(updated.status.get_or_insert_default(), condition);
                    self.write_status(&ObjectKey::of(deployment), &updated)
                        .await?;
                }
                self.cluster
                    .recorder
                    .write(
                        COMPONENT,
                        deployment,
                        Severity::Warning,
                        "ReplicaSetCreateError",
                        &message,
                    )
                    .await;
                Err(error.into())
            }
        }
    }

    /// The name is taken: by our own set that the cache does not show yet, or by a different
    /// template with the same hash.
    async fn settle_taken_name(
        &self,
        api: &Api<ReplicaSet>,
        deployment: &Deployment,
        set: &ReplicaSet,
    ) -> Result<(), SyncError> {
        let existing = api.get(&set.name_any()).await?;
        let ours = deployment
            .uid()
            .is_some_and(|uid| owner::is_controlled_by(&existing.metadata, &uid));
        let same = existing
            .spec
            .template
            .as_ref()
            .is_some_and(|template| sets::same_template(template, &deployment.spec.template));
        if ours && same {
            return Ok(());
        }
        let mut updated = deployment.clone();
        let status = updated.status.get_or_insert_default();
        status.collision_count = Some(status.collision_count.unwrap_or_default() + 1);
        self.write_status(&ObjectKey::of(deployment), &updated)
            .await?;
        Err(SyncError::Other(format!(
            "the name {} is taken by another template",
            set.name_any()
        )))
    }
}

async fn replace_set(
    api: &Api<ReplicaSet>,
    mut set: ReplicaSet,
    versions: &mut HashMap<String, Option<String>>,
) -> Result<(), SyncError> {
    let name = set.name_any();
    if let Some(version) = versions.get(&name) {
        set.metadata.resource_version.clone_from(version);
    }
    let stored = api.replace(&name, &PostParams::default(), &set).await?;
    versions.insert(name, stored.metadata.resource_version);
    Ok(())
}

fn owner_key(meta: &ObjectMeta) -> Option<ObjectKey> {
    let owner = owner::controller_of(meta).filter(|owner| owner.kind == "Deployment")?;
    Some(ObjectKey::new(
        meta.namespace.clone().unwrap_or_default(),
        owner.name.clone(),
    ))
}

/// An orphaned set may fit a Deployment that can adopt it.
fn wake_adopters(cluster: &Cluster, set: &ReplicaSet, queue: &WorkQueue<ObjectKey>) {
    if owner::controller_of(&set.metadata).is_some() || set.metadata.deletion_timestamp.is_some() {
        return;
    }
    for deployment in cluster
        .deployments
        .in_namespace(&set.namespace().unwrap_or_default())
    {
        let fits = selector::matches(&deployment.spec.selector, set.metadata.labels.as_ref());
        if fits {
            queue.add(ObjectKey::of(deployment.as_ref()));
        }
    }
}

impl Reconcile for DeploymentController {
    type Key = ObjectKey;
    const NAME: &'static str = COMPONENT;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(deployment) = self.cluster.deployments.get(key) else {
            return Ok(());
        };
        if selector::selects_everything(&deployment.spec.selector) {
            let message =
                "This deployment is selecting all pods. A non-empty selector is required.";
            self.cluster
                .recorder
                .write(
                    COMPONENT,
                    deployment.as_ref(),
                    Severity::Warning,
                    "SelectingAll",
                    message,
                )
                .await;
            return Ok(());
        }
        let sets = self.claim(&deployment).await?;
        let pods = self.pods_of(&key.namespace, &sets);
        let plan = plan::plan(Observed {
            deployment: &deployment,
            sets: &sets,
            pods: &pods,
            now: Timestamp::now(),
        });
        self.carry_out(key, &deployment, plan.actions).await?;
        if let Some(wait) = plan.look_again {
            self.queue.add_after(key.clone(), wait);
        }
        Ok(())
    }
}
