//! Keeps EndpointSlices and legacy Endpoints in step with Services and their pods.

mod addresses;
mod slices;

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};

use super::cluster::Cluster;
use super::informer::Change;
use super::key::ObjectKey;
use super::pods;
use super::queue::WorkQueue;
use super::selector::{self, Labels};
use super::worker::{self, Reconcile, SyncError};

/// The endpoints controller for both kinds of objects.
#[derive(Debug)]
pub struct EndpointsController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
    /// What was asked of the slices and the cache does not show yet.
    expectations: Arc<super::expectations::Expectations>,
}

impl EndpointsController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let expectations = Arc::new(super::expectations::Expectations::default());
        let wishes = Arc::clone(&queue);
        cluster
            .services
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster
            .pods
            .on_change(move |change| pod_changed(change, &weak, &wishes));
        let (wishes, expected) = (Arc::clone(&queue), Arc::clone(&expectations));
        cluster.endpoint_slices.on_change(move |change| {
            let slice = change.object();
            let Some(key) = service_key(slice) else {
                return;
            };
            let uid = slice.metadata.uid.as_deref().unwrap_or_default();
            match change {
                Change::Deleted(_) => {
                    expected.creation_seen(&key, uid);
                    expected.deletion_seen(&key, uid);
                }
                _ => expected.creation_seen(&key, uid),
            }
            wishes.add(key);
        });
        let wishes = Arc::clone(&queue);
        cluster
            .endpoints
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        Self {
            cluster,
            queue,
            expectations,
        }
    }

    async fn sync_slices(
        &self,
        key: &ObjectKey,
        changes: slices::SliceChanges,
        existing: &[Arc<EndpointSlice>],
    ) -> Result<(), SyncError> {
        let api: Api<EndpointSlice> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        for slice in changes.create {
            self.expectations.creation_sent(key);
            let outcome = api.create(&PostParams::default(), &slice).await;
            let uid = outcome
                .as_ref()
                .ok()
                .and_then(|slice| slice.metadata.uid.as_deref());
            self.expectations.creation_returned(key, uid);
            ignore(outcome, worker::is_namespace_terminating)?;
        }
        for slice in changes.update {
            ignore(
                api.replace(&slice.name_any(), &PostParams::default(), &slice)
                    .await,
                worker::is_not_found,
            )?;
        }
        for name in changes.delete {
            let known = existing.iter().find(|slice| slice.name_any() == name);
            let uid = known.and_then(|slice| slice.uid()).unwrap_or_default();
            self.expectations.deletion_sent(key, &uid);
            let outcome = api.delete(&name, &DeleteParams::default()).await;
            if outcome.is_err() {
                self.expectations.deletion_seen(key, &uid);
            }
            ignore(outcome, worker::is_not_found)?;
        }
        Ok(())
    }

    async fn sync_legacy(
        &self,
        key: &ObjectKey,
        wanted: Option<Endpoints>,
    ) -> Result<(), SyncError> {
        let Some(endpoints) = wanted else {
            return Ok(());
        };
        let api: Api<Endpoints> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        if endpoints.metadata.uid.is_some() {
            let outcome = api
                .replace(&key.name, &PostParams::default(), &endpoints)
                .await;
            ignore(outcome, worker::is_not_found)
        } else {
            let outcome = api.create(&PostParams::default(), &endpoints).await;
            ignore(outcome, |error| {
                worker::is_already_exists(error) || worker::is_namespace_terminating(error)
            })
        }
    }

    /// The Service is gone. Its slices follow by ownership; the legacy object has no owner.
    async fn forget(&self, key: &ObjectKey) -> Result<(), SyncError> {
        self.expectations.forget(key);
        let managed = self.cluster.endpoints.get(key).is_some_and(|endpoints| {
            endpoints
                .labels()
                .contains_key("endpoints.kubernetes.io/managed-by")
        });
        if !managed {
            return Ok(());
        }
        let api: Api<Endpoints> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        ignore(
            api.delete(&key.name, &DeleteParams::default()).await,
            worker::is_not_found,
        )
    }
}

fn ignore<T>(
    outcome: Result<T, kube::Error>,
    harmless: impl Fn(&kube::Error) -> bool,
) -> Result<(), SyncError> {
    match outcome {
        Err(error) if !harmless(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

fn service_key(slice: &EndpointSlice) -> Option<ObjectKey> {
    let labels = slice.labels();
    if labels.get(slices::MANAGED_BY).map(String::as_str) != Some(slices::MANAGER) {
        return None;
    }
    let name = labels.get(slices::SERVICE_NAME)?;
    Some(ObjectKey::new(
        slice.namespace().unwrap_or_default(),
        name.clone(),
    ))
}

/// Wakes the Services that select the pod now or did before, if anything they show changed.
fn pod_changed(change: &Change<Pod>, weak: &Weak<Cluster>, queue: &WorkQueue<ObjectKey>) {
    let pod = change.object();
    if let Some(old) = change.old()
        && shown(old) == shown(pod)
    {
        return;
    }
    let Some(cluster) = weak.upgrade() else {
        return;
    };
    let labels: Vec<Option<&Labels>> = std::iter::once(pod)
        .chain(change.old())
        .map(|pod| pod.metadata.labels.as_ref())
        .collect();
    let mut woken = HashSet::new();
    for service in cluster
        .services
        .in_namespace(&pod.namespace().unwrap_or_default())
    {
        let Some(wanted) = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref())
        else {
            continue;
        };
        if labels
            .iter()
            .any(|labels| selector::map_matches(wanted, *labels))
        {
            woken.insert(ObjectKey::of(service.as_ref()));
        }
    }
    woken.into_iter().for_each(|key| queue.add(key));
}

/// What of a pod an endpoint shows.
fn shown(
    pod: &Pod,
) -> (
    Option<&Labels>,
    Option<&str>,
    bool,
    bool,
    bool,
    Option<&str>,
) {
    (
        pod.metadata.labels.as_ref(),
        pod.status
            .as_ref()
            .and_then(|status| status.pod_ip.as_deref()),
        pods::is_ready(pod),
        pods::is_finished(pod),
        pod.metadata.deletion_timestamp.is_some(),
        pods::node(pod),
    )
}

impl Reconcile for EndpointsController {
    type Key = ObjectKey;
    const NAME: &'static str = "endpointslice-controller";

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(service) = self.cluster.services.get(key) else {
            return self.forget(key).await;
        };
        if service.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        // The slice that was created or deleted last must be seen before it is counted.
        let settled = self.expectations.are_met(key);
        let pods = self.cluster.pods.in_namespace(&key.namespace);
        let Some(groups) = addresses::backends(&service, &pods) else {
            return Ok(());
        };
        if settled {
            let mut existing = self.cluster.endpoint_slices.in_namespace(&key.namespace);
            existing.retain(|slice| service_key(slice).as_ref() == Some(key));
            let changes = slices::slice_changes(&service, &groups, &existing);
            self.sync_slices(key, changes, &existing).await?;
        }
        let existing = self.cluster.endpoints.get(key);
        let legacy = slices::legacy(&Service::clone(&service), &groups, existing.as_deref());
        self.sync_legacy(key, legacy).await
    }
}
