//! Building and proving on a real practice cluster: an image counts when the node lists it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::model::{ClusterChoice, GoingRuns, ImageReport, ImageState, Outcome, Rebuild, StageState};
use app::ports::Images;
use server::cluster::{ClusterOptions, ClusterRoom};
use server::engine::{Core, Journal, StateDir};
use server::images::ImagesRoom;
use server::project::Project;
use tempfile::TempDir;

struct World {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    room: Arc<ImagesRoom>,
    folder: TempDir,
}

impl World {
    /// A project whose one component is built by this shell line.
    async fn new(build: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("project");
        fs::create_dir_all(project.join("app")).expect("created");
        write_project(&project, build);
        let state_dir = StateDir::open(&folder.path().join("state")).expect("a state folder");
        let journal = Journal::open(state_dir.path()).expect("a journal");
        let core = Core::start(Arc::new(state_dir), journal);
        let project = Arc::new(Project::load(&project).expect("a project"));
        let cluster = ClusterRoom::new(core.clone(), ClusterOptions::default());
        let room = Arc::new(ImagesRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
        ));
        room.spawn();
        cluster
            .choose(ClusterChoice::Practice, GoingRuns::Refuse)
            .await
            .expect("a practice cluster");
        Self {
            core,
            project,
            cluster,
            room,
            folder,
        }
    }

    async fn build(&self) -> Outcome {
        let run = self
            .room
            .build(vec![], Rebuild::IfChanged)
            .await
            .expect("a run");
        self.core.runs.wait(run).await
    }

    fn image(&self) -> Option<ImageState> {
        self.core
            .hub
            .read(|state| state.images.first().map(|view| view.state.clone()))
    }

    /// Waits until the state of the image is as wanted.
    async fn until(&self, wanted: impl Fn(&ImageState) -> bool) -> ImageState {
        let mut changed = self.core.hub.changed();
        let waiting = async {
            loop {
                if let Some(state) = self.image().filter(|state| wanted(state)) {
                    return state;
                }
                changed.changed().await.expect("the hub lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .unwrap_or_else(|_| panic!("the image stays {:?}", self.image()))
    }

    async fn end(self) {
        self.core.shutdown.cancel();
        self.cluster.shutdown().await;
        drop(self.folder);
    }
}

fn write_project(folder: &Path, build: &str) {
    let text = format!(
        "[project]\nname = \"t\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"sh\", \"-c\", {build:?}]\nbinary = \"app/program\"\n"
    );
    fs::write(folder.join("slipway.toml"), text).expect("written");
}

fn failed(outcome: Outcome) -> app::model::Finding {
    match outcome {
        Outcome::Failed { finding } => *finding,
        other => panic!("the run fails, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_proved_and_its_removal_is_noticed() {
    let world = World::new("echo compiling; cp /bin/sleep program").await;
    let outcome = world.build().await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let state = world
        .until(|state| matches!(state, ImageState::InCluster { .. }))
        .await;
    let ImageState::InCluster { image, .. } = state else {
        unreachable!()
    };
    let component = world.project.spec().components[0].name.clone();
    assert_eq!(world.room.proven(&component), Some(image.clone()));
    assert!(image.reference.starts_with("t-app:"));

    // The tag follows from the content: the same program, the same image.
    let again = world.build().await;
    assert!(matches!(again, Outcome::Succeeded { .. }), "{again:?}");
    assert_eq!(
        world.room.proven(&component).map(|again| again.id),
        Some(image.id.clone())
    );

    let store = world
        .cluster
        .connected()
        .expect("connected")
        .practice
        .clone()
        .expect("a store");
    assert!(store.remove(&image.id).expect("removed"));
    world
        .until(|state| matches!(state, ImageState::NotInCluster { .. }))
        .await;
    assert_eq!(world.room.proven(&component), None);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_says_which_it_is() {
    let world = World::new("echo 'error[E0308]: mismatched types'; exit 101").await;
    let finding = failed(world.build().await);
    assert_eq!(finding.code, "BUILD_FAILED");
    assert!(finding.why.contains("E0308"), "{}", finding.why);
    let stages = world.core.hub.read(|state| {
        state
            .runs
            .values()
            .next()
            .map(|run| run.stages.clone())
            .unwrap_or_default()
    });
    assert!(matches!(stages[0].state, StageState::Failed { .. }));
    assert!(matches!(stages[1].state, StageState::NotReached { .. }));
    assert!(
        world
            .image()
            .is_some_and(|state| state == ImageState::NotBuilt)
    );

    // The file is read again before each build.
    write_project(&world.project.root, "echo nothing is left behind");
    assert_eq!(failed(world.build().await).code, "PACK_BINARY_MISSING");

    let file = world.project.root.join("slipway.toml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, text.replace("\"sh\", \"-c\"", "\"no-such-builder\"")).expect("written");
    assert_eq!(failed(world.build().await).code, "BUILD_TOOL_MISSING");

    fs::write(&file, "[project").expect("written");
    let refused = world
        .room
        .build(vec![], Rebuild::IfChanged)
        .await
        .expect_err("a broken file builds nothing");
    assert!(refused.to_string().contains("slipway.toml"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_ends_and_leaves_no_image() {
    let world = World::new("echo started; sleep 600").await;
    let run = world
        .room
        .build(vec![], Rebuild::IfChanged)
        .await
        .expect("a run");
    let mut changed = world.core.hub.changed();
    while !world.core.hub.read(|state| {
        state.runs[&run]
            .tail
            .iter()
            .any(|line| line.text == "started")
    }) {
        changed.changed().await.expect("the hub lives");
    }
    world.core.runs.cancel(run).expect("asked to stop");
    let ended = tokio::time::timeout(Duration::from_secs(20), world.core.runs.wait(run)).await;
    assert_eq!(ended.expect("it ends soon"), Outcome::Cancelled);
    assert!(
        world
            .image()
            .is_none_or(|state| state == ImageState::NotBuilt)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_image_is_reported_on_and_a_change_of_its_sources_is_noticed() {
    let world = World::new("cp /bin/sleep program").await;
    let source = world.project.root.join("app/main.txt");
    fs::write(&source, "one").expect("written");
    let outcome = world.build().await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let name = world.project.spec().components[0].name.clone();
    let until = async |wanted: &dyn Fn(&ImageReport) -> bool| {
        let mut changed = world.core.hub.changed();
        let waiting = async {
            loop {
                let report = world
                    .core
                    .hub
                    .read(|state| state.image_reports.get(&name).cloned());
                if let Some(report) = report.filter(|report| wanted(report)) {
                    return report;
                }
                changed.changed().await.expect("the hub lives");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .expect("the report comes")
    };
    let report = until(&|report| report.image.is_some()).await;
    let facts = report.image.as_ref().expect("facts");
    assert_eq!(facts.user, "65532:65532");
    assert_eq!(facts.layers.len(), 2);
    // The program the build left in the folder is no source.
    assert_eq!(report.outdated(), None);
    fs::write(&source, "two").expect("written");
    let report = until(&|report| report.outdated().is_some()).await;
    assert_eq!(
        report.outdated(),
        Some((1, ["main.txt".to_owned()].as_slice()))
    );
    fs::write(&source, "one").expect("written");
    until(&|report| report.outdated().is_none()).await;
    world.end().await;
}
