//! Builds in all their states.

use std::collections::BTreeMap;

use app::model::*;

use crate::fixtures::{NOW, ago, fresh, healthy};

fn name(component: &str) -> ComponentName {
    component.parse().expect("a name")
}

/// Stage, place in it, instruction.
type Label<'l> = (Option<&'l str>, Option<(u32, u32)>, &'l str);

fn step(number: u32, label: Label<'_>, state: BuildStepState) -> BuildStep {
    BuildStep {
        number,
        stage: label.0.map(str::to_owned),
        place: label.1,
        name: label.2.to_owned(),
        state,
        moved: None,
    }
}

fn moved(step: BuildStep, done: u64, total: Option<u64>) -> BuildStep {
    BuildStep {
        moved: Some(Moved { done, total }),
        ..step
    }
}

fn build(component: &str, steps: Vec<BuildStep>) -> (ComponentName, BuildView) {
    let view = BuildView {
        component: name(component),
        run: RunId(7),
        engine: "BuildKit, buildx 0.13.1".into(),
        goes: "into the docker daemon of minikube profile demo".into(),
        steps,
        left_out: 0,
    };
    (name(component), view)
}

fn prepared() -> Vec<BuildStep> {
    let done = |took_ms| BuildStepState::Done { took_ms };
    vec![
        step(
            1,
            (
                Some("internal"),
                None,
                "load build definition from Dockerfile",
            ),
            done(40),
        ),
        step(2, (Some("internal"), None, "load .dockerignore"), done(30)),
        moved(
            step(
                3,
                (Some("internal"), None, "load build context"),
                done(1_240),
            ),
            18_400_000,
            None,
        ),
        step(
            4,
            (
                Some("build"),
                Some((1, 4)),
                "FROM docker.io/library/rust:1.95-slim-bookworm@sha256:0a1b",
            ),
            BuildStepState::Cached,
        ),
        step(
            5,
            (Some("build"), Some((2, 4)), "WORKDIR /src"),
            BuildStepState::Cached,
        ),
        step(
            6,
            (Some("build"), Some((3, 4)), "COPY Cargo.toml Cargo.lock ./"),
            BuildStepState::Cached,
        ),
    ]
}

/// Both components are being built.
pub fn going() -> BTreeMap<ComponentName, BuildView> {
    let mut backend = prepared();
    let since = ago(42_000);
    backend.extend([
        step(7, (Some("build"), Some((4, 4)), "RUN --mount=type=cache,target=/usr/local/cargo/registry cargo build --release --locked --bin todo-backend"), BuildStepState::Running { since }),
        moved(step(8, (Some("stage-1"), Some((1, 2)), "FROM docker.io/library/debian:bookworm-slim"), BuildStepState::Running { since: ago(9_000) }), 12_300_000, Some(28_100_000)),
        step(9, (Some("stage-1"), Some((2, 2)), "COPY --from=build /src/target/release/todo-backend /app/todo-backend"), BuildStepState::Waiting),
        step(10, (None, None, "exporting to image"), BuildStepState::Waiting),
    ]);
    BTreeMap::from([build("backend", backend), build("frontend", prepared())])
}

fn run(backend: StageState, outcome: Outcome) -> RunView {
    let stage = |component: &str, id: &str, title: &str, state| Stage {
        id: format!("{component}/{id}"),
        title: title.to_owned(),
        component: Some(name(component)),
        state,
    };
    let done = |note: &str| StageState::Succeeded {
        took_ms: 21_000,
        note: note.into(),
    };
    RunView {
        id: RunId(7),
        kind: RunKind::Build,
        started: ago(60_000),
        stages: vec![
            stage("backend", "build", "Build backend", backend),
            stage(
                "frontend",
                "build",
                "Build frontend",
                done("todo-frontend:3f9a0c12be77, 24 MB"),
            ),
            stage(
                "frontend",
                "load",
                "Put frontend into the cluster",
                StageState::Skipped {
                    why: "built where the cluster takes its images from".into(),
                },
            ),
            stage(
                "frontend",
                "prove",
                "Find frontend in the cluster",
                done("todo-frontend:3f9a0c12be77 is in the cluster"),
            ),
        ],
        tail: vec![LogLine {
            at: NOW,
            stage: "backend/build".into(),
            text: "#7 error[E0308]: mismatched types".into(),
        }],
        lines: 1,
        ending: Some(Ending {
            at: ago(20_000),
            outcome,
        }),
    }
}

