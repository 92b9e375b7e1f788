//! What all controllers share: the client, one cache per kind, and the event recorder.

use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota, Service,
    ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::informer::Informer;
use super::recorder::Recorder;
use super::worker::{SyncError, supervise};

/// The shared view of the cluster.
pub struct Cluster {
    pub client: Client,
    pub recorder: Recorder,
    pub pods: Informer<Pod>,
    pub replica_sets: Informer<ReplicaSet>,
    pub deployments: Informer<Deployment>,
    pub services: Informer<Service>,
    pub endpoint_slices: Informer<EndpointSlice>,
    pub endpoints: Informer<Endpoints>,
    pub nodes: Informer<Node>,
    pub namespaces: Informer<Namespace>,
    pub service_accounts: Informer<ServiceAccount>,
    pub config_maps: Informer<ConfigMap>,
    pub stateful_sets: Informer<StatefulSet>,
    pub daemon_sets: Informer<DaemonSet>,
    pub revisions: Informer<ControllerRevision>,
    pub jobs: Informer<Job>,
    pub claims: Informer<PersistentVolumeClaim>,
    pub quotas: Informer<ResourceQuota>,
    /// Every other kind that can own or be owned, by its metadata only.
    pub others: Vec<(ServedKind, Informer<DynamicObject>)>,
    /// Every kind the server stores.
    served: RwLock<Arc<Vec<ServedKind>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// A kind as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedKind {
    pub resource: ApiResource,
    pub namespaced: bool,
}

impl ServedKind {
    /// Group and kind, such as `apps` and `Deployment`.
    pub fn group_kind(&self) -> (&str, &str) {
        (&self.resource.group, &self.resource.kind)
    }

    /// The API for its objects, in this namespace or cluster-wide.
    pub fn api(&self, client: Client, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource),
            None => Api::all_with(client, &self.resource),
        }
    }
}

