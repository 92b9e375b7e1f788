//! `slipway.toml`: what is read, and where each mistake is said to be.

use std::fs;
use std::path::{Path, PathBuf};

use app::model::{Finding, NextAction, SecretKind};
use server::project::{Expose, Project};
use tempfile::TempDir;

const GOOD: &str = r#"
[project]
name = "shop"

[[component]]
name = "backend"
port = 8000
context = "backend"
probes = { liveness = "/health" }
size_budget = "200MB"

[component.pack]
build = ["cargo", "build"]
binary = "target/release/backend"
files = { "assets" = "/app/assets" }

[[component]]
name = "web"
image = "shop-frontend"
context = "web"
port = 3000
expose = "LoadBalancer"

[[secret]]
key = "TOKEN"
kind = "random"
min_length = 40
components = ["backend"]

[[secret]]
key = "KEY"
optional = true
"#;

fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["backend", "web"] {
        fs::create_dir(folder.path().join(name)).expect("created");
    }
    fs::write(folder.path().join("slipway.toml"), text).expect("written");
    folder
}

fn load(text: &str) -> Result<Project, Finding> {
    let folder = folder(text);
    Project::load(folder.path())
}

fn refused(text: &str) -> Finding {
    load(text).expect_err("the file has a mistake")
}

fn advice(finding: &Finding) -> String {
    match &finding.next[0] {
        NextAction::Advice { text } => text.clone(),
        other => panic!("advice was due, not {other:?}"),
    }
}

#[test]
fn everything_a_file_says_is_read() {
    let project = load(GOOD).expect("a good file");
    let spec = project.spec();
    assert_eq!(spec.namespace.as_str(), "shop");
    assert_eq!(spec.secret_name, "shop-secrets");
    let backend = &spec.components[0];
    assert_eq!(backend.image, "shop-backend");
    assert_eq!(backend.size_budget_bytes, Some(200_000_000));
    assert_eq!(backend.probes.liveness.as_deref(), Some("/health"));
    let pack = backend.pack.as_ref().expect("a recipe");
    assert_eq!(pack.files[&PathBuf::from("assets")], "/app/assets");
    assert_eq!(spec.components[1].expose, Expose::LoadBalancer);
    assert_eq!(spec.components[1].image, "shop-frontend");
    assert_eq!(spec.secrets[0].kind, SecretKind::Random { min_length: 40 });
    assert!(spec.secrets[1].optional);
    assert_eq!(
        spec.secrets[1].components.len(),
        2,
        "without names it is for all"
    );
    assert!(project.view().components[1].exposed);
    assert!(
        spec.component_of_image("shop-frontend:abc")
            .is_some_and(|c| c.name.as_str() == "web")
    );
}

#[test]
fn an_unknown_key_is_found_with_line_column_and_suggestion() {
    let finding = refused(&GOOD.replace("context = \"web\"", "contxt = \"web\""));
    assert_eq!(finding.code, "PROJECT_UNKNOWN_KEY");
    assert!(finding.what.contains("`contxt`"));
    assert!(finding.why.contains("slipway.toml:20:1"), "{}", finding.why);
    assert_eq!(advice(&finding), "Did you mean `context`?");
    assert!(finding.evidence[0].text.contains("^^^^^^"));
    // Something far from every key lists them instead.
    let finding = refused(&GOOD.replace("port = 3000", "port = 3000\nzzz = 1"));
    assert!(advice(&finding).contains("size_budget"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = GOOD
        .replace("port = 8000", "port = 70000")
        .replace("expose = \"LoadBalancer\"", "expose = \"loadbalancer\"");
    let finding = refused(&text);
    assert!(finding.what.contains("`port`"));
    assert_eq!(finding.evidence.len(), 2);
    assert!(finding.evidence[1].text.contains("LoadBalancer"));
}

#[test]
fn every_kind_of_mistake_has_its_code() {
    let change = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replace(from, to)
    };
    let cases = [
        ("[project\nname = 1".to_owned(), "PROJECT_SYNTAX"),
        (String::new(), "PROJECT_MISSING_KEY"),
        (change("name = \"shop\"", ""), "PROJECT_MISSING_KEY"),
        (change("port = 8000", ""), "PROJECT_MISSING_KEY"),
        (
            change("binary = \"target/release/backend\"", ""),
            "PROJECT_MISSING_KEY",
        ),
        (
            change("port = 8000", "port = \"8000\""),
            "PROJECT_WRONG_VALUE",
        ),
        (change("port = 8000", "port = 0"), "PROJECT_WRONG_VALUE"),
        (change("\"200MB\"", "\"200 apples\""), "PROJECT_WRONG_VALUE"),
        (change("\"/health\"", "\"health\""), "PROJECT_WRONG_VALUE"),
        (
            change("name = \"backend\"", "name = \"Back_End\""),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("key = \"TOKEN\"", "key = \"1TOKEN\""),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("kind = \"random\"", "kind = \"radnom\""),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("[\"backend\"]", "[\"bakend\"]"),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("shop-frontend", "shop-frontend:latest"),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("\"/app/assets\"", "\"app/../assets\""),
            "PROJECT_WRONG_VALUE",
        ),
        (
            change("name = \"web\"", "name = \"backend\""),
            "PROJECT_DUPLICATE",
        ),
        (
            change("key = \"KEY\"", "key = \"TOKEN\""),
            "PROJECT_DUPLICATE",
        ),
        (
            change("context = \"web\"", "context = \"gone\""),
            "PROJECT_MISSING_PATH",
        ),
        (
            format!("{GOOD}\n[deploy]\nmanifests = \"k8s\""),
            "PROJECT_MISSING_PATH",
        ),
        (
            change(
                "[[component]]\nname = \"web\"",
                "[component]\nname = \"web\"",
            ),
            "PROJECT_SYNTAX",
        ),
    ];
    for (text, code) in cases {
        let finding = refused(&text);
        assert_eq!(
            finding.code, code,
            "{}: {}\n{text}",
            finding.what, finding.why
        );
        assert!(!finding.next.is_empty(), "{code} says what to do");
    }
}

#[test]
fn a_folder_without_the_file_is_no_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let finding = Project::load(folder.path()).expect_err("nothing is here");
    assert_eq!(finding.code, "PROJECT_NOT_FOUND");
    let finding = Project::load(Path::new("/no/such/folder")).expect_err("nothing is there");
    assert_eq!(finding.code, "PROJECT_NOT_FOUND");
    assert!(!Project::is_in(folder.path()));
}

