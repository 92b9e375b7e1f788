//! A node on a real API server in a temporary folder, with an image of the test program.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use practice::api::ApiServer;
use practice::images::{ImageStore, PackFile, PackSpec, pack};
use practice::node::{Node, NodeConfig};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub const IMAGE: &str = "testpod:v1";
pub const NAMESPACE: &str = "default";

pub struct Cluster {
    pub dir: tempfile::TempDir,
    pub client: kube::Client,
    pub node: Arc<Node>,
    pub api: Arc<ApiServer>,
}

impl Cluster {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(dir, true).await
    }

    pub async fn without_image() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(dir, false).await
    }

    /// On a state folder another node left.
    pub async fn start_at(state: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::start_with(dir, state.to_owned(), false).await
    }

    pub async fn start_in(dir: tempfile::TempDir, image: bool) -> Self {
        let state = dir.path().join("practice");
        Self::start_with(dir, state, image).await
    }

    async fn start_with(dir: tempfile::TempDir, state: PathBuf, image: bool) -> Self {
        std::fs::create_dir_all(&state).expect("the state folder");
        let api = ApiServer::open(&state.join("objects.sqlite"), CancellationToken::new())
            .expect("the API server opens");
        let client = api.client();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for name in [NAMESPACE, "kube-node-lease"] {
            let namespace: Namespace =
                serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
            let _ = namespaces.create(&PostParams::default(), &namespace).await;
        }
        if image {
            import(&state);
        }
        let node = Node::start(NodeConfig {
            state_dir: state,
            client: client.clone(),
            node_name: "practice".into(),
            version: "0.1.0".into(),
        })
        .await
        .expect("the node starts");
        let node = Arc::new(node);
        api.set_backend(Some(node.clone()));
        Self {
            dir,
            client,
            node,
            api,
        }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("practice")
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Creates a pod of one container `app`, already bound to the node. `extra` is merged into
    /// the container, `spec` into the pod's spec.
    pub async fn run(&self, name: &str, args: &[&str], extra: Value, spec: Value) -> Pod {
        let mut container = json!({
            "name": "app", "image": IMAGE, "imagePullPolicy": "Never", "args": args,
        });
        merge(&mut container, extra);
        let mut pod_spec = json!({
            "nodeName": "practice", "containers": [container],
            "terminationGracePeriodSeconds": 5,
        });
        merge(&mut pod_spec, spec);
        let pod = json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": pod_spec});
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        self.pods()
            .create(&PostParams::default(), &pod)
            .await
            .expect("the pod is accepted")
    }

    /// Waits until the pod satisfies a condition, and returns it.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let pod = self.pods().get_opt(name).await.expect("the API answers");
            let value = serde_json::to_value(&pod).expect("a pod is JSON");
            if pod.is_some() && holds(&value) {
                return value;
            }
            if Instant::now() > deadline {
                let events = self.events(name).await;
                panic!(
                    "{name}: {what} did not happen; now {:#}\nevents {events:#?}",
                    value["status"]
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn until_ready(&self, name: &str) -> Value {
        self.until(name, "ready", |pod| container(pod)["ready"] == true)
            .await
    }

    pub async fn until_gone(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while self
            .pods()
            .get_opt(name)
            .await
            .expect("the API answers")
            .is_some()
        {
            assert!(Instant::now() < deadline, "{name} is still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `reason: message` of every event about the pod.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let all = api
            .list(&ListParams::default())
            .await
            .expect("events are listed");
        all.into_iter()
            .filter(|event| event.involved_object.name.as_deref() == Some(name))
            .map(|event| {
                format!(
                    "{}: {}",
                    event.reason.clone().unwrap_or_default(),
                    event.message.clone().unwrap_or_default()
                )
            })
            .collect()
    }

    pub async fn until_event(&self, name: &str, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let events = self.events(name).await;
            if events.iter().any(|event| event.contains(text)) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no event {text:?} in {events:#?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn log(&self, name: &str) -> String {
        self.pods()
            .logs(name, &kube::api::LogParams::default())
            .await
            .expect("a log")
    }

    pub async fn stop(self) -> tempfile::TempDir {
        self.node.shutdown(Duration::from_secs(2)).await;
        self.dir
    }
}

/// Packs the test program, with a shell, into the store of a state folder.
pub fn import(state: &Path) {
    let store = ImageStore::open(state.join("images")).expect("the store opens");
    let tool = |name: &str| {
        let dest = format!("/bin/{name}");
        let source = std::fs::canonicalize(&dest).expect("the machine has the tool");
        PackFile { source, dest }
    };
    let spec = PackSpec {
        binary: env!("CARGO_BIN_EXE_practice-testpod").into(),
        exposed_ports: vec![8000],
        files: ["sh", "stty", "sleep"].map(tool).into(),
        ..PackSpec::default()
    };
    let image = pack(&spec, &mut |_| {}).expect("the program is packed");
    image
        .store_in(&store, &[IMAGE.to_owned()])
        .expect("the image is stored");
}

pub fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

pub fn pod_ip(pod: &Value) -> String {
    pod["status"]["podIP"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub fn uid(pod: &Pod) -> String {
    pod.uid().unwrap_or_default()
}

fn merge(target: &mut Value, extra: Value) {
    if let (Some(target), Value::Object(extra)) = (target.as_object_mut(), extra) {
        target.extend(extra);
    }
}

/// One HTTP request from this machine.
pub async fn get(address: &str, path: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default())
}
