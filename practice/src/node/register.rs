//! The Node object: what this machine offers, the heartbeat that says it is alive, and the images
//! it holds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::core::{HOST_IP, NodeCore};
use super::quantity;
use crate::images::ImageStore;

const LEASE_NAMESPACE: &str = "kube-node-lease";
const HEARTBEAT: Duration = Duration::from_secs(10);
const MAX_PODS: u32 = 110;

/// Creates the Node if it is missing and keeps it current until the task is dropped.
pub async fn run(core: Arc<NodeCore>, version: String) {
    let mut images = core.image_changes.clone();
    loop {
        if let Err(error) = beat(&core, &version).await {
            tracing::debug!(%error, "node heartbeat not written");
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(HEARTBEAT) => {}
            changed = images.changed() => if changed.is_err() { return },
        }
    }
}

/// Writes the Node's status and the Lease once.
pub async fn beat(core: &NodeCore, version: &str) -> kube::Result<()> {
    let nodes: Api<Node> = Api::all(core.client.clone());
    let existing = match nodes.get_opt(&core.name).await? {
        Some(node) => node,
        None => {
            nodes
                .create(&PostParams::default(), &object(&core.name))
                .await?
        }
    };
    let store = core.images.clone();
    let images = tokio::task::spawn_blocking(move || images(&store))
        .await
        .unwrap_or_default();
    let status = status(core, version, &existing, images);
    nodes
        .patch_status(&core.name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    renew_lease(core, existing.uid().unwrap_or_default()).await;
    Ok(())
}

fn object(name: &str) -> Node {
    let arch = architecture();
    let node = json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": arch,
                "node-role.kubernetes.io/control-plane": "",
            }
        },
        "spec": {"podCIDR": "127.77.0.0/16"},
    });
    serde_json::from_value(node).unwrap_or_default()
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn status(core: &NodeCore, version: &str, existing: &Node, images: Vec<Value>) -> Value {
    let now = Time(Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default());
    let known = existing.status.as_ref().and_then(|s| s.conditions.as_ref());
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let since = known
            .and_then(|all| all.iter().find(|c| c.type_ == kind && c.status == status))
            .and_then(|c| c.last_transition_time.clone())
            .unwrap_or_else(|| now.clone());
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": since,
        })
    };
    let amounts = json!({
        "cpu": quantity::host_cpus().to_string(),
        "memory": format!("{}Ki", quantity::host_memory_bytes() / 1024),
        "pods": MAX_PODS.to_string(),
    });
    json!({"status": {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            {"type": "InternalIP", "address": HOST_IP},
            {"type": "Hostname", "address": core.name},
        ],
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "machineID": core.identity,
            "systemUUID": core.identity,
            "bootID": boot_id(),
            "kernelVersion": kernel_version(),
            "osImage": os_image(),
            "containerRuntimeVersion": format!("slipway-practice://{version}"),
            "kubeletVersion": crate::KUBERNETES_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": architecture(),
        },
        "images": images,
    }})
}

fn images(store: &ImageStore) -> Vec<Value> {
    let list = store.list().unwrap_or_else(|error| {
        tracing::warn!(%error, "images not listed");
        Vec::new()
    });
    list.iter()
        .map(|image| json!({"names": image.node_names(), "sizeBytes": image.size_bytes}))
        .collect()
}

async fn renew_lease(core: &NodeCore, node_uid: String) {
    let leases: Api<Lease> = Api::namespaced(core.client.clone(), LEASE_NAMESPACE);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": core.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": core.name, "uid": node_uid}]},
        "spec": {
            "holderIdentity": core.name,
            "leaseDurationSeconds": 40,
            "renewTime": MicroTime(Timestamp::now()),
        }
    });
    let patched = leases
        .patch(&core.name, &PatchParams::default(), &Patch::Merge(&lease))
        .await;
    if let Err(kube::Error::Api(status)) = &patched
        && status.code == 404
        && let Ok(object) = serde_json::from_value::<Lease>(lease)
        && let Err(error) = leases.create(&PostParams::default(), &object).await
    {
        // The Node's own conditions carry the heartbeat too.
        tracing::debug!(%error, "node lease not written");
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn kernel_version() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn os_image() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or_else(
            || std::env::consts::OS.to_owned(),
            |name| name.trim_matches('"').to_owned(),
        )
}
