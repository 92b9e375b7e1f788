//! A panel whose project is one small app that does as it is told, deployed on a practice cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::model::{ClusterChoice, GoingRuns, PanelState, PodRow, Rebuild, UnixMillis};
use app::ports::{Images, Secrets};
use server::cluster::ClusterOptions;
use server::engine::{Core, Journal, StateDir};
use server::panel::Panel;
use server::project::Project;
use tempfile::TempDir;

/// A value that must be seen nowhere.
pub const VALUE: &str = "a-very-secret-value-4711";

pub struct LiveWorld {
    pub panel: Panel,
    folder: TempDir,
}

impl LiveWorld {
    /// Deployed and ready, with so many pods.
    pub async fn deployed(replicas: u32) -> Self {
        Self::deployed_with(replicas, &[]).await
    }

    /// As [`LiveWorld::deployed`], with these programs of this machine in the image.
    pub async fn deployed_with(replicas: u32, programs: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("project");
        write_project(&project, replicas, programs);
        let state_dir = StateDir::open(&folder.path().join("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let project = Arc::new(Project::load(&project).expect("a project"));
        let options = ClusterOptions {
            kubeconfig: Some(vec![]),
            ..ClusterOptions::default()
        };
        let panel = Panel::new(core, project, options).expect("a panel");
        panel.spawn();
        let world = Self { panel, folder };
        world
            .panel
            .cluster
            .choose(ClusterChoice::Practice, GoingRuns::Refuse)
            .await
            .expect("a practice cluster");
        let run = world
            .panel
            .images
            .build(vec![], Rebuild::IfChanged)
            .await
            .expect("a run");
        super::deploy_world::succeeded(world.panel.core.runs.wait(run).await);
        let key = "TOKEN".parse().expect("a key");
        let value = app::model::SecretInput(VALUE.to_owned());
        world.panel.secrets.set(key, value).await.expect("stored");
        world
            .until("the image is proved", |state| {
                !server::live::proved_images(state).is_empty()
            })
            .await;
        let run = super::deploy_world::start_deploy(&world.panel.deploys).await;
        super::deploy_world::succeeded(world.panel.core.runs.wait(run).await);
        world
            .until("the pods are ready", |state| {
                let ready = state.pods.values().filter(|pod| pod.ready).count();
                ready == replicas as usize
            })
            .await;
        world
    }

    pub async fn until(&self, what: &str, wanted: impl Fn(&PanelState) -> bool) {
        let waiting = self.panel.core.hub.until(wanted);
        if tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .is_err()
        {
            let state = self.panel.core.hub.read(Clone::clone);
            panic!(
                "waited for: {what}\n{:#?}\n{:#?}",
                state.pods, state.own_probes
            );
        }
    }

    pub fn pod(&self) -> PodRow {
        let pods = self.panel.core.hub.read(|state| state.pods.clone());
        pods.into_values().next().expect("a pod")
    }

    pub fn now(&self) -> UnixMillis {
        let now = std::time::SystemTime::now();
        let since = now
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        UnixMillis(since.as_millis() as i64)
    }

    /// Tells a pod's app to do something; one that crashes gives no answer.
    pub async fn tell(&self, pod: &str, path: &str) {
        let connected = self.panel.cluster.current().expect("connected");
        let request =
            http::Request::get(format!("/api/v1/namespaces/t/pods/{pod}:8000/proxy/{path}"))
                .body(Vec::new())
                .expect("a request");
        let _ = connected.client.request_text(request).await;
    }

    pub async fn end(self) {
        self.panel.core.shutdown.cancel();
        self.panel.cluster.shutdown().await;
        drop(self.folder);
    }
}

/// Cargo puts examples beside the binaries it builds for tests.
fn standin() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_slipway"))
        .with_file_name("examples")
        .join("standin-app")
}

fn write_project(folder: &Path, replicas: u32, programs: &[&str]) {
    fs::create_dir_all(folder.join("app")).expect("created");
    fs::create_dir_all(folder.join("k8s")).expect("created");
    fs::copy(standin(), folder.join("app/program")).expect("the stand-in was built");
    let files: Vec<String> = programs
        .iter()
        .map(|path| {
            let source = fs::canonicalize(path).expect("the machine has the program");
            format!("{:?} = {path:?}", source.display().to_string())
        })
        .collect();
    let toml = "[project]\nname = \"t\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"true\"]\nbinary = \"app/program\"\nfiles = { FILES }\n\n[[secret]]\nkey = \"TOKEN\"\nkind = \"text\"\n\n[deploy]\nmanifests = \"k8s\"\n";
    let toml = toml.replace("FILES", &files.join(", "));
    fs::write(folder.join("slipway.toml"), toml).expect("written");
    let deployment = format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {{labels: {{app: app}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: t-app:dev
          imagePullPolicy: Never
          ports: [{{containerPort: 8000}}]
          env:
            - name: TOKEN
              valueFrom: {{secretKeyRef: {{name: t-secrets, key: TOKEN}}}}
          startupProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}
          livenessProbe: {{httpGet: {{path: /health, port: 8000}}, periodSeconds: 1}}
          readinessProbe: {{httpGet: {{path: /ready, port: 8000}}, periodSeconds: 1, failureThreshold: 2}}
---
apiVersion: v1
kind: Service
metadata:
  name: app
spec:
  selector: {{app: app}}
  ports: [{{name: http, port: 80, targetPort: 8000}}]
"#
    );
    fs::write(folder.join("k8s/app.yaml"), deployment).expect("written");
}
