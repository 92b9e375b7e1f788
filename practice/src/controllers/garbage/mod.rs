//! The garbage collector: objects go when the last of their owners has gone.

mod graph;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{
    DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::core::ApiResource;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::cluster::{Cluster, ServedKind};
use super::informer::{Change, Informer};
use super::queue::WorkQueue;
use super::worker::{self, Reconcile, SyncError};
use graph::{FOREGROUND, Graph, Item, ORPHAN, OwnerState, Verdict};

/// The garbage collector.
#[derive(Debug)]
pub struct GarbageCollector {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<String>>,
    graph: Arc<Mutex<Graph>>,
}

impl GarbageCollector {
    /// Listens to every kind.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let collector = Self {
            queue: Arc::new(WorkQueue::default()),
            graph: Arc::default(),
            cluster: Arc::clone(&cluster),
        };
        collector.listen_typed(&cluster.pods);
        collector.listen_typed(&cluster.replica_sets);
        collector.listen_typed(&cluster.deployments);
        collector.listen_typed(&cluster.services);
        collector.listen_typed(&cluster.endpoint_slices);
        collector.listen_typed(&cluster.endpoints);
        collector.listen_typed(&cluster.nodes);
        collector.listen_typed(&cluster.namespaces);
        collector.listen_typed(&cluster.service_accounts);
        collector.listen_typed(&cluster.config_maps);
        collector.listen_typed(&cluster.stateful_sets);
        collector.listen_typed(&cluster.daemon_sets);
        collector.listen_typed(&cluster.revisions);
        collector.listen_typed(&cluster.jobs);
        collector.listen_typed(&cluster.claims);
        collector.listen_typed(&cluster.quotas);
        for (kind, informer) in &cluster.others {
            collector.listen(kind.clone(), informer);
        }
        collector
    }

    fn listen_typed<K>(&self, informer: &Informer<K>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let resource = ApiResource::erase::<K>(&());
        let namespaced = self
            .cluster
            .served_kinds()
            .iter()
            .find(|kind| kind.resource.plural == resource.plural)
            .is_some_and(|kind| kind.namespaced);
        self.listen(
            ServedKind {
                resource,
                namespaced,
            },
            informer,
        );
    }

    /// Listens to one kind.
    pub fn listen<K>(&self, kind: ServedKind, informer: &Informer<K>)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (graph, queue) = (Arc::clone(&self.graph), Arc::clone(&self.queue));
        informer.on_change(move |change| {
            let meta = change.object().meta();
            let Some(uid) = meta.uid.as_deref() else {
                return;
            };
            let mut graph = graph.lock().unwrap_or_else(PoisonError::into_inner);
            let look = match change {
                Change::Deleted(_) => graph.remove(uid),
                Change::Updated { old, new } if same_ties(old.as_ref(), new.as_ref()) => return,
                _ => graph.put(uid, Item::new(kind.clone(), meta)),
            };
            drop(graph);
            look.into_iter().for_each(|uid| queue.add(uid));
        });
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the server: the caches of two kinds are never exactly as old.
    async fn fetch(&self, uid: &str, item: &Item) -> Result<Option<DynamicObject>, SyncError> {
        let api = item
            .kind
            .api(self.cluster.client.clone(), item.namespace.as_deref());
        match api.get(&item.name).await {
            Ok(object) if object.metadata.uid.as_deref() == Some(uid) => Ok(Some(object)),
            Ok(_) => Ok(None),
            Err(error) if worker::is_not_found(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn owner_state(
        &self,
        owner: &OwnerReference,
        namespace: Option<&str>,
    ) -> Result<OwnerState, SyncError> {
        if let Some(known) = self.graph().item(&owner.uid) {
            let waiting = known.waits_for_dependents();
            return Ok(if waiting {
                OwnerState::Waiting
            } else {
                OwnerState::Solid
            });
        }
        let group = owner
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let kind = self
            .cluster
            .served_kinds()
            .iter()
            .find(|kind| kind.group_kind() == (group, &owner.kind))
            .cloned();
        // Nobody can say whether an object of an unknown kind exists: better keep what it owns.
        let Some(kind) = kind else {
            return Ok(OwnerState::Solid);
        };
        let probe = Item {
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            name: owner.name.clone(),
            owners: Vec::new(),
            finalizers: Vec::new(),
            deleting: false,
        };
        Ok(match self.fetch(&owner.uid, &probe).await? {
            None => OwnerState::Absent,
            Some(found) if Item::new(kind, &found.metadata).waits_for_dependents() => {
                OwnerState::Waiting
            }
            Some(_) => OwnerState::Solid,
        })
    }

    async fn patch(
        &self,
        item: &Item,
        object: &DynamicObject,
        metadata: serde_json::Value,
    ) -> Result<(), SyncError> {
        let api = item
            .kind
            .api(self.cluster.client.clone(), item.namespace.as_deref());
        let mut patch = json!({"metadata": metadata});
        patch["metadata"]["resourceVersion"] = json!(object.metadata.resource_version);
        match api
            .patch(&item.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn remove_finalizer(
        &self,
        item: &Item,
        object: &DynamicObject,
        finalizer: &str,
    ) -> Result<(), SyncError> {
        let rest: Vec<&String> = object
            .finalizers()
            .iter()
            .filter(|name| *name != finalizer)
            .collect();
        self.patch(item, object, json!({"finalizers": rest})).await
    }

    /// Takes the reference to one owner off every dependent.
    async fn let_dependents_go(&self, uid: &str) -> Result<(), SyncError> {
        let dependents = self.graph().dependents(uid);
        for dependent in dependents {
            let item = self.graph().item(&dependent).cloned();
            let Some(item) = item else { continue };
            let Some(object) = self.fetch(&dependent, &item).await? else {
                continue;
            };
            self.drop_owners(&item, &object, &[uid.to_owned()]).await?;
        }
        Ok(())
    }

    async fn drop_owners(
        &self,
        item: &Item,
        object: &DynamicObject,
        gone: &[String],
    ) -> Result<(), SyncError> {
        let rest: Vec<&OwnerReference> = object
            .owner_references()
            .iter()
            .filter(|owner| !gone.contains(&owner.uid))
            .collect();
        if rest.len() == object.owner_references().len() {
            return Ok(());
        }
        self.patch(item, object, json!({"ownerReferences": rest}))
            .await
    }

    async fn delete(
        &self,
        uid: &str,
        item: &Item,
        object: &DynamicObject,
        foreground: bool,
    ) -> Result<(), SyncError> {
        // A finalizer put on earlier says what its owner wanted.
        let has = |wanted: &str| object.finalizers().iter().any(|name| name == wanted);
        let policy = if has(ORPHAN) {
            PropagationPolicy::Orphan
        } else if foreground || has(FOREGROUND) {
            PropagationPolicy::Foreground
        } else {
            PropagationPolicy::Background
        };
        let params = DeleteParams {
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        }
        .preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        let api = item
            .kind
            .api(self.cluster.client.clone(), item.namespace.as_deref());
        match api.delete(&item.name, &params).await {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) || worker::is_conflict(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Nothing about owners, finalizers or deletion changed.
fn same_ties(old: &impl Resource, new: &impl Resource) -> bool {
    let (old, new) = (old.meta(), new.meta());
    old.owner_references == new.owner_references
        && old.finalizers == new.finalizers
        && old.deletion_timestamp.is_some() == new.deletion_timestamp.is_some()
}

impl Reconcile for GarbageCollector {
    type Key = String;
    const NAME: &'static str = "garbage-collector";

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, uid: &String) -> Result<(), SyncError> {
        let (item, dependents, blocked) = {
            let graph = self.graph();
            let Some(item) = graph.item(uid).cloned() else {
                return Ok(());
            };
            (item, graph.dependents(uid), graph.is_blocked(uid))
        };
        let ours = item.waits_for_dependents() || item.orphans_dependents();
        let may_go = !item.deleting && !item.owners.is_empty();
        if !ours && !may_go {
            return Ok(());
        }
        let Some(object) = self.fetch(uid, &item).await? else {
            return Ok(());
        };
        let fresh = Item::new(item.kind.clone(), &object.metadata);
        if fresh.orphans_dependents() {
            self.let_dependents_go(uid).await?;
            return self.remove_finalizer(&item, &object, ORPHAN).await;
        }
        if fresh.waits_for_dependents() {
            if blocked {
                dependents
                    .into_iter()
                    .for_each(|dependent| self.queue.add(dependent));
                return Ok(());
            }
            return self.remove_finalizer(&item, &object, FOREGROUND).await;
        }
        if fresh.deleting {
            return Ok(());
        }
        let mut owners = Vec::with_capacity(fresh.owners.len());
        for owner in &fresh.owners {
            let state = self.owner_state(owner, item.namespace.as_deref()).await?;
            owners.push((owner.uid.clone(), state));
        }
        match graph::judge(&owners, !dependents.is_empty()) {
            Verdict::Keep => Ok(()),
            Verdict::DropOwners(gone) => self.drop_owners(&item, &object, &gone).await,
            Verdict::Delete { foreground } => self.delete(uid, &item, &object, foreground).await,
        }
    }
}
