//! Every test of the repository, in the order in which they fail fastest.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

use crate::command::{PACKAGES, Step, cargo};
use crate::{assets, docker, machine, tools};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting, clippy, the style sheet
    Lint,
    /// Unit and integration tests of Slipway
    Rust,
    /// The example project's own tests, with a real PostgreSQL
    Example,
    /// The walk in a real browser
    Browser,
}

/// What the property tests start from where nobody says otherwise: the same commit has the same
/// answer every time. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
const PROPTEST_SEED: &str = "1";

pub fn run(part: Option<Part>, playwright: &[String]) -> Result<()> {
    let wants = |candidate: Part| part.is_none_or(|part| part == candidate);
    if wants(Part::Lint) {
        lint()?;
        assets::check_css()?;
    }
    if wants(Part::Rust) {
        machine::ensure_postgres()?;
        let tools = std::path::absolute(tools::ensure_tools()?)?;
        cargo(machine::test_runner())
            .args(PACKAGES)
            .env("SLIPWAY_TEST_TOOLS", tools)
            .env(
                "PROPTEST_RNG_SEED",
                std::env::var("PROPTEST_RNG_SEED").unwrap_or_else(|_| PROPTEST_SEED.to_owned()),
            )
            .envs(docker::ensure_docker())
            .run("Unit and integration tests")?;
    }
    if wants(Part::Example) {
        machine::ensure_postgres()?;
        for component in ["backend", "frontend"] {
            cargo(machine::test_runner())
                .dir(format!("examples/todo-chatbot/{component}"))
                .run(&format!("Tests of the example's {component}"))?;
        }
    }
    if wants(Part::Browser) {
        browser(playwright)?;
    }
    Ok(())
}

/// The practice cluster's conformance suite, or the same list on the cluster the settings name.
pub fn conformance(settings: &[(&str, Option<String>)]) -> Result<()> {
    suite("conformance", &[], settings)
}

/// Writes the image of the conformance suite's pods as an archive.
pub fn save_conformance_image(archive: &Path) -> Result<()> {
    // The suite runs in its package's folder.
    let archive = std::path::absolute(archive)?.display().to_string();
    conformance(&[("SLIPWAY_TEST_SAVE_IMAGE", Some(archive))])
}

/// The deploy suites, raw and by Helm, on a practice cluster or on the one the settings name.
pub fn deploys(settings: &[(&str, Option<String>)]) -> Result<()> {
    suite("it", &DEPLOYS, settings)
}

/// The modules of the server's integration tests that work on any cluster.
const DEPLOYS: [&str; 4] = [
    "deploy_on_practice::",
    "deploy_steering::",
    "helm_releases::",
    "preview::",
];

fn suite(test: &str, filters: &[&str], settings: &[(&str, Option<String>)]) -> Result<()> {
    let tools = std::path::absolute(tools::ensure_tools()?)?;
    let mut suite = cargo(["test"])
        .args(PACKAGES)
        .args(["--test", test, "--", "--nocapture"])
        .args(filters)
        .env("SLIPWAY_TEST_TOOLS", tools);
    for (name, value) in settings {
        if let Some(value) = value {
            suite = suite.env(name, value);
        }
    }
    suite.run(&format!("Suite {test}"))
}

/// Formatting and clippy, warnings denied.
pub fn lint() -> Result<()> {
    cargo(["fmt", "--all", "--check"]).run("Formatting")?;
    cargo(["clippy", "--all-targets"])
        .args(PACKAGES)
        .args(["--", "-D", "warnings"])
        .run("Clippy, server side")?;
    machine::ensure_wasm_target()?;
    cargo([
        "clippy",
        "-p",
        "app",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        "wasm-release",
    ])
    .args([
        "--no-default-features",
        "--features",
        "hydrate",
        "--",
        "-D",
        "warnings",
    ])
    .run("Clippy, browser side")
}

fn browser(args: &[String]) -> Result<()> {
    assets::build_site()?;
    // The programs that stand in for others are examples.
    cargo(["build", "--bins"])
        .args(["--example", "standin-minikube", "--example", "test-dockerd"])
        .args(PACKAGES)
        .run("Build the server")?;
    machine::ensure_npm_packages()?;
    let chromium = machine::ensure_chromium()?;
    Step::new("npx")
        .args(["--no-install", "playwright", "test"])
        .args(args)
        .dir("end2end")
        .env(
            "SLIPWAY_TEST_TOOLS",
            std::path::absolute(tools::ensure_tools()?)?,
        )
        .envs(docker::ensure_docker())
        .env("SLIPWAY_CHROMIUM", chromium)
        .env(
            "SLIPWAY_BINARY",
            std::path::absolute(machine::target_dir().join("debug/slipway"))?,
        )
        .run("The walk in a real browser")
}
