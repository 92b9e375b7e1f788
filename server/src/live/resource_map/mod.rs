//! The map of the project's objects: read from the cluster when a page asks, then drawn by the page.

mod draw;
mod references;

use std::fmt::Debug;

use app::model::{Failure, ObjectKind, ResourceMap};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::Client;
use kube::api::{Api, ListParams};
use serde::de::DeserializeOwned;

use self::draw::{Names, World};
use super::{LiveRoom, words};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::engine::clock;

/// More objects of a kind would be no picture.
const MOST: u32 = 500;

impl LiveRoom {
    pub(super) async fn read_map(&self) -> Result<ResourceMap, Failure> {
        let connected = self.cluster.connected()?;
        let reader = Reader {
            client: connected.client.clone(),
            namespace: self.namespace(),
        };
        let (deployments, sets, pods, services, stateful, daemons, jobs, secrets, configs) = tokio::join!(
            reader.list::<Deployment>(),
            reader.list::<ReplicaSet>(),
            reader.list::<Pod>(),
            reader.list::<Service>(),
            reader.list::<StatefulSet>(),
            reader.list::<DaemonSet>(),
            reader.list::<Job>(),
            reader.names::<Secret>(),
            reader.names::<ConfigMap>(),
        );
        // Without these there is no picture; the others may be forbidden or unknown.
        let essential =
            |kind: ObjectKind| move |error: KubeError| words::map_unreadable(kind, &error);
        let world = World {
            deployments: deployments.map_err(essential(ObjectKind::Deployment))?,
            replica_sets: sets.map_err(essential(ObjectKind::ReplicaSet))?,
            pods: pods.map_err(essential(ObjectKind::Pod))?,
            services: services.unwrap_or_default(),
            stateful_sets: stateful.unwrap_or_default(),
            daemon_sets: daemons.unwrap_or_default(),
            jobs: jobs.unwrap_or_default(),
            secrets,
            config_maps: configs,
        };
        Ok(ResourceMap {
            read: clock::now(),
            ..draw::map(&world)
        })
    }
}

struct Reader {
    client: Client,
    namespace: String,
}

impl Reader {
    async fn list<K>(&self) -> Result<Vec<K>, KubeError>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = ListParams::default().limit(MOST);
        Ok(within(REQUEST_LIMIT, api.list(&params)).await?.items)
    }

    /// Names alone: no value leaves the cluster for a picture. None where they may not be read.
    async fn names<K>(&self) -> Names
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = ListParams::default().limit(MOST);
        let list = within(REQUEST_LIMIT, api.list_metadata(&params))
            .await
            .ok()?;
        let names = list.items.into_iter().filter_map(|one| one.metadata.name);
        Some(names.collect())
    }
}
