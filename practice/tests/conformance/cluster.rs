//! The cluster under test, and a namespace of its own for each case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use practice::images::{ImageStore, PackFile, PackSpec, PackedImage, pack};
use practice::{PracticeCluster, PracticeConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::run::{self, Said};

const IMAGE: &str = "conformance:v1";
/// The label of what a case makes outside its namespace; its value is the namespace.
pub const OWN: &str = "conform-case";

/// The cluster all cases share.
pub struct Cluster {
    kubeconfig: PathBuf,
    context: Option<String>,
    tools: PathBuf,
    client: Client,
    /// An image with the test program, a shell and tar; none: no pods can be run.
    pub image: Option<String>,
    /// Tells the namespaces of this run from those of others.
    run: String,
    number: AtomicU32,
    practice: Option<(PracticeCluster, TempDir)>,
}

impl Cluster {
    /// The cluster the environment names, or a new practice cluster. A missing tool fails the
    /// suite: skipped, it would be green for nothing.
    pub async fn find() -> Self {
        let tools = std::env::var_os("SLIPWAY_TEST_TOOLS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"),
            PathBuf::from,
        );
        let helms = HELMS.map(|major| format!("helm-{major}/helm"));
        let kubectls = KUBECTLS.map(|version| format!("kubectl-{version}/kubectl"));
        let missing: Vec<String> = helms
            .into_iter()
            .chain(kubectls)
            .filter(|tool| !tools.join(tool).is_file())
            .collect();
        assert!(
            missing.is_empty(),
            "{} has no {}: run `cargo xtask tools`, or name a folder that has them in SLIPWAY_TEST_TOOLS",
            tools.display(),
            missing.join(", ")
        );
        let mut image = std::env::var("SLIPWAY_TEST_IMAGE").ok();
        let context = std::env::var("SLIPWAY_TEST_CONTEXT").ok();
        let named = std::env::var_os("SLIPWAY_TEST_KUBECONFIG").map(PathBuf::from);
        let (kubeconfig, practice) = match named {
            Some(kubeconfig) => (kubeconfig, None),
            None => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let cluster = PracticeCluster::start(PracticeConfig::new(folder.path()))
                    .await
                    .expect("the practice cluster starts");
                store_image(cluster.images().expect("the node has a store"));
                image = Some(IMAGE.to_owned());
                let kubeconfig = cluster.kubeconfig().to_owned();
                (kubeconfig, Some((cluster, folder)))
            }
        };
        let config = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions {
            context: context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = kube::Config::from_custom_kubeconfig(config, &options)
            .await
            .expect("a usable kubeconfig");
        Self {
            kubeconfig,
            context,
            tools,
            client: Client::try_from(config).expect("a client"),
            image,
            run: format!("{:x}", std::process::id()),
            number: AtomicU32::new(0),
            practice,
        }
    }

    /// A new namespace, ready for pods.
    pub async fn place(&self) -> Place {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("conform-{}-{number}", self.run);
        let api: Api<Namespace> = Api::all(self.client.clone());
        let object = json!({"metadata": {"name": namespace}});
        let object = serde_json::from_value(object).expect("a namespace");
        api.create(&PostParams::default(), &object)
            .await
            .expect("the namespace is created");
        let place = Place {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            tools: self.tools.clone(),
            client: self.client.clone(),
            image: self.image.clone().unwrap_or_default(),
            namespace,
            folder: Arc::new(tempfile::tempdir().expect("a temporary folder")),
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &place.namespace);
        place
            .until("the default account", async || {
                let found = accounts.get_opt("default").await;
                found.expect("the API answers").is_some()
            })
            .await;
        place
    }

    /// Takes a case's namespace away.
    pub async fn remove(&self, namespace: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        // A case may have removed it itself.
        let _ = api.delete(namespace, &DeleteParams::default()).await;
        // What a case defined for the whole cluster bears its namespace's name.
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let own = ListParams::default().labels(&format!("{OWN}={namespace}"));
        let _ = definitions
            .delete_collection(&DeleteParams::default(), &own)
            .await;
    }

    /// Ends a practice cluster; another one is left as it is.
    pub async fn stop(self) {
        if let Some((cluster, _folder)) = self.practice {
            cluster.shutdown().await;
        }
    }
}

/// Packs the test program with a shell and a few tools.
fn packed() -> PackedImage {
    let tool = |name: &str| {
        let dest = format!("/bin/{name}");
        let source = std::fs::canonicalize(&dest).expect("the machine has the tool");
        PackFile { source, dest }
    };
    let spec = PackSpec {
        binary: env!("CARGO_BIN_EXE_practice-testpod").into(),
        files: ["sh", "tar", "cat", "sleep", "tty", "stty"]
            .map(tool)
            .into(),
        ..PackSpec::default()
    };
    pack(&spec, &mut |_| {}).expect("the program is packed")
}

