//! What goes wrong in the middle of a deploy: Slipway killed, the API server restarted, the
//! namespace deleted, two operators at once. The state tells the truth, and the next deploy finishes.
//! The test binary starts itself as the victim.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use app::model::{
    DeployMode, DeployOutcome, Outcome, Owner, PanelState, PlanChoices, ReleaseWish, Rollout,
    RunKind,
};
use app::ports::{Deploys, Handovers, Releases};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::ListParams;
use practice::images::{PackSpec, pack};
use practice::{PracticeCluster, PracticeConfig};
use tempfile::TempDir;

use super::clusters::front::{Front, Mood, Writes};
use super::deploy_world::{Setting, World, app, finding, succeeded};

const VICTIM: &str = "SLIPWAY_TEST_DEPLOY_VICTIM";
const MAPS: usize = 6;

/// A practice API without pods behind a front that can hold requests, and a project of ConfigMaps
/// alone, by manifests and by a chart.
struct Stage {
    front: Front,
    folder: TempDir,
    cluster: PracticeCluster,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let cluster = PracticeCluster::start(PracticeConfig::api_only(root.join("cluster")));
        let cluster = cluster.await.expect("a practice API");
        let front = Front::before(cluster.client()).await;
        fs::write(root.join("kubeconfig"), front.kubeconfig("front")).expect("written");
        let stage = Self {
            front,
            folder,
            cluster,
        };
        write_project(&stage.root("mine"), "mine");
        stage
    }

    /// The folder of one Slipway.
    fn root(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self, name: &str) -> World {
        World::open(setting(&self.root(name))).await
    }

    /// Starts another process that acts, lets it come to where the front holds it, and kills it.
    async fn kill_in_the_middle(&self, act: &str, mood: Mood) {
        self.front.be(mood);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "deploy_faults::victim", "--nocapture"])
            .env(VICTIM, act)
            .env("SLIPWAY_TEST_DEPLOY_ROOT", self.root("mine"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the victim starts");
        self.front.holding().await;
        child.kill().expect("killed");
        child.wait().expect("reaped");
        self.front.be(Mood::Honest);
    }

    async fn maps(&self) -> BTreeMap<String, ConfigMap> {
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.client(), "faults");
        let list = api.list(&ListParams::default()).await.expect("listed");
        let named = list.items.into_iter().filter_map(|map| {
            let name = map.metadata.name.clone()?;
            name.starts_with("map-").then_some((name, map))
        });
        named.collect()
    }

    async fn end(self, world: World) {
        world.end().await;
        self.cluster.shutdown().await;
    }
}

fn setting(root: &Path) -> Setting {
    let kubeconfig = root.with_file_name("kubeconfig");
    Setting {
        root: root.to_owned(),
        cluster: Some((kubeconfig, "front".to_owned())),
    }
}

fn write_project(root: &Path, who: &str) {
    let project = root.join("project");
    for folder in ["app", "k8s", "chart/templates"] {
        fs::create_dir_all(project.join(folder)).expect("created");
    }
    let toml = "[project]\nname = \"faults\"\nnamespace = \"faults\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"true\"]\nbinary = \"app/program\"\n\n[deploy]\nmanifests = \"k8s\"\nchart = \"chart\"\n";
    let chart = "apiVersion: v2\nname: faults\nversion: 0.1.0\n";
    fs::write(project.join("slipway.toml"), toml).expect("written");
    fs::write(project.join("chart/Chart.yaml"), chart).expect("written");
    for number in 0..MAPS {
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-{number}\ndata:\n  who: {who}\n"
        );
        for folder in ["k8s", "chart/templates"] {
            let path = project.join(folder).join(format!("map-{number}.yaml"));
            fs::write(path, &map).expect("written");
        }
    }
}

/// Not a test of its own: what the child process does until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn victim() {
    let Ok(act) = std::env::var(VICTIM) else {
        return;
    };
    let root = std::env::var_os("SLIPWAY_TEST_DEPLOY_ROOT").expect("its folder");
    let world = World::open(setting(Path::new(&root))).await;
    let run = match act.as_str() {
        "deploy" => {
            let plan = world.plan().await;
            world.deploys.deploy(plan.hash, true).await
        }
        _ => {
            let plan = world.deploys.plan_handover(DeployMode::Helm).await;
            let hash = plan.expect("a plan").hash;
            world.deploys.hand_over(DeployMode::Helm, hash).await
        }
    };
    world.core.runs.wait(run.expect("a run")).await;
}

fn ending(state: &PanelState, kind: RunKind) -> Option<Outcome> {
    let run = state.runs.values().rfind(|run| run.kind == kind)?;
    Some(run.ending.as_ref()?.outcome.clone())
}

