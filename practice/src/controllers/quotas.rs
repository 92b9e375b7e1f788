//! Keeps what ResourceQuotas say is used.

use std::sync::{Arc, Weak};
use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::informer::Informer;
use super::key::ObjectKey;
use super::queue::WorkQueue;
use super::worker::{self, Reconcile, SyncError};
use crate::quota::{self, Amounts};

/// Changes come in bursts: one count is enough for all of them.
const SETTLE: Duration = Duration::from_millis(50);

/// The quota controller.
#[derive(Debug)]
pub struct QuotaController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
}

impl QuotaController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let wishes = Arc::clone(&queue);
        cluster
            .quotas
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        let weak = Arc::downgrade(&cluster);
        listen(&cluster.pods, &weak, &queue);
        listen(&cluster.services, &weak, &queue);
        listen(&cluster.claims, &weak, &queue);
        listen(&cluster.config_maps, &weak, &queue);
        listen(&cluster.deployments, &weak, &queue);
        listen(&cluster.jobs, &weak, &queue);
        listen(&cluster.stateful_sets, &weak, &queue);
        for (_, informer) in &cluster.others {
            listen(informer, &weak, &queue);
        }
        Self { cluster, queue }
    }

    /// What all objects of the namespace count for together, by the names the quota limits.
    async fn used(&self, quota: &Value, namespace: &str) -> Result<Amounts, SyncError> {
        let hard = quota::amounts(&quota["spec"]["hard"]);
        let mut used: Amounts = hard.keys().map(|name| (name.clone(), 0)).collect();
        let mut kinds: Vec<(String, String)> = hard
            .keys()
            .filter_map(|name| quota::counted_kind(name))
            .collect();
        kinds.sort();
        kinds.dedup();
        for (group, plural) in kinds {
            let served = self.cluster.served_kinds();
            let Some(kind) = served
                .iter()
                .find(|kind| kind.resource.group == group && kind.resource.plural == plural)
            else {
                continue;
            };
            let api = kind.api(self.cluster.client.clone(), Some(namespace));
            for object in api.list(&ListParams::default()).await?.items {
                let object = serde_json::to_value(&object).unwrap_or_default();
                if !quota::in_scope(quota, &plural, &object) {
                    continue;
                }
                for (name, amount) in quota::usage(&group, &plural, &object) {
                    if let Some(sum) = used.get_mut(&name) {
                        *sum += amount;
                    }
                }
            }
        }
        Ok(used)
    }
}

fn listen<K>(informer: &Informer<K>, cluster: &Weak<Cluster>, queue: &Arc<WorkQueue<ObjectKey>>)
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (cluster, queue) = (cluster.clone(), Arc::clone(queue));
    informer.on_change(move |change| {
        let Some(namespace) = change.object().meta().namespace.as_deref() else {
            return;
        };
        let Some(cluster) = cluster.upgrade() else {
            return;
        };
        for quota in cluster.quotas.in_namespace(namespace) {
            queue.add_after(ObjectKey::of(quota.as_ref()), SETTLE);
        }
    });
}

impl Reconcile for QuotaController {
    type Key = ObjectKey;
    const NAME: &'static str = "resourcequota-controller";

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(quota) = self.cluster.quotas.get(key) else {
            return Ok(());
        };
        let plain = serde_json::to_value(quota.as_ref()).unwrap_or_default();
        let used: serde_json::Map<String, Value> = self
            .used(&plain, &key.namespace)
            .await?
            .into_iter()
            .map(|(name, amount)| (name.clone(), quota::shown(&name, amount).into()))
            .collect();
        let status = json!({"hard": plain["spec"]["hard"], "used": used});
        if plain["status"] == status {
            return Ok(());
        }
        let api: Api<ResourceQuota> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        let mut updated = ResourceQuota::clone(&quota);
        updated.status = serde_json::from_value(status).ok();
        let bytes = serde_json::to_value(&updated).unwrap_or_default();
        let patch = json!({
            "metadata": {"resourceVersion": quota.resource_version()},
            "status": bytes["status"],
        });
        match api
            .patch_status(&key.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
