//! What every namespace gets, and how one goes: its content first, then itself.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, NamespaceCondition, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::cluster::{Cluster, ServedKind};
use super::key::ObjectKey;
use super::queue::WorkQueue;
use super::worker::{self, Reconcile, SyncError};

const ROOT_CA: &str = "kube-root-ca.crt";
const CA_KEY: &str = "ca.crt";
/// The finalizer that makes a namespace wait for its content.
const FINALIZER: &str = "kubernetes";
/// A look in between, should something go without being watched.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The namespace controller, with those for default ServiceAccounts and the root certificate.
#[derive(Debug)]
pub struct NamespaceController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<ObjectKey>>,
}

impl NamespaceController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let wishes = Arc::clone(&queue);
        cluster
            .namespaces
            .on_change(move |change| wishes.add(ObjectKey::of(change.object().as_ref())));
        // Pods take their time to go; everything else is gone at once or has a finalizer.
        let wishes = Arc::clone(&queue);
        cluster.pods.on_change(move |change| {
            if matches!(change, super::informer::Change::Deleted(_)) {
                wishes.add(ObjectKey::new(
                    "",
                    change.object().namespace().unwrap_or_default(),
                ));
            }
        });
        let wishes = Arc::clone(&queue);
        cluster.service_accounts.on_change(move |change| {
            if change.object().name_any() == "default" {
                wishes.add(ObjectKey::new(
                    "",
                    change.object().namespace().unwrap_or_default(),
                ));
            }
        });
        let (wishes, weak) = (Arc::clone(&queue), Arc::downgrade(&cluster));
        cluster.config_maps.on_change(move |change| {
            let config_map = change.object();
            if config_map.name_any() != ROOT_CA {
                return;
            }
            let namespace = config_map.namespace().unwrap_or_default();
            if namespace == "kube-system"
                && let Some(cluster) = weak.upgrade()
            {
                let all = cluster.namespaces.all();
                all.iter()
                    .for_each(|namespace| wishes.add(ObjectKey::of(namespace.as_ref())));
            }
            wishes.add(ObjectKey::new("", namespace));
        });
        Self { cluster, queue }
    }

    async fn furnish(&self, namespace: &str) -> Result<(), SyncError> {
        let harmless = |error: &kube::Error| {
            worker::is_already_exists(error)
                || worker::is_namespace_terminating(error)
                || worker::is_not_found(error)
        };
        let meta = |name: &str| ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        };
        if self
            .cluster
            .service_accounts
            .get(&ObjectKey::new(namespace, "default"))
            .is_none()
        {
            let api: Api<ServiceAccount> = Api::namespaced(self.cluster.client.clone(), namespace);
            let account = ServiceAccount {
                metadata: meta("default"),
                ..ServiceAccount::default()
            };
            match api.create(&PostParams::default(), &account).await {
                Err(error) if !harmless(&error) => return Err(error.into()),
                _ => {}
            }
        }
        let ca_in = |namespace: &str| -> Option<String> {
            let config_map = self
                .cluster
                .config_maps
                .get(&ObjectKey::new(namespace, ROOT_CA))?;
            config_map.data.as_ref()?.get(CA_KEY).cloned()
        };
        let Some(ca) = ca_in("kube-system") else {
            return Ok(());
        };
        if ca_in(namespace).as_ref() == Some(&ca) {
            return Ok(());
        }
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.client.clone(), namespace);
        let existing = self
            .cluster
            .config_maps
            .get(&ObjectKey::new(namespace, ROOT_CA));
        let mut config_map = existing.as_deref().cloned().unwrap_or_else(|| ConfigMap {
            metadata: ObjectMeta {
                annotations: Some(
                    [(
                        "kubernetes.io/description".to_owned(),
                        "Contains a CA bundle that can be used to verify the kube-apiserver when \
                         using internal endpoints such as the internal service IP or \
                         kubernetes.default.svc. No other usage is guaranteed across \
                         distributions of Kubernetes clusters."
                            .to_owned(),
                    )]
                    .into(),
                ),
                ..meta(ROOT_CA)
            },
            ..ConfigMap::default()
        });
        config_map.data = Some([(CA_KEY.to_owned(), ca)].into());
        let outcome = if existing.is_some() {
            api.replace(ROOT_CA, &PostParams::default(), &config_map)
                .await
        } else {
            api.create(&PostParams::default(), &config_map).await
        };
        match outcome {
            Err(error) if !harmless(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Deletes what is there; says what is left.
    async fn empty(&self, namespace: &str) -> Result<Vec<Remaining>, SyncError> {
        let mut left = Vec::new();
        let served = self.cluster.served_kinds();
        for kind in served.iter().filter(|kind| kind.namespaced) {
            let api = kind.api(self.cluster.client.clone(), Some(namespace));
            for object in api.list(&ListParams::default()).await?.items {
                if object.metadata.deletion_timestamp.is_some() {
                    continue;
                }
                let params = DeleteParams::background().preconditions(Preconditions {
                    uid: object.uid(),
                    resource_version: None,
                });
                match api.delete(&object.name_any(), &params).await {
                    Ok(_) => {}
                    Err(error) if worker::is_not_found(&error) || worker::is_conflict(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let rest = api.list(&ListParams::default()).await?.items;
            if !rest.is_empty() {
                let finalizers = rest.iter().flat_map(|object| object.finalizers().to_vec());
                left.push(Remaining {
                    kind: kind.clone(),
                    count: rest.len(),
                    finalizers: finalizers.collect(),
                });
            }
        }
        Ok(left)
    }

    async fn tear_down(&self, namespace: &Namespace) -> Result<(), SyncError> {
        let name = namespace.name_any();
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        let waits = |namespace: &Namespace| {
            let finalizers = namespace
                .spec
                .iter()
                .flat_map(|spec| spec.finalizers.iter().flatten());
            finalizers
                .into_iter()
                .any(|finalizer| finalizer == FINALIZER)
        };
        if !waits(namespace) {
            return Ok(());
        }
        let left = self.empty(&name).await?;
        let mut updated = namespace.clone();
        let status = updated.status.get_or_insert_default();
        status.phase = Some("Terminating".to_owned());
        status.conditions = Some(conditions(
            status.conditions.as_deref().unwrap_or_default(),
            &left,
            Timestamp::now(),
        ));
        if updated.status != namespace.status {
            match api
                .replace_status(&name, &PostParams::default(), &updated)
                .await
            {
                Ok(stored) => updated = stored,
                Err(error) if worker::is_not_found(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        if !left.is_empty() {
            self.queue.add_after(ObjectKey::of(namespace), LOOK_AGAIN);
            return Ok(());
        }
        if let Some(finalizers) = updated
            .spec
            .as_mut()
            .and_then(|spec| spec.finalizers.as_mut())
        {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let outcome = api
            .replace_subresource(
                "finalize",
                &name,
                &PostParams::default(),
                &updated_bytes(&updated)?,
            )
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if worker::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The value to send; the types always serialize.
fn updated_bytes(namespace: &Namespace) -> Result<serde_json::Value, SyncError> {
    serde_json::to_value(namespace)
        .map_err(|error| SyncError::Other(format!("failed to write a namespace: {error}")))
}

/// Objects of one kind that are not gone yet.
#[derive(Debug)]
struct Remaining {
    kind: ServedKind,
    count: usize,
    finalizers: Vec<String>,
}

/// The conditions that tell how far the deletion is.
fn conditions(
    old: &[NamespaceCondition],
    left: &[Remaining],
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    let resources: Vec<String> = left
        .iter()
        .map(|remaining| {
            let resource = &remaining.kind.resource;
            let dot = if resource.group.is_empty() { "" } else { "." };
            let name = format!("{}{dot}{}", resource.plural, resource.group);
            format!("{name} has {} resource instances", remaining.count)
        })
        .collect();
    let mut finalizers: Vec<&String> = left.iter().flat_map(|left| &left.finalizers).collect();
    finalizers.sort();
    let mut counted: Vec<(&String, usize)> = Vec::new();
    for finalizer in finalizers {
        match counted.last_mut() {
            Some((last, count)) if *last == finalizer => *count += 1,
            _ => counted.push((finalizer, 1)),
        }
    }
    let counted: Vec<String> = counted
        .into_iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"))
        .collect();
    let told = |list: &[String], bad: (&'static str, &str), good: (&'static str, &str)| {
        if list.is_empty() {
            ("False", good.0, good.1.to_owned())
        } else {
            ("True", bad.0, format!("{}{}", bad.1, list.join(", ")))
        }
    };
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            (
                "False",
                "ResourcesDiscovered",
                "All resources successfully discovered".to_owned(),
            ),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            (
                "False",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed".to_owned(),
            ),
        ),
        (
            "NamespaceDeletionContentFailure",
            (
                "False",
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization".to_owned(),
            ),
        ),
        (
            "NamespaceContentRemaining",
            told(
                &resources,
                ("SomeResourcesRemain", "Some resources are remaining: "),
                ("ContentRemoved", "All content successfully removed"),
            ),
        ),
        (
            "NamespaceFinalizersRemaining",
            told(
                &counted,
                (
                    "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: ",
                ),
                (
                    "ContentHasNoFinalizers",
                    "All content-preserving finalizers finished",
                ),
            ),
        ),
    ];
    rows.into_iter()
        .map(|(kind, (status, reason, message))| {
            let since = old
                .iter()
                .find(|old| old.type_ == kind && old.status == status)
                .and_then(|old| old.last_transition_time.clone())
                .unwrap_or(Time(now));
            NamespaceCondition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message),
                last_transition_time: Some(since),
            }
        })
        .collect()
}

impl Reconcile for NamespaceController {
    type Key = ObjectKey;
    const NAME: &'static str = "namespace-controller";

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(namespace) = self.cluster.namespaces.get(key) else {
            return Ok(());
        };
        if namespace.metadata.deletion_timestamp.is_some() {
            self.tear_down(&namespace).await
        } else {
            self.furnish(&key.name).await
        }
    }
}
