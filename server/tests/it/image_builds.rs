//! The images room on a minikube that is a stand-in around a real Docker Engine: what is built, where
//! it goes, and whether it is there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    BuildStepState, BuildView, Builder, ClusterChoice, ComponentName, Finding, GoingRuns,
    ImageState, LogQuestion, Outcome, PanelState, RunId, StageState,
};
use app::ports::Images;
use serde_json::{Value, json};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::engine::{Core, Journal, StateDir};
use server::images::ImagesRoom;
use server::project::Project;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::docker_builds::context;
use crate::dockerd::Dockerd;
use crate::standin_minikube::Machine;

/// The variables of a process are everyone's: where tests share one, they take turns.
static ENVIRONMENT: Mutex<()> = Mutex::const_new(());

/// A project on the stand-in's cluster `demo`, whose API server is a practice cluster's.
struct World {
    core: Core,
    room: Arc<ImagesRoom>,
    project: Arc<Project>,
    machine: Machine,
    clusters: [ClusterRoom; 2],
    engine: Dockerd,
    _folders: Vec<TempDir>,
    _turn: MutexGuard<'static, ()>,
}

/// Which docker CLI there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cli {
    WithBuildx,
    WithoutBuildx,
}

impl World {
    /// None where there is no Docker Engine. Every component has this Dockerfile; `more` goes into the
    /// first one's section of `slipway.toml`.
    async fn new(cli: Cli, components: &[&str], dockerfile: &str, more: &str) -> Option<Self> {
        let turn = ENVIRONMENT.lock().await;
        let engine = Dockerd::shared()?;
        let config = match cli {
            Cli::WithBuildx => engine.config_with_buildx()?,
            Cli::WithoutBuildx => engine.config_without_buildx(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let sources = context(dockerfile);
        let mut text = "[project]\nname = \"t\"\n".to_owned();
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
        let lent = practice.connected().expect("connected").kubeconfig.clone();

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
        let own: [(&str, std::ffi::OsString); 3] = [
            // There is no daemon of the user's own.
            ("DOCKER_HOST", "unix:///no/docker.sock".into()),
            ("DOCKER_CONFIG", config.into()),
            ("SLIPWAY_TEST_BUILD_TOKEN", TOKEN.into()),
        ];
        let variables = machine.env();
        let own = own.map(|(name, value)| (name.into(), value));
        for (name, value) in variables.into_iter().chain(own) {
            // SAFETY: tests that change variables take turns, and nextest gives each a process.
            unsafe { std::env::set_var(name, value) };
        }
        assert!(machine.minikube("start -p demo -o json").status.success());
        scenario["step_ms"] = 0.into();
        machine.scenario(scenario);

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
                ClusterChoice::Context("demo".parse().expect("a name")),
                GoingRuns::Refuse,
            )
            .await
            .expect("the stand-in's cluster");
        Some(Self {
            core,
            room,
            project,
            machine,
            clusters: [cluster, practice],
            engine,
            _folders: vec![folder, lender, state, sources],
            _turn: turn,
        })
    }

    fn scenario(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.machine.at("scenario.json")).expect("there is one");
        let mut scenario: Value = serde_json::from_str(&text).expect("JSON");
        change(&mut scenario);
        self.machine.scenario(scenario);
    }

    async fn start(&self) -> RunId {
        self.room.build(vec![]).await.expect("a run")
    }

    async fn ended(&self, run: RunId) -> Outcome {
        let waiting = self.core.runs.wait(run);
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("it ends")
    }

    async fn build(&self) -> Outcome {
        let run = self.start().await;
        self.ended(run).await
    }

    /// Builds from sources that have changed, because unchanged ones would not be built again.
    async fn refused(&self) -> Finding {
        let mark = self.project.root.join("backend/mark");
        let before = fs::read_to_string(&mark).expect("read");
        fs::write(mark, before + " changed").expect("written");
        match self.build().await {
            Outcome::Failed { finding } => *finding,
            other => panic!("the build fails, not {other:?}"),
        }
    }

