//! Gives claims a volume: a folder of the node, made when the first pod mounts it. A volume goes
//! with its claim.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::cluster::Cluster;
use super::informer::Change;
use super::key::ObjectKey;
use super::queue::WorkQueue;
use super::recorder::Severity;
use super::worker::{self, Reconcile, SyncError};

const COMPONENT: &str = "persistentvolume-controller";
/// The provisioner of the class every practice cluster has.
pub const PROVISIONER: &str = "slipway.dev/practice-folder";

/// The volume controller.
#[derive(Debug)]
pub struct VolumeController {
    cluster: Arc<Cluster>,
    queue: Arc<WorkQueue<Key>>,
}

/// What is worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A claim that may need a volume.
    Claim(ObjectKey),
    /// A volume whose claim is gone.
    Released(String),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Claim(key) => key.fmt(f),
            Self::Released(name) => f.write_str(name),
        }
    }
}

/// Whether the claim has its volume.
pub fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        == Some("Bound")
}

fn volume_of(claim: &PersistentVolumeClaim) -> Option<String> {
    let spec = claim.spec.as_ref()?;
    spec.volume_name.clone().filter(|name| !name.is_empty())
}

impl VolumeController {
    /// Listens to what it needs to know.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        let queue = Arc::new(WorkQueue::default());
        let wishes = Arc::clone(&queue);
        cluster.claims.on_change(move |change| {
            let claim = change.object();
            match change {
                Change::Deleted(_) => {
                    if let Some(volume) = volume_of(claim) {
                        wishes.add(Key::Released(volume));
                    }
                }
                _ if !is_bound(claim) => wishes.add(Key::Claim(ObjectKey::of(claim.as_ref()))),
                _ => {}
            }
        });
        Self { cluster, queue }
    }

    async fn provision(&self, key: &ObjectKey) -> Result<(), SyncError> {
        let Some(claim) = self.cluster.claims.get(key) else {
            return Ok(());
        };
        let Some(spec) = &claim.spec else {
            return Ok(());
        };
        if is_bound(&claim) || claim.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let class = spec.storage_class_name.clone().unwrap_or_default();
        if !self.is_ours(&class).await? {
            return Ok(());
        }
        let volume = match volume_of(&claim) {
            Some(volume) => volume,
            None => self.create_volume(&claim, &class).await?,
        };
        let api: Api<PersistentVolumeClaim> =
            Api::namespaced(self.cluster.client.clone(), &key.namespace);
        let bind = json!({
            "metadata": {"uid": claim.uid(), "annotations": {
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.kubernetes.io/storage-provisioner": PROVISIONER,
            }},
            "spec": {"volumeName": volume},
        });
        let params = PatchParams::default();
        api.patch(&key.name, &params, &Patch::Merge(bind)).await?;
        let requested = spec.resources.as_ref().and_then(|r| r.requests.clone());
        let status = json!({"status": {
            "phase": "Bound", "accessModes": spec.access_modes, "capacity": requested,
        }});
        api.patch_status(&key.name, &params, &Patch::Merge(status))
            .await?;
        let message = format!("Successfully provisioned volume {volume}");
        self.cluster
            .recorder
            .write(
                COMPONENT,
                claim.as_ref(),
                Severity::Normal,
                "ProvisioningSucceeded",
                &message,
            )
            .await;
        Ok(())
    }

    async fn is_ours(&self, class: &str) -> Result<bool, SyncError> {
        if class.is_empty() {
            return Ok(false);
        }
        let classes: Api<StorageClass> = Api::all(self.cluster.client.clone());
        let found = classes.get_opt(class).await?;
        Ok(found.is_some_and(|class| class.provisioner == PROVISIONER))
    }

    async fn create_volume(
        &self,
        claim: &PersistentVolumeClaim,
        class: &str,
    ) -> Result<String, SyncError> {
        let name = format!("pvc-{}", claim.uid().unwrap_or_default());
        let spec = claim.spec.as_ref();
        let object = json!({
            "metadata": {
                "name": name,
                "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
            },
            "spec": {
                "accessModes": spec.and_then(|spec| spec.access_modes.clone()),
                "capacity": spec.and_then(|spec| spec.resources.as_ref()?.requests.clone()),
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "namespace": claim.namespace(), "name": claim.name_any(), "uid": claim.uid(),
                },
                "hostPath": {"path": format!("/practice/volumes/{name}"), "type": "DirectoryOrCreate"},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": class,
                "volumeMode": "Filesystem",
            },
        });
        let object: PersistentVolume = serde_json::from_value(object)
            .map_err(|error| SyncError::Other(format!("failed to write a volume: {error}")))?;
        let volumes: Api<PersistentVolume> = Api::all(self.cluster.client.clone());
        match volumes.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(error) if worker::is_already_exists(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let bound = json!({"status": {"phase": "Bound"}});
        volumes
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(bound))
            .await?;
        Ok(name)
    }

    async fn release(&self, name: &str) -> Result<(), SyncError> {
        let volumes: Api<PersistentVolume> = Api::all(self.cluster.client.clone());
        let params = PatchParams::default();
        let Some(volume) = volumes.get_opt(name).await? else {
            return Ok(());
        };
        let policy = volume
            .spec
            .as_ref()
            .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
        let outcome = if policy == Some("Delete") {
            volumes
                .delete(name, &DeleteParams::default())
                .await
                .map(drop)
        } else {
            let released = json!({"status": {"phase": "Released"}});
            volumes
                .patch_status(name, &params, &Patch::Merge(released))
                .await
                .map(drop)
        };
        match outcome {
            Err(error) if !worker::is_not_found(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Reconcile for VolumeController {
    type Key = Key;
    const NAME: &'static str = COMPONENT;

    fn queue(&self) -> &WorkQueue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<(), SyncError> {
        match key {
            Key::Claim(claim) => self.provision(claim).await,
            Key::Released(volume) => self.release(volume).await,
        }
    }
}
