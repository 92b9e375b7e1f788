//! The images room on clusters of all kinds around a real Docker Engine: what is built, where it
//! goes, and whether it is there. minikube, kind and k3d are stand-ins that speak their formats.

mod unchanged;
mod ways;
mod world;

use std::fs;
use std::time::Duration;

use app::model::{BuildStepState, Builder, ImageState, LogQuestion, Outcome, StageState};
use app::ports::Images;
use serde_json::json;

use world::{Cli, TOKEN, World, builders, in_cluster, name};

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