    fn read<R>(&self, look: impl FnOnce(&PanelState) -> R) -> R {
        self.core.hub.read(look)
    }

    /// Waits until the state is as wished.
    async fn until(&self, what: &str, wish: impl Fn(&PanelState) -> bool) {
        let mut changed = self.core.hub.changed();
        let waiting = async {
            while !self.read(&wish) {
                changed.changed().await.expect("the hub lives");
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .is_err()
        {
            let seen = self.read(|state| format!("{:#?} {:#?}", state.images, state.builds));
            panic!("never came to be: {what}\n{seen}");
        }
    }

    fn view(&self, component: &str) -> BuildView {
        self.read(|state| state.builds[&name(component)].clone())
    }

    /// Everything the run printed.
    async fn log(&self, run: RunId) -> String {
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

    async fn end(self) {
        self.core.shutdown.cancel();
        for cluster in &self.clusters {
            cluster.shutdown().await;
        }
    }
}

/// A value that must turn up nowhere.
const TOKEN: &str = "tok-4f1c9a77e0b2-never-shown";

fn core(folder: &Path) -> Core {
    let state_dir = StateDir::open(&folder.join("state")).expect("a state folder");
    let journal = Journal::open(state_dir.path()).expect("a journal");
    Core::start(Arc::new(state_dir), journal)
}

fn name(component: &str) -> ComponentName {
    component.parse().expect("a name")
}

fn in_cluster(state: &PanelState, component: &str) -> bool {
    state.images.iter().any(|view| {
        view.component.as_str() == component && matches!(view.state, ImageState::InCluster { .. })
    })
}

/// Processes of ours that still build.
fn builders() -> Vec<String> {
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
            (parent == mine && command.contains("docker")).then_some(command)
        })
        .collect()
}

const OK: &str = "FROM scratch AS base\nCOPY program /program\nCOPY mark /mark\nRUN [\"/program\", \"say\", \"made\"]\nFROM base\nUSER 65532\nENTRYPOINT [\"/program\"]\n";
const SLEEPS: &str = "FROM scratch\nCOPY program /program\nCOPY mark /mark\nRUN [\"/program\", \"sleep\", \"600\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn both_components_are_built_in_the_cluster_s_daemon_and_proved_there() {
    for cli in [Cli::WithBuildx, Cli::WithoutBuildx] {
        let Some(world) = World::new(cli, &["backend", "frontend"], OK, "").await else {
            continue;
        };
        let run = world.start().await;
        let outcome = world.ended(run).await;
        assert!(
            matches!(&outcome, Outcome::Succeeded { summary } if summary.starts_with("2 images")),
            "{outcome:?}"
        );
        for component in ["backend", "frontend"] {
            let image = world
                .room
                .proven(&name(component))
                .unwrap_or_else(|| panic!("{component} is proved"));
            let inspected =
                world
                    .engine
                    .docker(&["image", "inspect", "--format", "{{.Id}}", &image.reference]);
            assert_eq!(inspected.trim(), image.id);
            let view = world.view(component);
            assert!(
                view.engine.contains(match cli {
                    Cli::WithBuildx => "BuildKit",
                    Cli::WithoutBuildx => "classic",
                }),
                "{}",
                view.engine
            );
            assert!(
                view.goes.contains("docker daemon of minikube profile demo"),
                "{}",
                view.goes
            );
            let made = view
                .steps
                .iter()
                .find(|step| step.name.starts_with("RUN"))
                .expect("a RUN");
            assert!(
                matches!(made.state, BuildStepState::Done { .. }),
                "{made:?}"
            );
            assert_eq!(made.stage.as_deref(), Some("base"));
            assert!(
                view.moved_bytes() > 100_000,
                "the context was counted: {view:#?}"
            );
        }
        let proof = world.read(|state| state.images[0].proof.clone());
        assert!(
            proof.contains("read back from the docker daemon"),
            "{proof}"
        );
        let log = world.log(run).await;
        assert!(log.contains("made"), "{log}");
        // Derived anew for each of the two builds, and never by the user's own daemon.
        let asked = world
            .machine
            .calls()
            .iter()
            .filter(|call| call.contains("docker-env"))
            .count();
        assert_eq!(asked, 2);

        // A prune behind our back is noticed.
        let image = world.room.proven(&name("backend")).expect("proved");
        world
            .engine
            .docker(&["image", "rm", "--force", &image.reference]);
        world.room.recheck();
        world
            .until("the loss is noticed", |state| {
                state.images.iter().any(|view| {
                    matches!(view.state, ImageState::NotInCluster { lost: Some(_), .. })
                })
            })
            .await;
        assert_eq!(world.room.proven(&name("backend")), None);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_build_is_cancelled_alone_and_leaves_no_process() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend", "frontend"], OK, "").await else {
        return;
    };
    fs::write(world.project.root.join("backend/Dockerfile"), SLEEPS).expect("written");
    let run = world.start().await;
    world
        .until("backend sleeps and frontend is there", |state| {
            let sleeps = state.builds.get(&name("backend")).is_some_and(|build| {
                build.steps.iter().any(|step| {
                    step.name.contains("sleep")
                        && matches!(step.state, BuildStepState::Running { .. })
                })
            });
            sleeps && in_cluster(state, "frontend")
        })
        .await;
    assert!(!builders().is_empty());
    world
        .room
        .cancel_build(name("backend"))
        .await
        .expect("asked to stop");
    let outcome = world.ended(run).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { summary } if summary.contains("backend was cancelled")),
        "{outcome:?}"
    );
    let stages = world.read(|state| state.runs[&run].stages.clone());
    for stage in stages {
        match stage.component.as_ref().expect("for a component").as_str() {
            "backend" => assert_eq!(stage.state, StageState::Cancelled, "{}", stage.id),
            _ => assert!(
                matches!(
                    stage.state,
                    StageState::Succeeded { .. } | StageState::Skipped { .. }
                ),
                "{stage:?}"
            ),
        }
    }
    assert!(world.view("backend").steps.iter().all(|step| !matches!(
        step.state,
        BuildStepState::Running { .. } | BuildStepState::Failed { .. }
    )));
    assert_eq!(builders(), Vec::<String>::new());
    // The engine stops what ran in the build as well.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while running("/program") {
        assert!(
            std::time::Instant::now() < deadline,
            "the build's own process goes on"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.end().await;
}

