//! The life of minikube profiles, with a stand-in that plays minikube and an API server that plays
//! the cluster: what the page is told is what is, and what fails says why.

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    ClusterChoice, ContextState, Driver, Failure, Finding, MinikubeView, NewCluster, NextAction,
    Outcome, ProfileAct, ProfileName, ProfileState, RunId, RunKind, StageState,
};
use app::ports::Minikube;
use practice::{PracticeCluster, PracticeConfig};
use serde_json::{Value, json};
use server::cluster::{ClusterOptions, ClusterRoom};
use server::engine::{Core, Journal, StateDir};
use server::minikube::MinikubeRoom;
use server::process::Surroundings;
use server::project::Project;

use crate::standin_minikube::Machine;

struct World {
    machine: Machine,
    core: Core,
    cluster: ClusterRoom,
    room: MinikubeRoom,
    /// Plays the cluster inside the node.
    api: PracticeCluster,
}

impl World {
    async fn new(scenario: Value) -> Self {
        let machine = Machine::with_minikube();
        let api = PracticeCluster::start(PracticeConfig::api_only(machine.at("api")))
            .await
            .expect("an API server");
        let mut scenario = scenario;
        scenario["api_kubeconfig"] = json!(api.kubeconfig());
        machine.scenario(scenario);
        let project = machine.at("project");
        std::fs::create_dir_all(project.join("app")).expect("made");
        std::fs::write(
            project.join("slipway.toml"),
            "[project]\nname = \"t\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"true\"]\nbinary = \"app/program\"\n",
        )
        .expect("written");
        let state_dir = StateDir::open(&machine.at("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let options = ClusterOptions {
            wanted: None,
            typed: false,
            kubeconfig: Some(vec![machine.at("kubeconfig")]),
            ..ClusterOptions::default()
        };
        let cluster = ClusterRoom::new(core.clone(), options);
        let room = MinikubeRoom::new(
            core.clone(),
            Arc::new(Project::load(&project).expect("a project")),
            cluster.clone(),
            Surroundings::with(machine.env()),
        );
        Self {
            machine,
            core,
            cluster,
            room,
            api,
        }
    }

    async fn end(self) {
        self.core.shutdown.cancel();
        self.cluster.shutdown().await;
        self.api.shutdown().await;
    }

    fn new_cluster(&self) -> NewCluster {
        NewCluster {
            profile: demo(),
            driver: Driver::Docker,
            cpus: 2,
            memory_mb: 3072,
            disk_mb: 20_000,
            kubernetes: None,
        }
    }

    async fn create(&self) -> Outcome {
        let run = self.room.create(self.new_cluster()).await.expect("a run");
        self.core.runs.wait(run).await
    }

    async fn act(&self, act: ProfileAct) -> Outcome {
        let run = self.room.act(act, demo()).await.expect("a run");
        self.core.runs.wait(run).await
    }

    fn view(&self) -> MinikubeView {
        self.core
            .hub
            .read(|state| state.minikube.clone())
            .expect("minikube is there")
    }

    fn state(&self) -> Option<ProfileState> {
        self.view()
            .profiles
            .first()
            .map(|profile| profile.state.clone())
    }

    fn stage(&self, run: RunId, id: &str) -> StageState {
        self.core.hub.read(|state| {
            state.runs[&run]
                .stages
                .iter()
                .find(|stage| stage.id == id)
                .expect("it was announced")
                .state
                .clone()
        })
    }

    /// Waits until this stage of the run is as wanted.
    async fn until(&self, run: RunId, id: &str, wanted: impl Fn(&StageState) -> bool) {
        let mut changed = self.core.hub.changed();
        let waiting = async {
            while !wanted(&self.stage(run, id)) {
                changed.changed().await.expect("the hub lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .unwrap_or_else(|_| panic!("{id} stays {:?}", self.stage(run, id)));
    }
}

fn demo() -> ProfileName {
    "demo".parse().expect("a name")
}

fn failed(outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Failed { finding } => *finding,
        other => panic!("it fails, not {other:?}"),
    }
}

fn succeeded(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_used_paused_stopped_and_deleted() {
    let world = World::new(json!({})).await;
    world.room.look().await;
    assert_eq!(world.view().profiles, vec![]);
    assert_eq!(world.view().offer.profile.as_str(), "minikube");

    succeeded(&world.create().await);
    assert_eq!(world.state(), Some(ProfileState::Running));
    let profile = world.view().profiles.remove(0);
    assert_eq!((profile.driver.as_str(), profile.cpus), ("docker", 2));
    assert_eq!(profile.context, ContextState::Configured);
    let used = world.cluster.current().expect("a cluster is used");
    assert_eq!(
        used.choice,
        ClusterChoice::Context("demo".parse().expect("a name"))
    );

    succeeded(&world.act(ProfileAct::Pause).await);
    assert_eq!(world.state(), Some(ProfileState::Paused));
    succeeded(&world.act(ProfileAct::Unpause).await);
    succeeded(&world.act(ProfileAct::Stop).await);
    assert_eq!(world.state(), Some(ProfileState::Stopped));
    succeeded(&world.act(ProfileAct::Start).await);
    assert_eq!(world.state(), Some(ProfileState::Running));
    succeeded(&world.act(ProfileAct::Delete).await);
    assert_eq!(world.view().profiles, vec![]);
    let starts: Vec<String> = world
        .machine
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("start"))
        .collect();
    assert!(
        starts[0].contains("--container-runtime=docker"),
        "{starts:?}"
    );
    assert!(!starts[1].contains("--driver"), "{starts:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_start_says_what_minikube_said_without_its_templates() {
    let world = World::new(json!({"start": {"error": {
        "at": 8, "exitcode": 69, "name": "PROVIDER_DOCKER_NEWGRP",
        "message": "permission denied on the docker socket",
        "advice": "Add your user to the group:\n\t'sudo usermod -aG docker $USER {{.profileArg}}'"
    }}}))
    .await;
    let finding = failed(world.create().await);
    assert_eq!(finding.code, "MINIKUBE_DRIVER");
    assert!(finding.why.contains("permission denied"), "{}", finding.why);
    assert!(
        matches!(&finding.next[0], NextAction::Command { command, .. } if command.contains("usermod"))
    );
    let all = format!("{finding:?}");
    assert!(
        all.contains("PROVIDER_DOCKER_NEWGRP") && !all.contains("{{"),
        "{all}"
    );
    let run = world
        .core
        .hub
        .read(|state| state.latest_run(RunKind::StartCluster).map(|run| run.id))
        .expect("a run");
    assert!(matches!(
        world.stage(run, "creating-container"),
        StageState::Failed { .. }
    ));
    assert!(matches!(
        world.stage(run, "booting-control-plane"),
        StageState::NotReached { .. }
    ));
    // The half-made profile is shown, so that it can be deleted.
    assert_eq!(world.state(), Some(ProfileState::Stopped));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_cancelled_by_the_signal_minikube_understands() {
    let world = World::new(json!({"start": {"hang_at": 5}})).await;
    let run = world.room.create(world.new_cluster()).await.expect("a run");
    world
        .until(run, "pulling-base-image", |state| {
            matches!(state, StageState::Running { .. })
        })
        .await;
    let refused = world
        .room
        .act(ProfileAct::Delete, demo())
        .await
        .expect_err("one thing at a time");
    assert!(matches!(refused, Failure::Finding(finding) if finding.code == "RUN_IN_PROGRESS"));
    world.core.runs.cancel(run).expect("it is going");
    assert_eq!(world.core.runs.wait(run).await, Outcome::Cancelled);
    let calls = world.machine.calls();
    assert!(
        calls.iter().any(|call| call == "ended by SIGINT: start"),
        "{calls:?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_shows_bytes_also_when_its_progress_is_no_number() {
    let world = World::new(json!({"step_ms": 120, "start": {
        "odd_progress": true, "hang_at": 17,
        "download": {"artifact": "preload.tar.lz4", "bytes": 4_000_000}
    }}))
    .await;
    let run = world.room.create(world.new_cluster()).await.expect("a run");
    world
        .until(run, "downloading-artifacts", |state| {
            matches!(state, StageState::Running { progress: Some(progress), .. }
                if progress.done > 0 && progress.total.is_some_and(|total| total > 1_000_000)
                    && progress.note.contains("preload.tar.lz4"))
        })
        .await;
    world.core.runs.cancel(run).expect("it is going");
    world.core.runs.wait(run).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_code_0_is_not_enough() {
    let world = World::new(json!({})).await;
    succeeded(&world.create().await);
    world
        .machine
        .scenario(json!({"api_kubeconfig": world.api.kubeconfig(),
        "answers": {"stop": {"stdout": "", "exit": 0}}}));
    let finding = failed(world.act(ProfileAct::Stop).await);
    assert_eq!(finding.code, "MINIKUBE_NO_EFFECT");
    assert!(finding.why.contains("running"), "{}", finding.why);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_points_elsewhere_is_repaired() {
    let world = World::new(json!({})).await;
    succeeded(&world.create().await);
    let path = world.machine.at("kubeconfig");
    let text = std::fs::read_to_string(&path).expect("written");
    let elsewhere = text.replace("server: https://127.0.0.1:", "server: https://127.0.0.2:");
    std::fs::write(&path, elsewhere).expect("written");
    world.room.look().await;
    let profile = world.view().profiles.remove(0);
    assert_eq!(profile.context, ContextState::Misconfigured);
    assert_eq!(profile.state.acts(profile.context)[0], ProfileAct::Repair);
    succeeded(&world.act(ProfileAct::Repair).await);
    assert_eq!(world.view().profiles[0].context, ContextState::Configured);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trap_of_list_and_status_is_shown_as_what_it_is() {
    let world = World::new(json!({})).await;
    succeeded(&world.create().await);
    let with = |answers: Value| {
        world
            .machine
            .scenario(json!({"api_kubeconfig": world.api.kubeconfig(), "answers": answers}));
    };
    // The node was removed behind minikube's back.
    with(json!({"status": {"stdout": "null", "exit": 7}}));
    world.room.look().await;
    assert_eq!(world.state(), Some(ProfileState::Gone));
    // Deleted between the list and the question.
    with(
        json!({"status": {"stdout": "{\"type\":\"io.k8s.sigs.minikube.info\",\"data\":{\"message\":\"Profile not found\"}}\n", "exit": 85}}),
    );
    world.room.look().await;
    assert_eq!(world.state(), None);
    with(json!({"status": {"stdout": "[]", "exit": 7}}));
    world.room.look().await;
    assert_eq!(world.state(), Some(ProfileState::Gone));
    with(json!({"status": {"stdout": "garbage ", "repeat": 1_300_000, "exit": 1}}));
    world.room.look().await;
    assert!(matches!(world.state(), Some(ProfileState::Unknown { .. })));
    // What was known stays, with the reason why it is not new.
    with(json!({"profile list": {"stdout": "{\"error\":{}}\n", "exit": 80}}));
    world.room.look().await;
    let problem = world.view().problem.expect("it is told");
    assert_eq!(problem.code, "MINIKUBE_PROFILES_UNKNOWN");
    assert!(problem.why.contains("80"));
    assert_eq!(world.view().profiles.len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containerd_profile_is_listed_and_started_as_it_is() {
    let world = World::new(json!({})).await;
    world
        .machine
        .minikube("start -p demo -o json --driver=docker --container-runtime=containerd");
    world.machine.minikube("stop -p demo");
    world.room.look().await;
    assert_eq!(world.view().profiles[0].runtime, "containerd");
    succeeded(&world.act(ProfileAct::Start).await);
    assert_eq!(world.view().profiles[0].runtime, "containerd");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_minikube_there_is_nothing_to_show_and_with_it_there_is() {
    let world = World::new(json!({})).await;
    std::fs::remove_file(world.machine.at("bin/minikube")).expect("removed");
    world.room.look().await;
    assert_eq!(world.core.hub.read(|state| state.minikube.clone()), None);
    let refused = world.create().await;
    assert_eq!(failed(refused).code, "MINIKUBE_NOT_STARTED");
    world.machine.add(
        "minikube",
        &crate::standin_minikube::standin("standin-minikube"),
    );
    world.room.look().await;
    assert_eq!(world.view().profiles, vec![]);
    world.end().await;
}
