//! The rooms of a deploy put together, on a practice cluster of their own, or on any other one named
//! by `SLIPWAY_TEST_KUBECONFIG` and `SLIPWAY_TEST_CONTEXT`: in a namespace of its own that goes at the
//! end. There, `SLIPWAY_TEST_IMAGE` is the image of the component; it has to be on the nodes and to
//! run without arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Builder, BuiltImage, Change, ClusterChoice, ComponentName, DeployPlan, Failure, Finding,
    ImageState, ImageView, Outcome, PanelEvent, PanelState, PlanChoices, Rebuild, RunId,
    SecretInput, UnixMillis,
};
use app::ports::{Deploys, Images, Secrets};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::deploy::DeployRoom;
use server::deploy::helm::ReleasesRoom;
use server::engine::{Core, Journal, StateDir};
use server::images::ImagesRoom;
use server::live::LiveRoom;
use server::project::Project;
use server::secrets::SecretsRoom;
use tempfile::TempDir;

use super::foreign::Foreign;
use crate::real_tools;

/// The secret's value that [`World::prepared`] enters.
pub const VALUE: &str = "a-very-secret-value-4711";
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a world lives.
pub struct Setting {
    /// Holds the folders `project` and `state`.
    pub root: PathBuf,
    /// A kubeconfig and a context in it; none: the practice cluster of the state folder.
    pub cluster: Option<(PathBuf, String)>,
}

pub struct World {
    pub core: Core,
    pub cluster: ClusterRoom,
    pub images: Arc<ImagesRoom>,
    pub secrets: Arc<SecretsRoom>,
    pub deploys: Arc<DeployRoom>,
    pub releases: Arc<ReleasesRoom>,
    pub live: Arc<LiveRoom>,
    pub namespace: String,
    /// On a cluster that is not ours: images cannot be built into it here.
    pub is_foreign: bool,
    root: PathBuf,
    folder: Option<TempDir>,
    foreign: Option<Foreign>,
}

impl World {
    /// With a project of one component, a secret, a Service and a ConfigMap.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let foreign = Foreign::named();
        let namespace = foreign.as_ref().map_or("t", |foreign| &foreign.namespace);
        write_project(&folder.path().join("project"), namespace);
        let setting = Setting {
            root: folder.path().to_owned(),
            cluster: foreign
                .as_ref()
                .map(|foreign| (foreign.kubeconfig.clone(), foreign.context.clone())),
        };
        let mut world = Self::open(setting).await;
        world.folder = Some(folder);
        world.foreign = foreign;
        world
    }

    /// With the project and the state that are there.
    pub async fn open(setting: Setting) -> Self {
        let Setting { root, cluster } = setting;
        let state_dir = StateDir::open(&root.join("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let project = Arc::new(Project::load(&root.join("project")).expect("a project"));
        let namespace = project.spec().namespace.to_string();
        let is_foreign = cluster.is_some();
        let (kubeconfig, choice) = match cluster {
            Some((path, context)) => {
                let context = context.parse().expect("a context's name");
                (vec![path], ClusterChoice::Context(context))
            }
            None => (vec![], ClusterChoice::Practice),
        };
        let options = ClusterOptions {
            wanted: Some(choice),
            typed: true,
            kubeconfig: Some(kubeconfig),
            ..ClusterOptions::default()
        };
        let cluster = ClusterRoom::new(core.clone(), options);
        let images = Arc::new(ImagesRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
        ));
        let secrets = SecretsRoom::new(core.clone(), project.clone(), cluster.clone());
        let secrets = Arc::new(secrets.expect("a room"));
        let deploys = Arc::new(DeployRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
            secrets.clone(),
        ));
        let releases = Arc::new(ReleasesRoom::new(
            core.clone(),
            project.clone(),
            cluster.clone(),
            secrets.clone(),
            deploys.previews(),
            real_tools::helm(4).into_os_string(),
        ));
        deploys.set_chart(releases.clone());
        let live = Arc::new(LiveRoom::new(
            core.clone(),
            project,
            cluster.clone(),
            secrets.clone(),
        ));
        if !is_foreign {
            images.spawn();
        }
        secrets.spawn();
        deploys.spawn();
        releases.spawn();
        live.spawn();
        cluster.start_default().await;
        cluster.connected().expect("a cluster");
        Self {
            core,
            cluster,
            images,
            secrets,
            deploys,
            releases,
            live,
            namespace,
            is_foreign,
            root,
            folder: None,
            foreign: None,
        }
    }

    /// With image and secret in place.
    pub async fn prepared() -> Self {
        let world = Self::new().await;
        if world.is_foreign {
            world.say_proved(Foreign::image());
        } else {
            world.build().await;
        }
        world.set(VALUE).await.expect("stored");
        world
    }

    /// Builds the image and waits until it is proved.
    pub async fn build(&self) {
        let run = self.images.build(vec![], Rebuild::IfChanged).await;
        succeeded(self.core.runs.wait(run.expect("a run")).await);
        self.until("the image is proved", |state| {
            !server::live::proved_images(state).is_empty()
        })
        .await;
    }

    /// The component's image is taken for proved.
    pub fn say_proved(&self, reference: String) {
        let image = BuiltImage {
            reference,
            id: String::new(),
            size_bytes: 0,
            built: UnixMillis(0),
            user: String::new(),
        };
        let view = ImageView {
            component: app(),
            builder: Builder::Docker,
            builders: vec![Builder::Docker],
            goes: String::new(),
            proof: String::new(),
            state: ImageState::InCluster {
                image,
                proved: UnixMillis(0),
            },
        };
        let voice = self.core.hub.voice();
        voice.publish(PanelEvent::Image(Box::new(view)));
    }

    pub fn client(&self) -> kube::Client {
        self.cluster.current().expect("connected").client.clone()
    }

    pub async fn set(&self, value: &str) -> Result<(), Failure> {
        let key = "TOKEN".parse().expect("a key");
        self.secrets.set(key, SecretInput(value.to_owned())).await
    }

    pub async fn plan(&self) -> DeployPlan {
        let plan = self.deploys.plan(PlanChoices::default()).await;
        plan.expect("a plan")
    }

    pub async fn deploy(&self) -> Outcome {
        let run = start_deploy(&self.deploys).await;
        self.core.runs.wait(run).await
    }

    pub async fn until(&self, what: &str, wanted: impl Fn(&PanelState) -> bool) {
        let waiting = self.core.hub.until(wanted);
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let state = self.core.hub.read(Clone::clone);
            panic!("waited for: {what}\n{state:#?}");
        }
    }

    pub fn project_folder(&self) -> PathBuf {
        self.root.join("project")
    }

    pub fn manifest(&self, name: &str) -> PathBuf {
        self.root.join("project/k8s").join(name)
    }

    pub async fn end(self) {
        self.core.shutdown.cancel();
        self.cluster.shutdown().await;
        drop(self.foreign);
        drop(self.folder);
    }
}

