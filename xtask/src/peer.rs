//! The official A2A SDK in a Python environment of its own, for the test that talks to a real peer.
//! Every package is pinned by its hash.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::Step;
use crate::machine::apt_install;

const REQUIREMENTS: &str = "server/tests/peers/a2a/requirements.txt";
/// The environment's folder among the tools.
const FOLDER: &str = "a2a";
/// A copy of what was installed, written when all of it was.
const INSTALLED: &str = "requirements.txt";

/// Whether the environment is there, with the packages that are wanted.
pub fn is_there(tools: &Path) -> bool {
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let installed = read(tools.join(FOLDER).join(INSTALLED));
    installed.is_some() && installed == read(REQUIREMENTS.into())
}

/// Makes the environment anew.
pub fn install(tools: &Path) -> Result<()> {
    let folder = std::path::absolute(tools.join(FOLDER))?;
    let make = |python: &str| {
        // What an earlier try left, or other packages.
        let _ = fs::remove_dir_all(&folder);
        Step::new(python)
            .args(["-m", "venv"])
            .arg(&folder)
            .run("Make a Python environment for the A2A peer")
    };
    if make("python3").is_err() {
        apt_install(
            "Install Python for the A2A peer",
            &["python3", "python3-venv"],
        )?;
        make("/usr/bin/python3")?;
    }
    Step::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--require-hashes"])
        .args(["--no-deps", "--only-binary", ":all:"])
        .args(["--disable-pip-version-check", "--requirement", REQUIREMENTS])
        .run("Get the A2A SDK")
        .context("pip and its registry must work here")?;
    fs::copy(REQUIREMENTS, folder.join(INSTALLED))?;
    Ok(())
}
