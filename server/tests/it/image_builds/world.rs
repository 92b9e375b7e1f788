//! A project, a cluster and a Docker Engine for the images room.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    BuildView, ClusterChoice, ComponentName, Finding, GoingRuns, ImageState, Outcome, PanelState,
    Rebuild, RunId,
};
use app::ports::Images;
use practice::images::ImageStore;
use serde_json::{Value, json};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::engine::{Core, Journal, StateDir};
use server::images::ImagesRoom;
use server::project::Project;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::docker_builds::context;
use crate::dockerd::Dockerd;
use crate::standin_minikube::{Machine, standin};

/// The variables of a process are everyone's: where tests share one, they take turns.
static ENVIRONMENT: Mutex<()> = Mutex::const_new(());

/// A project on a cluster whose API server is a practice cluster's.
pub struct World {
    pub core: Core,
    pub room: Arc<ImagesRoom>,
    pub project: Arc<Project>,
    pub machine: Machine,
    /// The store of the practice cluster behind it.
    pub store: ImageStore,
    pub engine: Dockerd,
    clusters: [ClusterRoom; 2],
    _folders: Vec<TempDir>,
    _turn: MutexGuard<'static, ()>,
}

/// What the cluster is.
pub enum Place<'p> {
    /// The profile `demo` of the stand-in for minikube, whose daemon is the engine.
    Minikube,
    /// A context of this name. The user's own daemon is the engine, and the stand-ins for kind, k3d
    /// and their nodes are on the PATH.
    Context {
        name: &'p str,
        registry: Option<&'p str>,
    },
}

/// Which docker CLI there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cli {
    WithBuildx,
    WithoutBuildx,
}

impl World {
    /// On the cluster `demo` of the stand-in for minikube. None where there is no Docker Engine. Every
    /// component has this Dockerfile; `more` goes into the first one's section of `slipway.toml`.
    pub async fn new(cli: Cli, components: &[&str], dockerfile: &str, more: &str) -> Option<Self> {
        Self::on(cli, components, dockerfile, more, &Place::Minikube).await
    }

    pub async fn on(
        cli: Cli,
        components: &[&str],
        dockerfile: &str,
        more: &str,
        place: &Place<'_>,
    ) -> Option<Self> {
        let turn = ENVIRONMENT.lock().await;
        let engine = Dockerd::shared()?;
        let config = match cli {
            Cli::WithBuildx => engine.config_with_buildx()?,
            Cli::WithoutBuildx => engine.config_without_buildx(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let sources = context(dockerfile);
        let mut text = "[project]\nname = \"t\"\n".to_owned();
        if let Place::Context {
            registry: Some(registry),
            ..
        } = place
        {
            text.push_str(&format!("registry = \"{registry}\"\n"));
        }
        for (at, name) in components.iter().enumerate() {
            let to = folder.path().join(name);
            fs::create_dir_all(&to).expect("created");
            for file in ["program", "Dockerfile"] {
                fs::copy(sources.path().join(file), to.join(file)).expect("copied");
            }
            // A layer of its own, so that no test finds another's image.
            fs::write(
                to.join("mark"),
                format!("{name} {}", folder.path().display()),
            )
            .expect("written");
            let more = if at == 0 { more } else { "" };
            text.push_str(&format!(
                "[[component]]\nname = \"{name}\"\nport = 8000\ndockerfile = \"{name}/Dockerfile\"\n{more}\n"
            ));
        }
        fs::write(folder.path().join("slipway.toml"), text).expect("written");

        let lender = tempfile::tempdir().expect("a folder");
        let practice = ClusterRoom::new(core(lender.path()), ClusterOptions::default());
        practice
            .choose(ClusterChoice::Practice, GoingRuns::Refuse)
            .await
            .expect("a practice cluster");
        let lent = practice.connected().expect("connected");
        let store = lent.practice.clone().expect("it has a store");
        let lent = lent.kubeconfig.clone();

        let machine = Machine::with_minikube();
        let mut scenario = json!({
            "api_kubeconfig": lent,
            "docker_env": {
                "DOCKER_HOST": engine.tls_host(),
                "DOCKER_TLS_VERIFY": "1",
                "DOCKER_CERT_PATH": engine.cert_path(),
            },
        });
        machine.scenario(scenario.clone());
        let users_daemon = match place {
            // There is none.
            Place::Minikube => "unix:///no/docker.sock".to_owned(),
            Place::Context { .. } => engine.host(),
        };
        let real_docker = server::process::find_on_path("docker").expect("it is here");
        let own: [(&str, std::ffi::OsString); 5] = [
            ("DOCKER_HOST", users_daemon.into()),
            ("STANDIN_NODES", machine.at("nodes").into()),
            ("STANDIN_DOCKER", real_docker.into()),
            ("DOCKER_CONFIG", config.into()),
            ("SLIPWAY_TEST_BUILD_TOKEN", TOKEN.into()),
        ];
        let variables = machine.env();
        let own = own.map(|(name, value)| (name.into(), value));
        for (name, value) in variables.into_iter().chain(own) {
            // SAFETY: tests that change variables take turns, and nextest gives each a process.
            unsafe { std::env::set_var(name, value) };
        }
        let context = match place {
            Place::Minikube => {
                assert!(machine.minikube("start -p demo -o json").status.success());
                scenario["step_ms"] = 0.into();
                machine.scenario(scenario);
                "demo"
            }
            Place::Context { name, .. } => {
                fs::create_dir_all(machine.at("nodes")).expect("made");
                for program in ["kind", "k3d", "docker"] {
                    machine.add(program, &standin("standin-nodes"));
                }
                fs::write(machine.at("kubeconfig"), renamed(&lent, name)).expect("written");
                name
            }
        };

        let state = tempfile::tempdir().expect("a folder");
        let core = core(state.path());
        let cluster = ClusterRoom::new(core.clone(), ClusterOptions::default());
        let project = Arc::new(Project::load(folder.path()).expect("a project"));
        let room = Arc::new(ImagesRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
        ));
        room.spawn();
        cluster
            .choose(
                ClusterChoice::Context(context.parse().expect("a name")),
                GoingRuns::Refuse,
            )
            .await
            .expect("the cluster");
        Some(Self {
            core,
            room,
            project,
            machine,
            store,
            clusters: [cluster, practice],
            engine,
            _folders: vec![folder, lender, state, sources],
            _turn: turn,
        })
    }

    pub fn scenario(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.machine.at("scenario.json")).expect("there is one");
        let mut scenario: Value = serde_json::from_str(&text).expect("JSON");
        change(&mut scenario);
        self.machine.scenario(scenario);
    }

