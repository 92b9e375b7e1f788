//! A practice API server with the controllers and a stand-in node, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use practice::api::{ApiServer, bootstrap};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Polls until there is a result; fails loudly when there is none in time.
pub async fn eventually<T, F>(what: &str, look: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain for {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A running API server with controllers, a node and the namespace `shop`.
pub struct Practice {
    pub client: Client,
    hold: Arc<AtomicBool>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _server: Arc<ApiServer>,
    _folder: tempfile::TempDir,
}

impl Practice {
    /// Starts all of it, with a node that has this much room.
    pub async fn start(allocatable: Value) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_max_level(tracing::Level::WARN)
            .try_init();
        let folder = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let server =
            ApiServer::open(&folder.path().join("objects.sqlite"), shutdown.clone()).unwrap();
        let client = server.client();
        bootstrap(&client, 6443).await.unwrap();
        let hold = Arc::new(AtomicBool::new(false));
        let tasks = vec![
            tokio::spawn(practice::controllers::run(client.clone(), shutdown.clone())),
            tokio::spawn(stand_in_node(
                client.clone(),
                Arc::clone(&hold),
                shutdown.clone(),
            )),
        ];
        let practice = Self {
            client,
            hold,
            shutdown,
            tasks,
            _server: server,
            _folder: folder,
        };
        let namespaces: Api<Namespace> = Api::all(practice.client.clone());
        let shop = serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap();
        namespaces
            .create(&PostParams::default(), &shop)
            .await
            .unwrap();
        let nodes: Api<Node> = Api::all(practice.client.clone());
        let node = serde_json::from_value(json!({"metadata": {"name": "practice"}})).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        practice.resize_node(allocatable).await;
        practice
    }

    /// Gives the node this much room.
    pub async fn resize_node(&self, allocatable: Value) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let status = json!({"status": {
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        nodes
            .patch_status("practice", &PatchParams::default(), &Patch::Merge(status))
            .await
            .unwrap();
    }

    /// An API in the namespace `shop`.
    pub fn namespaced<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), "shop")
    }

    /// Creates an object in the namespace `shop`.
    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.namespaced()
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// A Deployment of this many pods.
    pub fn deployment(&self, name: &str, replicas: i32, resources: Value) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{
                        "name": "app", "image": format!("{name}:1"), "resources": resources,
                        "ports": [{"name": "http", "containerPort": 8080}],
                    }]},
                },
            },
        })
    }

    /// A Service in front of those pods.
    pub fn service(&self, name: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]},
        })
    }

    /// While held, pods that are asked to go stay.
    pub fn hold_pods(&self, hold: bool) {
        self.hold.store(hold, Ordering::SeqCst);
    }

    /// Makes a pod ready or not.
    pub async fn set_ready(&self, pod: &str, ready: bool) {
        report(&self.namespaced(), pod, ready).await.unwrap();
    }

    /// Ends everything.
    pub async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

async fn report(api: &Api<Pod>, pod: &str, ready: bool) -> kube::Result<Pod> {
    let ready = if ready { "True" } else { "False" };
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let status = json!({"status": {
        "phase": "Running",
        "podIP": "10.244.0.7",
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": now}],
    }});
    api.patch_status(pod, &PatchParams::default(), &Patch::Merge(status))
        .await
}

async fn stand_in_node(client: Client, hold: Arc<AtomicBool>, shutdown: CancellationToken) {
    let all: Api<Pod> = Api::all(client.clone());
    let events = watcher(all, watcher::Config::default())
        .default_backoff()
        .applied_objects();
    futures::pin_mut!(events);
    let mut leaving: Vec<Pod> = Vec::new();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = look.tick() => {
                if hold.load(Ordering::SeqCst) {
                    continue;
                }
                for pod in leaving.drain(..) {
                    let namespace = pod.namespace().unwrap_or_default();
                    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
                    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
                    // It may have gone by itself.
                    drop(api.delete(&pod.name_any(), &now).await);
                }
            }
            Some(Ok(pod)) = events.next() => {
                if pod.metadata.deletion_timestamp.is_some() {
                    leaving.push(pod);
                    continue;
                }
                let bound = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
                let started = pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
                if bound && !started {
                    let namespace = pod.namespace().unwrap_or_default();
                    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
                    // It may have been deleted meanwhile.
                    drop(report(&api, &pod.name_any(), true).await);
                }
            }
        }
    }
}
