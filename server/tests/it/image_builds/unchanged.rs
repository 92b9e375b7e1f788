//! An image of unchanged sources is not built again, and that is told as it is; what changed makes the
//! step stale; a tag never means two images.

use std::fs;

use app::model::{
    ImageVerdict, Outcome, PanelState, Rebuild, RunId, SourcesView, StageState, StepId, StepState,
};
use app::ports::Images;
use server::engine::{clock, steps};

use super::world::{Cli, World, in_cluster, name};
use super::{OK, world};

/// What is told of a run's stage, and whether it was skipped.
fn skipped(world: &World, run: RunId, stage: &str) -> Option<String> {
    world.read(|state| {
        let stages = &state.runs[&run].stages;
        let found = stages.iter().find(|one| one.id == stage);
        match &found.expect("it was announced").state {
            StageState::Skipped { why } => Some(why.clone()),
            _ => None,
        }
    })
}

fn summary(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Succeeded { summary } => summary,
        other => panic!("it succeeds, not {other:?}"),
    }
}

/// When the engine gave the image a name last: a build that was none leaves it.
fn tagged(world: &World, reference: &str) -> String {
    let format = "{{.Id}} {{.Metadata.LastTagTime}}";
    world
        .engine
        .docker(&["image", "inspect", "--format", format, reference])
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_sources_are_not_built_again_while_their_image_is_in_the_cluster() {
    for cli in [Cli::WithBuildx, Cli::WithoutBuildx] {
        let Some(world) = World::new(cli, &["backend", "frontend"], OK, "").await else {
            continue;
        };
        assert_eq!(
            summary(&world.build().await),
            "2 images are built and in the cluster"
        );
        let backend = world.room.proven(&name("backend")).expect("proved");
        let before = tagged(&world, &backend.reference);
        // The tag is that of the sources, as the page shows it beforehand.
        let tag = world.tag("backend").await;
        assert_eq!(backend.reference, format!("t-backend:{tag}"));

        let run = world.start().await;
        let again = world.ended(run).await;
        assert_eq!(
            summary(&again),
            "2 images were already built and in the cluster"
        );
        let why = skipped(&world, run, "backend/build").expect("skipped");
        assert!(why.contains(&backend.reference), "{why}");
        assert!(skipped(&world, run, "backend/load").is_some());
        assert_eq!(tagged(&world, &backend.reference), before);
        assert_eq!(
            world.room.proven(&name("backend")),
            Some(backend.clone()),
            "the very same image, built when it was built"
        );

        // One that is gone from the cluster is built again from the same sources, under its tag.
        world
            .engine
            .docker(&["image", "rm", "--force", &backend.reference]);
        let run = world.start().await;
        let outcome = world.ended(run).await;
        assert_eq!(
            summary(&outcome),
            "1 image is built and in the cluster, 1 already there"
        );
        assert_eq!(skipped(&world, run, "backend/build"), None);
        assert!(world.read(|state| in_cluster(state, "backend")));
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_sources_makes_the_step_stale_until_it_is_built() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, "").await else {
        return;
    };
    summary(&world.build().await);
    let first = world.room.proven(&name("backend")).expect("proved");
    let step = |state: &PanelState| steps::gates(state, clock::now())[&StepId::Images].clone();
    let is_done = |state: &PanelState| matches!(step(state), StepState::Done { .. });
    world.until("the step is done", is_done).await;

    fs::write(world.project.root.join("backend/mark"), "another").expect("written");
    world.room.recheck();
    world
        .until("the change is noticed, by name", |state| {
            matches!(step(state), StepState::Stale { why } if why.contains("backend (mark)"))
        })
        .await;

    summary(&world.build().await);
    let second = world.room.proven(&name("backend")).expect("proved");
    assert_ne!(second.reference, first.reference);
    world.until("the step is done again", is_done).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn built_anyway_is_built_without_the_cache_and_gets_a_tag_of_its_own() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, "").await else {
        return;
    };
    summary(&world.build().await);
    let first = world.room.proven(&name("backend")).expect("proved");
    let wish = world.room.build(vec![], Rebuild::Anyway);
    let run = wish.await.expect("a run");
    assert_eq!(
        summary(&world.ended(run).await),
        "1 image is built and in the cluster"
    );
    let cached = world.view("backend").steps;
    assert!(
        cached
            .iter()
            .filter(|step| step.name.starts_with("RUN"))
            .all(|step| step.state != app::model::BuildStepState::Cached),
        "{cached:#?}"
    );
    // Another image of the same sources: the first one's tag still means the first one.
    let second = world.room.proven(&name("backend")).expect("proved");
    assert_ne!(second.id, first.id);
    let suffix = second
        .reference
        .strip_prefix(&format!("{}-", first.reference));
    assert_eq!(suffix.map(str::len), Some(4), "{}", second.reference);
    assert!(tagged(&world, &first.reference).starts_with(&first.id));

    let again = world.build().await;
    assert_eq!(
        summary(&again),
        "The image was already built and in the cluster"
    );
    assert_eq!(world.room.proven(&name("backend")), Some(second));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_history_and_build_output_in_the_context_are_pointed_out_before_a_build() {
    let Some(world) = World::new(Cli::WithBuildx, &["backend"], OK, "").await else {
        return;
    };
    let root = world.project.root.join("backend");
    for folder in [".git", "node_modules/left-pad"] {
        fs::create_dir_all(root.join(folder)).expect("made");
    }
    fs::write(root.join(".env"), "KEY=value\n").expect("written");
    fs::write(root.join(".env.example"), "KEY=\n").expect("written");
    world.room.recheck();
    let warned = |state: &PanelState| {
        let report = state.image_reports.get(&name("backend"))?;
        let codes = report
            .checks
            .iter()
            .filter_map(|check| match &check.verdict {
                ImageVerdict::Found(finding) if check.id.starts_with("context-") => {
                    Some((finding.code.clone(), format!("{:?}", finding.evidence)))
                }
                _ => None,
            });
        Some(codes.collect::<Vec<_>>())
    };
    world
        .until("the warnings", |state| {
            warned(state).is_some_and(|codes| codes.len() == 3)
        })
        .await;
    let codes = world.read(warned).expect("a report");
    assert_eq!(
        codes
            .iter()
            .map(|(code, _)| code.as_str())
            .collect::<Vec<_>>(),
        [
            "CONTEXT_SECRET_FILE",
            "CONTEXT_HAS_GIT",
            "CONTEXT_HAS_BUILD_OUTPUT"
        ]
    );
    assert!(codes[0].1.contains(".env"), "{codes:?}");
    assert!(!codes[0].1.contains("example"), "{codes:?}");

    fs::write(root.join(".dockerignore"), ".env\n.git\nnode_modules\n").expect("written");
    world.room.recheck();
    world
        .until("they are gone", |state| {
            warned(state).is_some_and(|codes| codes.is_empty())
        })
        .await;
    world.end().await;
}

impl World {
    /// The tag that follows from the sources as they are now.
    async fn tag(&self, component: &str) -> String {
        let tag = |state: &app::model::PanelState| match &state
            .image_reports
            .get(&world::name(component))?
            .sources
        {
            SourcesView::Read(preview) if !preview.tag.is_empty() => Some(preview.tag.clone()),
            _ => None,
        };
        self.until("the sources are read", |state| tag(state).is_some())
            .await;
        self.read(tag).expect("it is there")
    }
}
