//! Runs one tool and says what is going on; a failure names the command and what it was for.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// A command to run from the top of the repository.
#[derive(Debug)]
pub struct Step(Command);

impl Step {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Command::new(program))
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Self {
        self.0.envs(variables);
        self
    }

    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.0.current_dir(dir);
        self
    }

    /// Runs it to the end, with its output on this terminal.
    pub fn run(mut self, what: &str) -> Result<()> {
        eprintln!("==> {what}");
        let started = Instant::now();
        let status = self
            .0
            .status()
            .with_context(|| format!("{what}: could not start {:?}", self.0.get_program()))?;
        if !status.success() {
            bail!("{what} failed ({status}): {:?}", self.0);
        }
        let took = started.elapsed().as_secs_f32();
        if took > 2.0 {
            eprintln!("    {what}: {took:.0} s");
        }
        Ok(())
    }

    /// Becomes the command, so that signals and the exit code are its own.
    pub fn replace_this_process(mut self) -> Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let error = self.0.exec();
            Err(error).with_context(|| format!("could not start {:?}", self.0.get_program()))
        }
        #[cfg(not(unix))]
        {
            let status = self
                .0
                .status()
                .with_context(|| format!("could not start {:?}", self.0.get_program()))?;
            std::process::exit(status.code().unwrap_or(1));
        }
    }

    /// What it prints on stdout; none when it is not there or fails.
    pub fn output(mut self) -> Option<String> {
        let output = self.0.output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Slipway's packages, always named together: another selection changes the features of shared
/// crates and rebuilds them.
pub const PACKAGES: [&str; 6] = ["-p", "app", "-p", "practice", "-p", "server"];

/// A cargo that does not inherit what the outer `cargo run` set for this crate: build scripts watch
/// these variables and would rebuild half of the tree whenever one alternates with the other.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Step {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (key, _) in env::vars_os() {
        let key = key.to_string_lossy();
        let ours = key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_");
        if ours || key == "CARGO_CRATE_NAME" || key == "CARGO_BIN_NAME" {
            command.env_remove(key.as_ref());
        }
    }
    command.args(args);
    Step(command)
}