/// One Dockerfile failed, the other image is there.
pub fn failed() -> PanelState {
    let finding = Finding::new(
        "BUILD_FAILED",
        "backend was not built",
        "The step RUN cargo build --release of stage build failed: error[E0308]: mismatched types.",
    )
    .next(NextAction::Do {
        action: Remedy::BuildImages,
        label: "Build again".into(),
    })
    .next(NextAction::advice(
        "Mend the source; the run's log has the whole message",
    ))
    .evidence("Dockerfile, line 9", "RUN cargo build --release")
    .evidence(
        "What the step printed last",
        "error[E0308]: mismatched types\n  --> src/main.rs:14:5",
    );
    let mut state = fresh();
    state.runs.insert(
        RunId(7),
        run(
            StageState::Failed {
                took_ms: 31_000,
                finding: Box::new(finding.clone()),
            },
            Outcome::Failed {
                finding: Box::new(finding),
            },
        ),
    );
    let mut backend = prepared();
    backend.push(step(7, (Some("build"), Some((4, 4)), "RUN cargo build --release"), BuildStepState::Failed { took_ms: 29_400, why: "process \"/bin/sh -c cargo build --release\" did not complete successfully: exit code: 101".into() }));
    backend.push(step(
        8,
        (None, None, "exporting to image"),
        BuildStepState::Stopped,
    ));
    state.builds = BTreeMap::from([build("backend", backend)]);
    state
}

/// Nothing had to be built: both images of these sources are in the cluster.
pub fn unchanged() -> PanelState {
    let mut state = healthy();
    let outcome = Outcome::Succeeded {
        summary: "2 images were already built and in the cluster".into(),
    };
    let skipped = |why: &str| StageState::Skipped { why: why.into() };
    let mut run = run(skipped(""), outcome);
    run.stages = ["backend", "frontend"]
        .iter()
        .flat_map(|component| {
            let reference = format!("todo-{component}:3f9a0c12be77");
            let stage = |id: &str, title: String, state| Stage {
                id: format!("{component}/{id}"),
                title,
                component: Some(name(component)),
                state,
            };
            [
                stage(
                    "build",
                    format!("Build {component}"),
                    skipped(&format!("the sources are those of {reference}")),
                ),
                stage(
                    "load",
                    format!("Put {component} into the cluster"),
                    skipped("it is in the cluster already"),
                ),
                stage(
                    "prove",
                    format!("Find {component} in the cluster"),
                    StageState::Succeeded {
                        took_ms: 40,
                        note: format!("{reference} is in the cluster: its ID was read back from the docker daemon of minikube profile demo"),
                    },
                ),
            ]
        })
        .collect();
    state.runs.insert(RunId(7), run);
    state.builds = BTreeMap::from([build("backend", prepared())]);
    state
}

/// One image was pruned from the cluster, the build of the other was cancelled.
pub fn lost() -> PanelState {
    let mut state = healthy();
    for view in &mut state.images {
        if view.component.as_str() == "frontend"
            && let ImageState::InCluster { image, proved } = view.state.clone()
        {
            view.state = ImageState::NotInCluster {
                image,
                lost: Some(proved),
            };
            view.proof.clear();
        }
    }
    let summary = "1 image is built and in the cluster; the build of backend was cancelled";
    let outcome = Outcome::Succeeded {
        summary: summary.into(),
    };
    state
        .runs
        .insert(RunId(7), run(StageState::Cancelled, outcome));
    state.builds = BTreeMap::from([build("backend", prepared())]);
    state
}