#[test]
fn a_broken_change_keeps_the_last_good_reading() {
    let folder = folder(GOOD);
    let project = Project::load(folder.path()).expect("a good file");
    assert_eq!(project.reload(), Ok(false));
    let file = folder.path().join("slipway.toml");
    fs::write(&file, "[project").expect("written");
    assert_eq!(
        project.reload().map_err(|finding| finding.code),
        Err("PROJECT_SYNTAX".to_owned())
    );
    assert_eq!(project.spec().name, "shop");
    fs::write(&file, GOOD.replace("\"shop\"", "\"stall\"")).expect("written");
    assert_eq!(project.reload(), Ok(true));
    assert_eq!(project.spec().name, "stall");
}

#[test]
fn any_text_is_answered_and_never_panics() {
    for text in [
        "\u{0}",
        "é = 1\nü = \"",
        "[[secret]]\nkey = 3",
        "component = 3",
        "[[project]]\nname=\"a\"",
        "a.b.c = [1, {x = 2}]",
    ] {
        refused(text);
    }
}

#[test]
fn the_bundled_example_is_a_good_project() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    let project = Project::load(&example).expect("the example loads");
    assert_eq!(project.spec().components.len(), 2);
    assert!(
        project
            .spec()
            .components
            .iter()
            .all(|component| component.pack.is_some())
    );
}

#[test]
fn the_example_of_another_stack_is_a_good_project() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fastapi-nextjs");
    let project = Project::load(&example).expect("the example loads");
    let ports: Vec<u16> = project
        .spec()
        .components
        .iter()
        .map(|component| component.port)
        .collect();
    assert_eq!(ports, [8000, 3000]);
}

#[test]
fn the_reference_names_every_key_and_its_example_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/slipway-toml.md");
    let text = fs::read_to_string(path).expect("the reference");
    let (_, example) = text.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["backend", "k8s", "chart"] {
        fs::create_dir(folder.path().join(name)).expect("created");
    }
    for name in ["backend/Dockerfile", "chart/values-minikube.yaml"] {
        fs::write(folder.path().join(name), "").expect("written");
    }
    fs::write(folder.path().join("slipway.toml"), example).expect("written");
    Project::load(folder.path()).expect("the reference's example loads");

    // An unknown key of each table makes the parser list the ones it knows.
    let tables = [
        "[project]\nname = \"a\"",
        "[[component]]\nname = \"a\"",
        "[[component]]\nname = \"a\"\nport = 1\n[component.pack]\nbinary = \"b\"",
        "[[secret]]\nkey = \"A\"",
        "[deploy]",
    ];
    for table in tables {
        let finding = refused(&format!("{table}\nqqqqqqqqqq = 1"));
        let advice = std::iter::once(advice(&finding))
            .chain(
                finding
                    .evidence
                    .iter()
                    .map(|evidence| evidence.text.clone()),
            )
            .find(|text| text.contains("Known keys of"))
            .unwrap_or_else(|| panic!("{table}: {finding:?}"));
        let (_, keys) = advice.split_once(" are ").expect("the list");
        for key in keys.trim_end_matches('.').split(", ") {
            assert!(
                text.contains(&format!("`{key}`")),
                "the reference lacks `{key}` of {table}"
            );
        }
    }
}
