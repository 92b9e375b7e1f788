//! What is written on a yes: nothing before it, nothing over what exists, and good by every rule there
//! is: Slipway's own, helm's and the API server's.

use std::fs;
use std::process::Command;

use app::model::{AdoptPreview, AdoptWish, ComponentPart, Draft, Guess, NewFile, Spot};
use practice::{PracticeCluster, PracticeConfig};
use server::adopt::{preview, write_wish};
use server::deploy::policy::{self, Item, World};
use server::images::report::{dockerfile, hints};
use server::project::Project;

use super::samples::*;
use super::{Sample, names};
use crate::real_tools;

/// The samples that have no Dockerfile, manifest or chart of their own.
fn bare() -> Vec<(&'static str, Sample)> {
    vec![
        ("workspaces", npm_workspaces()),
        ("fastapi and next", fastapi_and_next()),
        ("cargo", cargo_workspace()),
        ("go", go_module()),
        ("static", static_page()),
        (
            "flask",
            Sample::new(&[
                (
                    "pyproject.toml",
                    "[project]\nname = \"f\"\ndependencies = [\"flask\"]\n",
                ),
                ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ]),
        ),
        (
            "express without a lock file",
            Sample::new(&[
                (
                    "package.json",
                    "{\"name\": \"e\", \"dependencies\": {\"express\": \"5\"}, \"scripts\": {\"start\": \"node --enable-source-maps index.js\"}}",
                ),
                ("index.js", "app.listen(3000)\n"),
                (".env.example", "SESSION_SECRET=\n"),
            ]),
        ),
    ]
}

fn files(preview: &AdoptPreview) -> impl Iterator<Item = &NewFile> {
    preview.offers.iter().flat_map(|offer| &offer.files)
}

fn everything(sample: &Sample) -> (AdoptWish, AdoptPreview) {
    let (wish, preview) = sample.with_everything(&sample.propose().draft);
    assert_eq!(preview.problem, None, "{}", preview.toml);
    (wish, preview)
}

#[test]
fn nothing_is_written_before_the_yes_and_then_it_is_a_project_that_loads() {
    let samples = bare().into_iter().chain([
        ("compose", compose_with_two_services()),
        ("manifests", manifests_only()),
        ("chart", chart_only()),
    ]);
    for (name, sample) in samples {
        let before = sample.files();
        let (wish, preview) = everything(&sample);
        assert_eq!(sample.files(), before, "{name}: looking writes nothing");
        write_wish(&sample.root(), &wish, "another").expect_err("that was not shown");
        assert_eq!(sample.files(), before, "{name}");
        let written = write_wish(&sample.root(), &wish, &preview.hash).expect("written");
        assert_eq!(
            written.files.last().map(String::as_str),
            Some("slipway.toml")
        );
        for (path, text) in &before {
            assert_eq!(
                sample.files().get(path),
                Some(text),
                "{name}: {path} is as it was"
            );
        }
        let project =
            Project::load(&sample.root()).unwrap_or_else(|finding| panic!("{name}: {finding:?}"));
        let spec = project.spec();
        assert_eq!(spec.components.len(), names(&wish.draft).len(), "{name}");
        let again = write_wish(&sample.root(), &wish, &preview.hash).expect_err("it is there");
        assert!(again.code.starts_with("ADOPT_"), "{name}: {again:?}");
    }
}

#[test]
fn every_value_in_the_file_has_its_reason_beside_it() {
    let sample = fastapi_and_next();
    let (_, preview) = everything(&sample);
    for reason in [
        "# The folder's name",
        "# uvicorn listens there",
        "# liveness: backend/app/main.py:3",
        "# Written by Slipway",
    ] {
        assert!(
            preview.toml.contains(reason),
            "{reason} in\n{}",
            preview.toml
        );
    }
}

