//! Faults of the node, the namespace and the release. What runs goes on: `app` wants a node for a new
//! pod, and `crowd` a place in the namespace.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Node, ResourceQuota, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::cases::deployment;
use super::world::{World, component};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Around {
    Cordon,
    Taint,
    /// A quota that is used up.
    FullQuota,
    /// A quota of what the pods do not say.
    StrictQuota,
    LimitRange,
    /// A helm was killed in the middle of an upgrade.
    PendingRelease,
    FailedRelease,
}

/// What holds together: the pod without a node exists before nothing new may.
pub const ROUNDS: &[&[Around]] = &[
    &[Around::Cordon, Around::FullQuota, Around::PendingRelease],
    &[Around::Taint, Around::LimitRange, Around::FailedRelease],
    &[Around::StrictQuota],
];

impl Around {
    /// The finding it has to bring.
    pub fn key(self) -> String {
        match self {
            Self::Cordon => "NODE_CORDONED/component/app",
            Self::Taint => "NODE_TAINTED/component/app",
            Self::FullQuota => "QUOTA_EXCEEDED/component/crowd",
            Self::StrictQuota => "QUOTA_NEEDS_RESOURCES/component/crowd",
            Self::LimitRange => "LIMIT_RANGE_REFUSES/component/crowd",
            Self::PendingRelease => "RELEASE_STUCK/Release/t",
            Self::FailedRelease => "RELEASE_FAILED/Release/t",
        }
        .to_owned()
    }
}

impl World {
    pub async fn break_around(&self, around: Around) {
        match around {
            Around::Cordon => self.node(&json!({"unschedulable": true})).await,
            Around::Taint => {
                let taint = json!({"key": "room", "value": "full", "effect": "NoSchedule"});
                self.node(&json!({"taints": [taint]})).await;
            }
            Around::FullQuota => self.quota(&json!({"pods": "1"})).await,
            Around::StrictQuota => self.quota(&json!({"limits.memory": "100Gi"})).await,
            Around::LimitRange => {
                let range: LimitRange = serde_json::from_value(json!({
                    "metadata": {"name": "range"},
                    "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}
                }))
                .expect("a LimitRange");
                let created = self.api().create(&PostParams::default(), &range).await;
                created.expect("created");
            }
            Around::PendingRelease => {
                self.record(1, "deployed").await;
                self.record(2, "pending-upgrade").await;
            }
            Around::FailedRelease => {
                self.record(1, "deployed").await;
                self.record(2, "failed").await;
            }
        }
        match around {
            Around::Cordon | Around::Taint => {
                let app = self.changed("app");
                self.apply::<Deployment>("app", &app).await;
                self.until("a pod without a node", |state| {
                    state.pods.values().any(|pod| {
                        pod.component == Some(component("app"))
                            && pod.node.is_none()
                            && !pod.terminating
                    })
                })
                .await;
            }
            Around::FullQuota | Around::StrictQuota | Around::LimitRange => {
                let mut crowd = self.changed("crowd");
                if around == Around::LimitRange {
                    crowd["spec"]["template"]["spec"]["containers"][0]["resources"] =
                        json!({"limits": {"memory": "2Gi"}});
                }
                self.apply::<Deployment>("crowd", &crowd).await;
            }
            Around::PendingRelease | Around::FailedRelease => {}
        }
    }

    pub async fn heal_around(&self, around: Around) {
        let (now, all) = (DeleteParams::default(), ListParams::default());
        match around {
            Around::Cordon => self.node(&json!({"unschedulable": null})).await,
            Around::Taint => self.node(&json!({"taints": null})).await,
            Around::FullQuota | Around::StrictQuota => {
                let quotas: Api<ResourceQuota> = self.api();
                quotas
                    .delete_collection(&now, &all)
                    .await
                    .expect("no quota");
            }
            Around::LimitRange => {
                let ranges: Api<LimitRange> = self.api();
                ranges
                    .delete_collection(&now, &all)
                    .await
                    .expect("no limits");
            }
            Around::PendingRelease | Around::FailedRelease => {
                let records: Api<Secret> = self.api();
                let helms = ListParams::default().labels("owner=helm");
                records
                    .delete_collection(&now, &helms)
                    .await
                    .expect("no records");
            }
        }
        match around {
            Around::Cordon | Around::Taint => self.apply_component("app").await,
            Around::FullQuota | Around::StrictQuota | Around::LimitRange => {
                self.apply_component("crowd").await;
            }
            Around::PendingRelease | Around::FailedRelease => {}
        }
    }

    /// The healthy Deployment with another template, so that a new pod is wanted.
    fn changed(&self, name: &str) -> Value {
        let mut object = deployment(name, &self.image);
        object["spec"]["template"]["metadata"]["annotations"] = json!({"changed": "yes"});
        object
    }

    async fn node(&self, spec: &Value) {
        let connected = self.panel.cluster.current().expect("connected");
        let nodes: Api<Node> = Api::all(connected.client.clone());
        let node = nodes.list(&ListParams::default()).await.expect("listed");
        let node = node.items[0].metadata.name.clone().expect("a name");
        let patch = Patch::Merge(json!({"spec": spec}));
        nodes
            .patch(&node, &PatchParams::default(), &patch)
            .await
            .expect("changed");
    }

    async fn quota(&self, hard: &Value) {
        let quota: ResourceQuota =
            serde_json::from_value(json!({"metadata": {"name": "quota"}, "spec": {"hard": hard}}))
                .expect("a ResourceQuota");
        let created = self.api().create(&PostParams::default(), &quota).await;
        created.expect("created");
    }

    /// A revision of the project's release, as helm writes it down.
    async fn record(&self, revision: u32, status: &str) {
        let at = jiff::Timestamp::now().to_string();
        let record = json!({
            "name": "t", "namespace": "t", "version": revision, "manifest": "", "config": {},
            "info": {"first_deployed": at, "last_deployed": at, "status": status, "description": "Upgrade"},
            "chart": {"metadata": {"name": "t", "version": "1.0.0"}, "values": {}}
        });
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed
            .write_all(record.to_string().as_bytes())
            .expect("packed");
        let packed = STANDARD.encode(packed.finish().expect("packed"));
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": format!("sh.helm.release.v1.t.v{revision}"),
                "labels": {"owner": "helm", "name": "t", "status": status, "version": revision.to_string()}},
            "type": "helm.sh/release.v1", "data": {"release": STANDARD.encode(packed)}
        }))
        .expect("a Secret");
        let created = self.api().create(&PostParams::default(), &secret).await;
        created.expect("created");
    }
}
