//! What this machine has, and how to get what it lacks: only through the package managers
//! that are there anyway (rustup, npm, apt).

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::{Step, cargo};

/// Cargo's target folder, as cargo itself will see it.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// The compiler's wasm32 target, added through rustup when it is missing.
pub fn ensure_wasm_target() -> Result<()> {
    let sysroot = Step::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap_or_default();
    if Path::new(sysroot.trim())
        .join("lib/rustlib/wasm32-unknown-unknown")
        .is_dir()
    {
        return Ok(());
    }
    Step::new("rustup")
        .args(["target", "add", "wasm32-unknown-unknown"])
        .run("Add the compiler's wasm32 target")
        .map_err(|error| error.context("the browser half is compiled to WebAssembly; `rustup target add wasm32-unknown-unknown` must work here"))
}

/// The npm packages of `end2end/` (Tailwind and Playwright), exactly as locked.
pub fn ensure_npm_packages() -> Result<()> {
    let lock = Path::new("end2end/package-lock.json");
    let installed = Path::new("end2end/node_modules/.package-lock.json");
    let is_newer = |a: &Path, b: &Path| {
        Some(a.metadata().ok()?.modified().ok()? >= b.metadata().ok()?.modified().ok()?)
    };
    if is_newer(installed, lock) == Some(true) {
        return Ok(());
    }
    if Step::new("npm").arg("--version").output().is_none() {
        bail!("npm is missing: install Node.js 20 or newer, then run this again");
    }
    // Not `npm ci`: it refuses a lock file that lacks the optional packages of other platforms,
    // and npm itself writes such files. With a lock file, `install` takes its versions too.
    Step::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .dir("end2end")
        .run("Install the npm packages of end2end/")
}

/// A Chromium to test with.
pub fn ensure_chromium() -> Result<PathBuf> {
    let find = || {
        [
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/usr/bin/google-chrome",
        ]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
    };
    if let Some(path) = env::var_os("SLIPWAY_CHROMIUM")
        .map(PathBuf::from)
        .or_else(find)
    {
        return Ok(path);
    }
    apt_install(
        "Install Chromium for the browser tests",
        &["chromium", "fonts-liberation"],
    )?;
    match find() {
        Some(path) => Ok(path),
        None => bail!("no Chromium found: install one and set SLIPWAY_CHROMIUM to its path"),
    }
}

/// A PostgreSQL server's programs, for the example project's tests and those of live tests.
pub fn ensure_postgres() -> Result<()> {
    let has_server = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|versions| {
        versions
            .flatten()
            .any(|version| version.path().join("bin/initdb").exists())
    });
    if has_server || Step::new("initdb").arg("--version").output().is_some() {
        return Ok(());
    }
    apt_install("Install PostgreSQL for the tests", &["postgresql"])
}

/// `cargo nextest` where it is installed, else plain `cargo test`: the same tests.
pub fn test_runner() -> Vec<&'static str> {
    if cargo(["nextest", "--version"]).output().is_some() {
        vec!["nextest", "run"]
    } else {
        vec!["test"]
    }
}

/// Whether a program of this name is on the `PATH`.
pub fn has(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

pub fn is_root() -> bool {
    Step::new("id")
        .arg("-u")
        .output()
        .is_some_and(|uid| uid.trim() == "0")
}

/// Installs Debian packages, with sudo where that takes it.
pub fn apt_install(what: &str, packages: &[&str]) -> Result<()> {
    if Step::new("apt-get").arg("--version").output().is_none() {
        bail!(
            "{what}: this is not a Debian system; install {} with your package manager",
            packages.join(", ")
        );
    }
    let apt = || {
        if is_root() {
            Step::new("apt-get")
        } else {
            Step::new("sudo").arg("apt-get")
        }
    };
    let apt = || apt().env("DEBIAN_FRONTEND", "noninteractive");
    apt()
        .args(["update", "--quiet"])
        .run("Refresh the package lists")?;
    apt()
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .run(what)
}