/// The kinds with a typed cache of their own.
const TYPED: [(&str, &str); 16] = [
    ("", "Pod"),
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("", "Service"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("", "Endpoints"),
    ("", "Node"),
    ("", "Namespace"),
    ("", "ServiceAccount"),
    ("", "ConfigMap"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ControllerRevision"),
    ("batch", "Job"),
    ("", "PersistentVolumeClaim"),
    ("", "ResourceQuota"),
];

impl Cluster {
    /// Asks the server which kinds it has and prepares the caches. Nothing is watched yet.
    pub async fn discover(client: Client) -> Result<Self, SyncError> {
        let served = served_kinds(&client).await?;
        let others = served
            .iter()
            // Events own nothing and are owned by nobody, and there are many of them.
            .filter(|kind| !TYPED.contains(&kind.group_kind()) && kind.resource.kind != "Event")
            .map(|kind| (kind.clone(), Informer::default()))
            .collect();
        Ok(Self {
            recorder: Recorder::new(client.clone()),
            client,
            pods: Informer::default(),
            replica_sets: Informer::default(),
            deployments: Informer::default(),
            services: Informer::default(),
            endpoint_slices: Informer::default(),
            endpoints: Informer::default(),
            nodes: Informer::default(),
            namespaces: Informer::default(),
            service_accounts: Informer::default(),
            config_maps: Informer::default(),
            stateful_sets: Informer::default(),
            daemon_sets: Informer::default(),
            revisions: Informer::default(),
            jobs: Informer::default(),
            claims: Informer::default(),
            quotas: Informer::default(),
            others,
            served: RwLock::new(Arc::new(served)),
        })
    }

    /// Every kind the server stores, as last discovered.
    pub fn served_kinds(&self) -> Arc<Vec<ServedKind>> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the server again which kinds it has; answers those that were not there at first.
    pub async fn rediscover(&self) -> Result<Vec<ServedKind>, SyncError> {
        let served = served_kinds(&self.client).await?;
        let built_in = |kind: &&ServedKind| {
            TYPED.contains(&kind.group_kind())
                || kind.resource.kind == "Event"
                || self.others.iter().any(|(known, _)| known == *kind)
        };
        let custom = served
            .iter()
            .filter(|kind| !built_in(kind))
            .cloned()
            .collect();
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(served);
        Ok(custom)
    }

    /// Watches everything until `shutdown`.
    pub async fn watch(self: &Arc<Self>, shutdown: &CancellationToken) {
        macro_rules! watch {
            ($($cache:ident: $prune:expr),* $(,)?) => {
                tokio::join!($(async {
                    let api = Api::all(self.client.clone());
                    supervise(stringify!($cache), shutdown.clone(), || {
                        self.$cache.run(api.clone(), $prune, shutdown)
                    })
                    .await;
                }),*)
            };
        }
        let others = self.others.iter().map(|(kind, cache)| {
            let api = kind.api(self.client.clone(), None);
            supervise("metadata", shutdown.clone(), move || {
                cache.run(api.clone(), keep_metadata, shutdown)
            })
        });
        tokio::join!(
            async {
                watch!(
                    // Pods are many and only ever patched: their field owners are dead weight.
                    pods: |pod| pod.metadata.managed_fields = None,
                    replica_sets: |_| {},
                    deployments: |_| {},
                    services: |_| {},
                    endpoint_slices: |_| {},
                    endpoints: |_| {},
                    nodes: |node| node.metadata.managed_fields = None,
                    namespaces: |_| {},
                    service_accounts: |account| account.metadata.managed_fields = None,
                    config_maps: keep_root_ca_only,
                    stateful_sets: |_| {},
                    daemon_sets: |_| {},
                    revisions: |_| {},
                    jobs: |_| {},
                    claims: |_| {},
                    quotas: |_| {},
                )
            },
            futures::future::join_all(others),
        );
    }

    /// Waits until every cache is complete.
    pub async fn wait_synced(&self) {
        tokio::join!(
            self.pods.wait_synced(),
            self.replica_sets.wait_synced(),
            self.deployments.wait_synced(),
            self.services.wait_synced(),
            self.endpoint_slices.wait_synced(),
            self.endpoints.wait_synced(),
            self.nodes.wait_synced(),
            self.namespaces.wait_synced(),
            self.service_accounts.wait_synced(),
            self.config_maps.wait_synced(),
            self.stateful_sets.wait_synced(),
            self.daemon_sets.wait_synced(),
            self.revisions.wait_synced(),
            self.jobs.wait_synced(),
            self.claims.wait_synced(),
            self.quotas.wait_synced(),
            futures::future::join_all(self.others.iter().map(|(_, cache)| cache.wait_synced())),
        );
    }
}

/// Of other kinds only the metadata is read, and Secrets must not lie around in memory.
pub fn keep_metadata(object: &mut DynamicObject) {
    object.data = serde_json::Value::Null;
    object.metadata.managed_fields = None;
    object.metadata.annotations = None;
}

/// Of ConfigMaps only the root certificate's content is read.
fn keep_root_ca_only(config_map: &mut ConfigMap) {
    if config_map.metadata.name.as_deref() != Some("kube-root-ca.crt") {
        config_map.data = None;
        config_map.binary_data = None;
    }
}

/// Every kind that can be listed, watched and deleted. One served under two groups (events) is
/// named by the core group.
async fn served_kinds(client: &Client) -> Result<Vec<ServedKind>, SyncError> {
    let mut lists = vec![client.list_core_api_resources("v1").await?];
    for group in client.list_api_groups().await?.groups {
        let version = group
            .preferred_version
            .or_else(|| group.versions.into_iter().next());
        if let Some(version) = version {
            lists.push(
                client
                    .list_api_group_resources(&version.group_version)
                    .await?,
            );
        }
    }
    let mut served: Vec<ServedKind> = Vec::new();
    for list in lists {
        let (group, version) = list
            .group_version
            .split_once('/')
            .unwrap_or(("", &list.group_version));
        for resource in list.resources {
            let usable = ["list", "watch", "delete"]
                .iter()
                .all(|verb| resource.verbs.iter().any(|known| known == verb));
            if !usable
                || resource.name.contains('/')
                || resource.kind == "Event" && !group.is_empty()
            {
                continue;
            }
            let kind = GroupVersionKind::gvk(group, version, &resource.kind);
            served.push(ServedKind {
                resource: ApiResource::from_gvk_with_plural(&kind, &resource.name),
                namespaced: resource.namespaced,
            });
        }
    }
    Ok(served)
}