/// Writes the usual project: a Deployment, a Service, a ConfigMap and a secret.
pub fn write_project(folder: &Path, namespace: &str) {
    fs::create_dir_all(folder.join("app")).expect("created");
    fs::create_dir_all(folder.join("k8s")).expect("created");
    let toml = "[project]\nname = \"t\"\nnamespace = \"NAMESPACE\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"sh\", \"-c\", \"cp /bin/sleep program\"]\nbinary = \"app/program\"\nargs = [\"3600\"]\n\n[[secret]]\nkey = \"TOKEN\"\nkind = \"text\"\n\n[deploy]\nmanifests = \"k8s\"\n";
    let toml = toml.replace("NAMESPACE", namespace);
    fs::write(folder.join("slipway.toml"), toml).expect("written");
    let deployment = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: t-app:dev
          imagePullPolicy: Never
          ports: [{containerPort: 8000}]
          env:
            - name: TOKEN
              valueFrom: {secretKeyRef: {name: t-secrets, key: TOKEN}}
---
apiVersion: v1
kind: Service
metadata:
  name: app
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: 8000}]
"#;
    fs::write(folder.join("k8s/app.yaml"), deployment).expect("written");
    fs::write(
        folder.join("k8s/config.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata:\n  a: '1'\n",
    )
    .expect("written");
}

/// Deploys what the project has now. News of what was just stored may come between the plan and the
/// yes; a person reads again.
pub async fn start_deploy(deploys: &DeployRoom) -> RunId {
    for _ in 0..5 {
        let plan = deploys.plan(PlanChoices::default()).await.expect("a plan");
        match deploys.deploy(plan.hash, true).await {
            Ok(run) => return run,
            Err(why) => assert_eq!(finding(why).code, "PLAN_OUTDATED"),
        }
    }
    panic!("the plan never stays as it is")
}

pub fn succeeded(outcome: Outcome) {
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:#?}");
}

pub fn finding(failure: Failure) -> Finding {
    match failure {
        Failure::Finding(finding) => *finding,
        Failure::Transport(text) => panic!("{text}"),
    }
}

pub fn changes(plan: &DeployPlan) -> Vec<(String, Change)> {
    plan.objects
        .iter()
        .map(|object| (format!("{}/{}", object.kind, object.name), object.change))
        .collect()
}

pub fn app() -> ComponentName {
    "app".parse().expect("a name")
}