fn running(program: &str) -> bool {
    fs::read_dir("/proc")
        .expect("readable")
        .flatten()
        .any(|entry| {
            fs::read_to_string(entry.path().join("cmdline"))
                .is_ok_and(|command| command.starts_with(&format!("{program}\0sleep\0600")))
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_dockerfile_names_the_step_its_line_and_what_it_printed() {
    let fails = "FROM scratch AS base\nCOPY program /program\n\n# a comment\nRUN [\"/program\", \"fail\"]\nFROM base\n";
    for cli in [Cli::WithBuildx, Cli::WithoutBuildx] {
        let Some(world) = World::new(cli, &["backend"], fails, "").await else {
            continue;
        };
        let finding = world.refused().await;
        assert_eq!(finding.code, "BUILD_FAILED");
        assert!(
            finding.why.contains("RUN [") && finding.why.contains("of stage base"),
            "{}",
            finding.why
        );
        assert_eq!(finding.evidence[0].source, "Dockerfile, line 5");
        assert!(
            finding.evidence[1].text.contains("error: no such thing"),
            "{finding:#?}"
        );
        assert!(
            world
                .view("backend")
                .steps
                .iter()
                .any(|step| matches!(step.state, BuildStepState::Failed { .. }))
        );

        fs::write(
            world.project.root.join("backend/Dockerfile"),
            "FROM scratch\nRNU x\n",
        )
        .expect("written");
        let finding = world.refused().await;
        assert_eq!(finding.code, "BUILD_FAILED");
        assert_eq!(
            finding
                .evidence
                .first()
                .map(|evidence| evidence.source.as_str()),
            Some("Dockerfile, line 2"),
            "{finding:#?}"
        );
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_env_refuses_is_built_here_and_loaded() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, "").await else {
        return;
    };
    // Several nodes: minikube has no one daemon to offer. The user's own is the engine here.
    world.scenario(|scenario| {
        scenario["answers"] = json!({"docker-env": {"stdout": "false exit code 81\n", "exit": 81}});
    });
    // SAFETY: as in `World::new`.
    unsafe { std::env::set_var("DOCKER_HOST", world.engine.host()) };
    let run = world.start().await;
    let outcome = world.ended(run).await;
    assert!(
        matches!(outcome, Outcome::Succeeded { .. }),
        "{outcome:?}\n{}",
        world.log(run).await
    );
    assert!(world.view("backend").goes.contains("it has several nodes"));
    assert!(
        world
            .machine
            .calls()
            .iter()
            .any(|call| call.contains("image load"))
    );
    let proof = world.read(|state| state.images[0].proof.clone());
    assert!(proof.contains("minikube image ls"), "{proof}");

    // Exit code 0, and nothing was loaded: the proof decides.
    world.scenario(|scenario| scenario["image_load"] = "silently-not".into());
    fs::write(world.project.root.join("backend/mark"), "another").expect("written");
    world.scenario(|scenario| {
        // A list without the new image.
        scenario["answers"]["image ls"] = json!({"stdout": "[{\"id\":\"aa\",\"repoDigests\":[],\"repoTags\":[\"registry.k8s.io/pause:3.10\"],\"size\":\"736000\"}]\n"});
    });
    let finding = world.refused().await;
    assert_eq!(finding.code, "IMAGE_NOT_IN_CLUSTER");
    assert!(
        finding.why.contains("has no image of that name"),
        "{}",
        finding.why
    );
    assert!(!world.read(|state| in_cluster(state, "backend")));

    // Any other refusal is told, not guessed around.
    world.scenario(|scenario| {
        scenario["answers"] = json!({"docker-env": {"stdout": "false exit code 83\n", "stderr": "X Exiting due to GUEST_STATUS", "exit": 83}});
    });
    let finding = world.refused().await;
    assert_eq!(finding.code, "CLUSTER_DAEMON_SILENT");
    assert!(finding.why.contains("exit code 83"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_secret_is_in_no_layer_and_no_log() {
    let dockerfile = "# syntax-free\nFROM scratch\nCOPY program /program\nCOPY mark /mark\nRUN --mount=type=secret,id=token [\"/program\", \"cat\", \"/run/secrets/token\"]\nRUN [\"/program\", \"say\", \"after\"]\n";
    let more = "build_args = { GREETING = \"hello\" }\n[[component.build_secret]]\nid = \"token\"\nenv = \"SLIPWAY_TEST_BUILD_TOKEN\"\n";
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], dockerfile, more).await else {
        return;
    };
    let run = world.start().await;
    let outcome = world.ended(run).await;
    let log = world.log(run).await;
    assert!(
        matches!(outcome, Outcome::Succeeded { .. }),
        "{outcome:?}\n{log}"
    );
    // The step printed it, and the log has a mask in its place.
    assert!(log.contains("•••") && log.contains("after"), "{log}");
    let image = world.room.proven(&name("backend")).expect("proved");
    let archive = world.machine.at("image.tar");
    world.engine.docker(&[
        "image",
        "save",
        "--output",
        &archive.display().to_string(),
        &image.reference,
    ]);
    let seen = [
        log.into_bytes(),
        fs::read(archive).expect("saved"),
        world
            .engine
            .docker(&["image", "history", "--no-trunc", &image.reference])
            .into_bytes(),
        world
            .engine
            .docker(&["image", "inspect", &image.reference])
            .into_bytes(),
        world.read(|state| serde_json::to_vec(state).expect("JSON")),
    ];
    for bytes in seen {
        assert!(
            !bytes
                .windows(TOKEN.len())
                .any(|part| part == TOKEN.as_bytes())
        );
    }

    let file = world.project.root.join("slipway.toml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, text.replace("hello", TOKEN)).expect("written");
    let finding = world.refused().await;
    assert_eq!(finding.code, "BUILD_ARG_IS_SECRET");
    assert!(!format!("{finding:?}").contains(TOKEN));
    fs::write(
        &file,
        text.replace("SLIPWAY_TEST_BUILD_TOKEN", "NO_SUCH_VARIABLE"),
    )
    .expect("written");
    assert_eq!(world.refused().await.code, "BUILD_SECRET_MISSING");
    fs::write(&file, text).expect("written");
    // SAFETY: as in `World::new`.
    unsafe { std::env::set_var("DOCKER_BUILDKIT", "0") };
    assert_eq!(world.refused().await.code, "BUILD_SECRET_NEEDS_BUILDKIT");
    unsafe { std::env::remove_var("DOCKER_BUILDKIT") };
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_log_are_kept_and_searched() {
    let dockerfile = "FROM scratch\nCOPY program /program\nCOPY mark /mark\nRUN [\"/program\", \"flood\", \"110000\"]\n";
    // The classic builder has no limit of its own; BuildKit clips a step's log at 2 MiB.
    let Some(world) = World::new(Cli::WithoutBuildx, &["backend"], dockerfile, "").await else {
        return;
    };
    let run = world.start().await;
    let outcome = world.ended(run).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let lines = world.read(|state| state.runs[&run].lines);
    assert!(lines > 110_000, "{lines} lines");
    let search = |text: &str, from| {
        world.core.runs.search_log(
            run,
            LogQuestion {
                text: text.into(),
                stage: "backend/".into(),
                from,
            },
        )
    };
    let page = search("LINE 109999 OF", 0).await.expect("a page");
    assert_eq!(page.lines.len(), 1);
    assert_eq!(page.next, None);
    let first = search("line 10", 0).await.expect("a page");
    assert_eq!(first.lines.len(), 500);
    let second = search("line 10", first.next.expect("more"))
        .await
        .expect("a page");
    assert!(second.lines[0].number > first.lines[499].number);
    assert!(
        search("no such words", 0)
            .await
            .expect("a page")
            .lines
            .is_empty()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_goes_away_and_a_full_disk_are_named() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, "").await else {
        return;
    };
    world.scenario(|scenario| {
        // Nobody listens there (any more).
        scenario["docker_env"]["DOCKER_HOST"] = "tcp://127.0.0.1:9".into();
    });
    let finding = world.refused().await;
    assert_eq!(finding.code, "BUILD_FAILED");
    assert!(finding.why.contains("does not answer"), "{finding:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_chosen_on_the_page_is_the_one_that_builds() {
    let more = "[component.pack]\nbuild = []\nbinary = \"backend/program\"\n";
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, more).await else {
        return;
    };
    world
        .room
        .choose_builder(name("backend"), Builder::Pack)
        .await
        .expect("described");
    let run = world.start().await;
    let outcome = world.ended(run).await;
    assert!(
        matches!(outcome, Outcome::Succeeded { .. }),
        "{outcome:?}\n{}",
        world.log(run).await
    );
    let image = world.room.proven(&name("backend")).expect("proved");
    let inspected =
        world
            .engine
            .docker(&["image", "inspect", "--format", "{{.Id}}", &image.reference]);
    assert_eq!(inspected.trim(), image.id);
    world
        .until("the page shows it", |state| {
            state.images[0].builder == Builder::Pack
        })
        .await;
    world.end().await;
}
