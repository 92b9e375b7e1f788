//! The one build tool. `cargo xtask serve` runs Slipway, `cargo xtask test` proves it;
//! each sets up what is missing, says so, and is quick when nothing is.

mod assets;
mod command;
mod docker;
mod machine;
mod peer;
mod tests;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::command::{PACKAGES, cargo};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and tests Slipway")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build what is missing and start Slipway with the bundled example (or what the arguments say)
    Serve {
        /// Arguments for `slipway serve`, such as `--project DIR` or `--no-open`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Lint, then run every test: unit, integration, the example project's own, and the browser's
    Test {
        /// Only one part of it
        #[arg(value_enum)]
        part: Option<tests::Part>,
        /// For the browser's part: what Playwright shall run, such as `walk.spec.ts`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build target/release/slipway: one self-contained binary with the web assets inside
    Build,
    /// Write style/slipway.css anew from the sources
    Css {
        /// Only tell whether it is up to date
        #[arg(long)]
        check: bool,
    },
    /// Formatting, clippy for the server and for the browser
    Lint,
    /// Run the real kubectl and helm through everything a cluster has to answer
    Conformance {
        /// Only write the suite's image to this archive, to load it into a cluster
        #[arg(long, value_name = "FILE", exclusive = true)]
        save_image: Option<std::path::PathBuf>,
        #[command(flatten)]
        on: OnCluster,
    },
    /// Run the deploy suites, raw and by Helm, on a cluster
    Deploys(OnCluster),
    /// Get the real helm 3, helm 4, kubectl and Docker for the tests; prints the tools' folder
    Tools,
}

/// Which cluster a suite runs on.
#[derive(Debug, clap::Args)]
struct OnCluster {
    /// A cluster's kubeconfig; without one, a new practice cluster is tried
    #[arg(long, requires = "context")]
    kubeconfig: Option<std::path::PathBuf>,
    /// A context of that kubeconfig
    #[arg(long)]
    context: Option<String>,
    /// An image on that cluster for the cases that run containers
    #[arg(long)]
    image: Option<String>,
    /// Only conformance cases whose name contains this
    #[arg(long)]
    only: Option<String>,
}

impl OnCluster {
    fn settings(self) -> [(&'static str, Option<String>); 4] {
        let kubeconfig = self.kubeconfig.map(|path| path.display().to_string());
        [
            ("SLIPWAY_TEST_KUBECONFIG", kubeconfig),
            ("SLIPWAY_TEST_CONTEXT", self.context),
            ("SLIPWAY_TEST_IMAGE", self.image),
            ("SLIPWAY_TEST_CASES", self.only),
        ]
    }
}

fn main() -> Result<()> {
    match Cli::parse().verb {
        Verb::Serve { args } => serve(&args),
        Verb::Test { part, args } => tests::run(part, &args),
        Verb::Build => build(),
        Verb::Css { check: true } => assets::check_css(),
        Verb::Css { check: false } => assets::write_css(),
        Verb::Lint => tests::lint(),
        Verb::Conformance {
            save_image: Some(archive),
            ..
        } => tests::save_conformance_image(&archive),
        Verb::Conformance { on, .. } => tests::conformance(&on.settings()),
        Verb::Deploys(on) => tests::deploys(&on.settings()),
        Verb::Tools => {
            docker::ensure_docker();
            println!("{}", std::path::absolute(tools::ensure_tools()?)?.display());
            Ok(())
        }
    }
}

fn serve(args: &[String]) -> Result<()> {
    assets::build_site()?;
    cargo(["build"]).args(PACKAGES).run("Build the server")?;
    let mut slipway = command::Step::new(machine::target_dir().join("debug/slipway"));
    slipway = slipway.arg("serve");
    if !args.iter().any(|arg| arg.starts_with("--project")) {
        slipway = slipway.args(["--project", "examples/todo-chatbot"]);
    }
    slipway.args(args).replace_this_process()
}

fn build() -> Result<()> {
    assets::build_site()?;
    cargo(["build", "--release"])
        .args(PACKAGES)
        .run("Build the release binary")?;
    println!(
        "Built {}",
        machine::target_dir().join("release/slipway").display()
    );
    Ok(())
}