#[test]
fn an_edit_decides_and_a_wrong_one_is_told_with_its_line() {
    let sample = fastapi_and_next();
    let mut wish = AdoptWish {
        draft: sample.propose().draft,
        chosen: vec!["manifests".to_owned()],
    };
    let port = Spot::Component(0, ComponentPart::Port);
    wish.draft.set(port, "no number", None);
    let wrong = preview(&sample.root(), &wish);
    let problem = wrong.problem.expect("a problem");
    assert!(problem.why.contains("slipway.toml:"), "{problem:?}");
    assert!(write_wish(&sample.root(), &wish, &wrong.hash).is_err());
    wish.draft.set(port, "8123", None);
    wish.draft.components[1].taken = false;
    let right = preview(&sample.root(), &wish);
    assert_eq!(right.problem, None);
    assert!(right.toml.contains("port = 8123") && !right.toml.contains("frontend"));
    let manifests = right
        .offers
        .iter()
        .find(|offer| offer.id == "manifests")
        .expect("offered");
    assert!(
        manifests
            .files
            .iter()
            .any(|file| file.text.contains("containerPort: 8123"))
    );
    // A path that leads out of the project is offered nothing.
    wish.draft.components[0].context = Guess::new("../elsewhere", "");
    assert!(preview(&sample.root(), &wish).problem.is_some());
}

#[test]
fn each_offer_is_chosen_singly_and_nothing_there_is_ever_overwritten() {
    let sample = fastapi_and_next();
    let draft = sample.propose().draft;
    let only = AdoptWish {
        draft: draft.clone(),
        chosen: vec!["dockerfile:0".to_owned()],
    };
    let shown = preview(&sample.root(), &only);
    // Made by somebody between the look and the yes.
    sample.write("backend/Dockerfile", "FROM mine:1\n");
    write_wish(&sample.root(), &only, &shown.hash).expect_err("the folder changed");
    assert_eq!(sample.read("backend/Dockerfile"), "FROM mine:1\n");
    assert!(!sample.root().join("slipway.toml").exists());
    fs::remove_file(sample.root().join("backend/Dockerfile")).expect("removed");
    let written = write_wish(&sample.root(), &only, &shown.hash).expect("written");
    assert_eq!(written.files, ["backend/Dockerfile", "slipway.toml"]);
    assert!(!sample.root().join("k8s").exists() && !sample.root().join("chart").exists());
}

#[test]
fn slipways_own_hints_have_nothing_to_say_about_generated_dockerfiles() {
    let mut seen = 0;
    for (name, sample) in bare() {
        let (wish, preview) = everything(&sample);
        for file in files(&preview).filter(|file| file.path.ends_with("Dockerfile")) {
            let port = wish
                .draft
                .components
                .iter()
                .find(|one| file.text.contains(&format!("EXPOSE {}\n", one.port.value)))
                .map(|one| one.port.value.parse().expect("a port"))
                .unwrap_or_else(|| panic!("{name} exposes its port:\n{}", file.text));
            let (hints, _) = hints::hints(&dockerfile::parse(&file.text), port, true);
            assert!(hints.is_empty(), "{name}: {hints:#?}\n{}", file.text);
            assert!(file.text.contains("\nUSER ") && file.text.matches("FROM ").count() == 2);
            seen += 1;
        }
        assert!(
            files(&preview).any(|file| file.path.ends_with(".dockerignore")),
            "{name}"
        );
    }
    assert!(seen >= 9, "{seen} Dockerfiles were made");
}

#[test]
fn slipways_own_rules_find_nothing_in_generated_manifests() {
    for (name, sample) in bare() {
        let (wish, preview) = everything(&sample);
        write_wish(&sample.root(), &wish, &preview.hash).expect("written");
        let project = Project::load(&sample.root()).expect("a project");
        let spec = project.spec();
        let shown = std::path::Path::new("k8s");
        let reading = server::deploy::manifests::read(&sample.root().join("k8s"), shown);
        assert!(
            reading.findings.is_empty(),
            "{name}: {:#?}",
            reading.findings
        );
        assert!(reading.manifests.len() > spec.components.len() * 2);
        let items: Vec<Item<'_>> = reading
            .manifests
            .iter()
            .map(|manifest| Item {
                object: &manifest.object,
                source: &manifest.source,
            })
            .collect();
        let world = World {
            project: Some(&spec),
            minor: Some(35),
            ..World::default()
        };
        let findings = policy::check(&items, &world);
        assert!(findings.is_empty(), "{name}: {findings:#?}");
    }
}