fn store_image(store: &ImageStore) {
    let stored = packed().store_in(store, &[IMAGE.to_owned()]);
    stored.expect("the image is stored");
}

/// Writes the image as an archive, for a cluster that is loaded with it by its own means.
pub fn save_image(path: &Path) {
    let file = std::fs::File::create(path).expect("the archive can be written");
    let saved = packed().write_archive(file, IMAGE);
    saved.expect("the archive is written");
}

/// What one case works with.
#[derive(Clone)]
pub struct Place {
    kubeconfig: PathBuf,
    context: Option<String>,
    tools: PathBuf,
    pub client: Client,
    pub image: String,
    pub namespace: String,
    pub folder: Arc<TempDir>,
}

/// The kubectl versions that are tried where they differ.
pub const KUBECTLS: [&str; 2] = ["1.32", "1.35"];
/// The major versions of helm.
pub const HELMS: [u32; 2] = [3, 4];

impl Place {
    fn connection(&self) -> Vec<String> {
        let mut args = vec![
            "--kubeconfig".to_owned(),
            self.kubeconfig.display().to_string(),
        ];
        args.extend(["-n".to_owned(), self.namespace.clone()]);
        args
    }

    /// A kubectl of this version, not yet started.
    pub fn kubectl_command(&self, version: &str, args: &[&str]) -> Command {
        let program = self.tools.join(format!("kubectl-{version}/kubectl"));
        let mut all = self.connection();
        if let Some(context) = &self.context {
            all.extend(["--context".to_owned(), context.clone()]);
        }
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        run::command(&program, self.folder.path(), &all)
    }

    /// Runs the newest kubectl.
    pub async fn kubectl(&self, args: &[&str]) -> Said {
        run::finish(self.kubectl_command("1.35", args), None).await
    }

    /// Runs a kubectl of this version.
    pub async fn kubectl_of(&self, version: &str, args: &[&str]) -> Said {
        run::finish(self.kubectl_command(version, args), None).await
    }

    /// Runs kubectl with this on its standard input.
    pub async fn kubectl_with(&self, args: &[&str], input: &Value) -> Said {
        let input = input.to_string();
        run::finish(self.kubectl_command("1.35", args), Some(&input)).await
    }

    /// A helm of this major version, not yet started.
    pub fn helm_command(&self, major: u32, args: &[&str]) -> Command {
        let program = self.tools.join(format!("helm-{major}/helm"));
        let mut all = self.connection();
        if let Some(context) = &self.context {
            all.extend(["--kube-context".to_owned(), context.clone()]);
        }
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        run::command(&program, self.folder.path(), &all)
    }

    /// Runs helm.
    pub async fn helm(&self, major: u32, args: &[&str]) -> Said {
        run::finish(self.helm_command(major, args), None).await
    }

    /// Applies objects, and expects that to work.
    pub async fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.kubectl_with(&["apply", "-f", "-"], &list).await.ok();
    }

    /// A path below the namespace.
    pub fn path(&self, group_version: &str, rest: &str) -> String {
        format!("/{group_version}/namespaces/{}/{rest}", self.namespace)
    }

    /// A request by hand: status code, headers and body.
    pub async fn request(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, http::HeaderMap, Value) {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = request
            .body(kube::client::Body::from(bytes))
            .expect("a request");
        let response = self.client.send(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = http_body_util::BodyExt::collect(body)
            .await
            .expect("a body")
            .to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        (parts.status.as_u16(), parts.headers, body)
    }

    /// GET by hand.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let (code, _, body) = self.request(("GET", path), &[], &Value::Null).await;
        (code, body)
    }

    /// POST of JSON by hand.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let json = [("content-type", "application/json")];
        let (code, _, body) = self.request(("POST", path), &json, body).await;
        (code, body)
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds().await {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// A container of the test image.
    pub fn container(&self, args: &[&str]) -> Value {
        json!({
            "name": "app", "image": self.image, "imagePullPolicy": "IfNotPresent", "args": args
        })
    }

    /// A container that runs a shell script.
    pub fn shell(&self, script: &str) -> Value {
        json!({
            "name": "app", "image": self.image, "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/sh", "-c", script]
        })
    }

    /// A container that answers on port 8000 and says when it is ready.
    pub fn server(&self) -> Value {
        let mut container = self.container(&["serve", "8000"]);
        container["ports"] = json!([{"name": "http", "containerPort": 8000}]);
        container["readinessProbe"] =
            json!({"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1});
        container
    }

    /// A Deployment of this container.
    pub fn deployment(&self, name: &str, replicas: u32, container: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}
                }
            }
        })
    }

    /// A pod of this container that is not restarted.
    pub fn pod(&self, name: &str, container: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "containers": [container]
            }
        })
    }
}

/// A ConfigMap with one key.
pub fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": name}}, "data": {"key": value}
    })
}