fn revisions(state: &PanelState) -> Vec<(u64, DeployOutcome)> {
    let revisions = state.revisions.iter();
    revisions.map(|one| (one.revision, one.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_was_killed_is_called_interrupted_and_the_next_deploy_finishes_it() {
    let stage = Stage::new().await;
    // The namespace and some of the objects, but not all.
    let holds = Mood::Holds(Writes::Applies, 4);
    stage.kill_in_the_middle("deploy", holds).await;
    let there = stage.maps().await.len();
    assert!((1..MAPS).contains(&there), "{there} of {MAPS} are there");

    let world = stage.open("mine").await;
    let outcome = world.core.hub.read(|state| ending(state, RunKind::Deploy));
    assert!(
        matches!(outcome, Some(Outcome::Interrupted { .. })),
        "{outcome:#?}"
    );
    // Nobody has to wait until the record is old to hear that its deploy is over.
    world
        .until("the revision is called interrupted, too", |state| {
            revisions(state) == [(1, DeployOutcome::Interrupted)]
        })
        .await;
    succeeded(world.deploy().await);
    let maps = stage.maps().await;
    assert_eq!(maps.len(), MAPS);
    world
        .until("the second one succeeded", |state| {
            revisions(state)
                == [
                    (2, DeployOutcome::Succeeded),
                    (1, DeployOutcome::Interrupted),
                ]
        })
        .await;
    stage.end(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_that_was_killed_keeps_both_sides_out_until_it_is_finished() {
    let stage = Stage::new().await;
    let world = stage.open("mine").await;
    succeeded(world.deploy().await);
    world.end().await;
    let holds = Mood::Holds(Writes::Handovers, 2);
    stage.kill_in_the_middle("hand over", holds).await;

    let world = stage.open("mine").await;
    let outcome = world
        .core
        .hub
        .read(|state| ending(state, RunKind::Handover));
    assert!(
        matches!(outcome, Some(Outcome::Interrupted { .. })),
        "{outcome:#?}"
    );
    let of_helm = |owner: &Owner| matches!(owner, Owner::Helm { .. });
    world
        .until("it is known which half has changed hands", |state| {
            state.ownership.as_ref().is_some_and(|view| {
                let taken = view.objects.iter().filter(|one| of_helm(&one.owner));
                view.unfinished.is_some() && view.objects.len() == MAPS && taken.count() == 2
            })
        })
        .await;
    // Neither a raw deploy nor an upgrade gets to work on one half.
    let plan = world.plan().await;
    let codes: Vec<&str> = plan.findings.iter().map(|one| one.code.as_str()).collect();
    assert!(codes.contains(&"HANDOVER_UNFINISHED"), "{codes:?}");
    let refused = world.deploys.deploy(plan.hash, true).await;
    finding(refused.expect_err("half of it is helm's"));

    let rest = world.deploys.plan_handover(DeployMode::Helm).await;
    let hash = rest.expect("the rest").hash;
    let run = world.deploys.hand_over(DeployMode::Helm, hash).await;
    succeeded(world.core.runs.wait(run.expect("a run")).await);
    world
        .until("all of it is helm's", |state| {
            state.ownership.as_ref().is_some_and(|view| {
                view.unfinished.is_none() && view.objects.iter().all(|one| of_helm(&one.owner))
            })
        })
        .await;
    let wish = ReleaseWish::Deploy {
        edits: vec![],
        adopt: false,
        force: Default::default(),
    };
    let plan = world.releases.plan(wish).await.expect("a plan").plan;
    let codes: Vec<&str> = plan.findings.iter().map(|one| one.code.as_str()).collect();
    assert!(!codes.contains(&"HANDOVER_UNFINISHED"), "{codes:?}");
    assert_eq!(stage.maps().await.len(), MAPS);
    stage.end(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_at_once_one_deploys_and_the_other_is_told() {
    let stage = Stage::new().await;
    write_project(&stage.root("theirs"), "theirs");
    let worlds = [stage.open("mine").await, stage.open("theirs").await];
    let deploy = async |world: &World| {
        let plan = world.plan().await;
        match world.deploys.deploy(plan.hash, true).await {
            Ok(run) => world.core.runs.wait(run).await,
            Err(failure) => Outcome::Failed {
                finding: Box::new(finding(failure)),
            },
        }
    };
    let (mine, theirs) = tokio::join!(deploy(&worlds[0]), deploy(&worlds[1]));
    let won = |outcome: &Outcome| matches!(outcome, Outcome::Succeeded { .. });
    assert!(
        won(&mine) != won(&theirs),
        "one wins: {mine:#?} {theirs:#?}"
    );
    let (winner, lost) = if won(&mine) {
        ("mine", theirs)
    } else {
        ("theirs", mine)
    };
    let Outcome::Failed { finding } = &lost else {
        panic!("told why: {lost:#?}");
    };
    let told = ["PLAN_OUTDATED", "DEPLOY_ELSEWHERE"];
    assert!(told.contains(&finding.code.as_str()), "{finding:#?}");
    let values = async || {
        let maps = stage.maps().await.into_values();
        let mut values: Vec<String> = maps.filter_map(|map| map.data?.remove("who")).collect();
        assert_eq!(values.len(), MAPS);
        values.dedup();
        values
    };
    assert_eq!(values().await, [winner], "nothing of the other one's");
    // After a look at the new plan the other one may.
    let (loser, other) = match winner {
        "mine" => (&worlds[1], "theirs"),
        _ => (&worlds[0], "mine"),
    };
    succeeded(deploy(loser).await);
    assert_eq!(values().await, [other]);
    for world in worlds {
        world
            .until("both know both", |state| {
                let all = revisions(state);
                all.len() == 2 && all.iter().all(|one| one.1 == DeployOutcome::Succeeded)
            })
            .await;
        world.end().await;
    }
    stage.cluster.shutdown().await;
}

/// Makes the rollout of the component take this long at least.
fn slow_down(manifest: &Path, seconds: u32) {
    let text = fs::read_to_string(manifest).expect("read");
    let slow = format!("spec:\n  minReadySeconds: {seconds}\n  replicas: 1");
    fs::write(manifest, text.replacen("spec:\n  replicas: 1", &slow, 1)).expect("written");
}

async fn until_a_pod_is_ready(world: &World) {
    world
        .until("a pod is ready and the rollout is not over", |state| {
            state.pods.values().any(|pod| pod.ready)
                && state
                    .components
                    .get(&app())
                    .is_some_and(|one| matches!(one.rollout, Rollout::Progressing { .. }))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_in_the_middle_of_a_rollout_does_not_end_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("cluster");
    let start = || PracticeCluster::start(PracticeConfig::new(&home));
    let cluster = start().await.expect("a practice cluster");
    let spec = PackSpec {
        binary: fs::canonicalize("/bin/sleep").expect("the machine has it"),
        cmd: vec!["3600".to_owned()],
        ..PackSpec::default()
    };
    let image = pack(&spec, &mut |_| {}).expect("packed");
    let store = cluster.images().expect("the node's store");
    let stored = image.store_in(store, &["t-app:v1".to_owned()]);
    stored.expect("the image is stored");
    super::deploy_world::write_project(&folder.path().join("project"), "t");
    let setting = Setting {
        root: folder.path().to_owned(),
        cluster: Some((cluster.kubeconfig().to_owned(), "practice".to_owned())),
    };
    let world = World::open(setting).await;
    world.say_proved("t-app:v1".to_owned());
    world.set("a-value-of-some-length").await.expect("stored");
    slow_down(&world.manifest("app.yaml"), 8);

    let plan = world.deploys.plan(PlanChoices::default()).await;
    let hash = plan.expect("a plan").hash;
    let run = world.deploys.deploy(hash, true).await.expect("a run");
    until_a_pod_is_ready(&world).await;
    cluster.shutdown().await;
    world
        .until("the silence is noticed", |state| {
            let cluster = state.cluster.as_ref();
            cluster.is_some_and(|cluster| cluster.freshness.lost.is_some())
        })
        .await;
    let outcome = world.core.hub.read(|state| ending(state, RunKind::Deploy));
    assert_eq!(outcome, None, "silence is no reason to give up");
    let cluster = start().await.expect("it comes back");
    let ended = tokio::time::timeout(Duration::from_secs(90), world.core.runs.wait(run)).await;
    succeeded(ended.expect("the rollout ends"));
    world
        .until("it is live again", |state| {
            state
                .components
                .get(&app())
                .is_some_and(|one| one.rollout == Rollout::Complete)
                && state
                    .cluster
                    .as_ref()
                    .is_some_and(|one| one.freshness.lost.is_none())
        })
        .await;
    world.end().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_in_the_middle_of_a_rollout_ends_it_with_the_cause() {
    let world = World::prepared().await;
    let manifest = world.manifest("app.yaml");
    let usual = fs::read_to_string(&manifest).expect("read");
    slow_down(&manifest, 300);
    let plan = world.plan().await;
    let run = world.deploys.deploy(plan.hash, true).await.expect("a run");
    until_a_pod_is_ready(&world).await;
    let api: Api<Namespace> = Api::all(world.client());
    let deleted = api.delete(&world.namespace, &Default::default()).await;
    deleted.expect("deleted");
    let ended = tokio::time::timeout(Duration::from_secs(60), world.core.runs.wait(run)).await;
    let Outcome::Failed { finding } = ended.expect("it does not wait for what cannot come") else {
        panic!("it cannot succeed");
    };
    assert_eq!(finding.code, "NAMESPACE_DELETED", "{finding:#?}");
    world
        .until("the page shows that nothing is left", |state| {
            state.pods.is_empty()
                && state.deployed.is_none()
                && state
                    .components
                    .get(&app())
                    .is_none_or(|one| one.rollout == Rollout::Absent)
                && state.secrets.iter().all(|one| !one.state.is_set())
        })
        .await;
    let gone = async {
        while api
            .get_opt(&world.namespace)
            .await
            .expect("an answer")
            .is_some()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(60), gone).await;
    gone.expect("the namespace goes");
    fs::write(&manifest, usual).expect("written");
    world.set(super::deploy_world::VALUE).await.expect("stored");
    succeeded(world.deploy().await);
    world.end().await;
}