#[test]
fn a_dockerfile_that_runs_as_root_is_not_promised_to_be_something_else() {
    let sample = Sample::new(&[("Dockerfile", "FROM a:1\nEXPOSE 8000\nCMD [\"x\"]\n")]);
    let (_, preview) = everything(&sample);
    let manifest = files(&preview)
        .find(|file| file.path == "k8s/shop.yaml")
        .expect("offered");
    assert!(
        !manifest.text.contains("\n        runAsNonRoot"),
        "{}",
        manifest.text
    );
    sample.write(
        "Dockerfile",
        "FROM a:1\nEXPOSE 8000\nUSER node\nCMD [\"x\"]\n",
    );
    let (_, preview) = everything(&sample);
    let manifest = files(&preview)
        .find(|file| file.path == "k8s/shop.yaml")
        .expect("offered");
    assert!(
        manifest
            .text
            .contains("runAsNonRoot: true\n        runAsUser: 1000")
    );
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn the_real_helm_finds_nothing_wrong_with_generated_charts() {
    for (name, sample) in bare() {
        let (wish, preview) = everything(&sample);
        write_wish(&sample.root(), &wish, &preview.hash).expect("written");
        for major in [3, 4] {
            let helm = || {
                let mut helm = Command::new(real_tools::helm(major));
                helm.current_dir(sample.root()).env("HOME", sample.root());
                helm
            };
            let lint = succeeds(helm().args(["lint", "--strict", "chart"]));
            assert!(
                !lint.contains("[WARNING]") && !lint.contains("[ERROR]"),
                "{name}: {lint}"
            );
            let rendered =
                succeeds(helm().args(["template", "shop", "chart", "--namespace", "shop"]));
            for component in names(&wish.draft) {
                assert!(
                    rendered.contains(&format!("image: \"shop-{component}:dev\"")),
                    "{rendered}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_accepts_generated_manifests_and_charts() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = PracticeCluster::start(PracticeConfig::api_only(folder.path()))
        .await
        .expect("a practice API");
    let kubeconfig = cluster.kubeconfig().to_owned();
    let checked = tokio::task::spawn_blocking(move || {
        for (at, (name, sample)) in bare().into_iter().enumerate() {
            let (mut wish, _) = everything(&sample);
            let namespace = format!("shop-{at}");
            wish.draft.namespace = Guess::new(&namespace, "");
            let shown = preview(&sample.root(), &wish);
            write_wish(&sample.root(), &wish, &shown.hash).expect("written");
            let kubectl = || {
                let mut kubectl = Command::new(real_tools::kubectl());
                kubectl
                    .current_dir(sample.root())
                    .env("HOME", sample.root())
                    .arg("--kubeconfig")
                    .arg(&kubeconfig);
                kubectl
            };
            succeeds(kubectl().args(["apply", "--server-side", "-f", "k8s/00-namespace.yaml"]));
            let tried = succeeds(kubectl().args([
                "apply",
                "--server-side",
                "--dry-run=server",
                "-f",
                "k8s",
            ]));
            assert!(tried.contains("(server dry run)"), "{name}: {tried}");
            assert!(!tried.contains("Warning"), "{name}: {tried}");
            let rendered = succeeds(
                Command::new(real_tools::helm(4))
                    .current_dir(sample.root())
                    .env("HOME", sample.root())
                    .args(["template", "shop", "chart", "--namespace", &namespace]),
            );
            fs::write(sample.root().join("rendered.yaml"), rendered).expect("written");
            succeeds(kubectl().args([
                "apply",
                "--server-side",
                "--dry-run=server",
                "-f",
                "rendered.yaml",
            ]));
        }
    });
    checked.await.expect("all were tried");
    cluster.shutdown().await;
}

#[test]
fn a_draft_from_nowhere_writes_nothing_outside() {
    let sample = Sample::new(&[(
        "package.json",
        "{\"name\": \"x\", \"dependencies\": {\"next\": \"15\"}}",
    )]);
    let mut draft: Draft = sample.propose().draft;
    draft.components[0].sources = Some("../..".to_owned());
    draft.components[0].name = Guess::new("../x", "\n[evil]");
    let wish = AdoptWish {
        draft,
        chosen: vec![
            "dockerfile:0".to_owned(),
            "manifests".to_owned(),
            "../../x".to_owned(),
        ],
    };
    let shown = preview(&sample.root(), &wish);
    assert!(shown.problem.is_some());
    assert!(!shown.toml.contains("\n[evil]"));
    assert!(write_wish(&sample.root(), &wish, &shown.hash).is_err());
    assert_eq!(sample.files().len(), 1);
}