    pub async fn start(&self) -> RunId {
        self.room
            .build(vec![], Rebuild::IfChanged)
            .await
            .expect("a run")
    }

    pub async fn ended(&self, run: RunId) -> Outcome {
        let waiting = self.core.runs.wait(run);
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("it ends")
    }

    pub async fn build(&self) -> Outcome {
        let run = self.start().await;
        self.ended(run).await
    }

    /// Builds from sources that have changed, because unchanged ones would not be built again.
    pub async fn refused(&self) -> Finding {
        let mark = self.project.root.join("backend/mark");
        let before = fs::read_to_string(&mark).expect("read");
        fs::write(mark, before + " changed").expect("written");
        match self.build().await {
            Outcome::Failed { finding } => *finding,
            other => panic!("the build fails, not {other:?}"),
        }
    }

    pub fn read<R>(&self, look: impl FnOnce(&PanelState) -> R) -> R {
        self.core.hub.read(look)
    }

    /// Speaks to the cluster in use.
    pub fn client(&self) -> kube::Client {
        let connected = self.clusters[0].connected();
        connected.expect("connected").client.clone()
    }

    /// Waits until the state is as wished.
    pub async fn until(&self, what: &str, wish: impl Fn(&PanelState) -> bool) {
        let waiting = self.core.hub.until(wish);
        if tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .is_err()
        {
            let seen = self.read(|state| format!("{:#?} {:#?}", state.images, state.builds));
            panic!("never came to be: {what}\n{seen}");
        }
    }

    pub fn view(&self, component: &str) -> BuildView {
        self.read(|state| state.builds[&name(component)].clone())
    }

    /// Everything the run printed.
    pub async fn log(&self, run: RunId) -> String {
        let mut text = String::new();
        let mut from = 0;
        loop {
            let lines = self.core.runs.log(run, from).await.expect("a log");
            if lines.is_empty() {
                return text;
            }
            from += lines.len() as u64;
            for line in lines {
                text.push_str(&line.text);
                text.push('\n');
            }
        }
    }

    pub async fn end(self) {
        self.core.shutdown.cancel();
        for cluster in &self.clusters {
            cluster.shutdown().await;
        }
    }
}

/// A value that must turn up nowhere.
pub const TOKEN: &str = "tok-4f1c9a77e0b2-never-shown";

fn core(folder: &Path) -> Core {
    let state_dir = StateDir::open(&folder.join("state")).expect("a state folder");
    let journal = Journal::open(state_dir.path()).expect("a journal");
    Core::start(Arc::new(state_dir), journal)
}

pub fn name(component: &str) -> ComponentName {
    component.parse().expect("a name")
}

pub fn in_cluster(state: &PanelState, component: &str) -> bool {
    state.images.iter().any(|view| {
        view.component.as_str() == component && matches!(view.state, ImageState::InCluster { .. })
    })
}

/// Processes of ours that still build; those that only ask for a version do not.
pub fn builders() -> Vec<String> {
    let mine = std::process::id().to_string();
    fs::read_dir("/proc")
        .expect("readable")
        .flatten()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat
                .rsplit(')')
                .next()?
                .split_whitespace()
                .nth(1)?
                .to_owned();
            let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let builds = command.contains("docker") && !command.contains("\0version\0");
            (parent == mine && builds).then_some(command)
        })
        .collect()
}

/// A kubeconfig of one context that leads to the same cluster under another name.
fn renamed(kubeconfig: &Path, name: &str) -> String {
    let text = fs::read_to_string(kubeconfig).expect("readable");
    let mut config: serde_yaml::Value = serde_yaml::from_str(&text).expect("YAML");
    config["contexts"][0]["name"] = name.into();
    config["current-context"] = name.into();
    serde_yaml::to_string(&config).expect("YAML")
}
