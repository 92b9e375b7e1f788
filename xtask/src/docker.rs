//! A Docker Engine for the tests to start, and buildx for its CLI. Where they cannot be had, the
//! tests that need them say so and are skipped.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::command::Step;
use crate::machine::{apt_install, has, is_root};
use crate::tools;

/// Debian's first release that packages buildx.
const BUILDX_RELEASE: &str = "trixie";

/// What the tests are told: which parts of Docker they may count on.
pub fn ensure_docker() -> Vec<(&'static str, &'static str)> {
    let mut variables = Vec::new();
    match ensure_engine() {
        Ok(()) => variables.push(("SLIPWAY_REQUIRE_DOCKERD", "1")),
        Err(why) => {
            eprintln!("    The tests that need a Docker Engine of their own are skipped: {why:#}");
            return variables;
        }
    }
    match ensure_buildx() {
        Ok(()) => variables.push(("SLIPWAY_REQUIRE_BUILDX", "1")),
        Err(why) => eprintln!("    The tests that build with BuildKit are skipped: {why:#}"),
    }
    variables
}

fn ensure_engine() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "that takes Linux");
    ensure!(is_root(), "starting one takes root");
    if !["dockerd", "docker", "ip"]
        .iter()
        .all(|program| has(program))
    {
        apt_install(
            "Install Docker for the tests that build images",
            &["docker.io", "iptables", "iproute2"],
        )?;
    }
    engine_starts()
}

/// Whether a daemon comes up here at all: some containers and virtual machines do not let one.
fn engine_starts() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("slipway-dockerd-trial-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let socket = folder.join("docker.sock");
    let option = |name: &str, path: &str| format!("--{name}={}", folder.join(path).display());
    let mut daemon = Command::new("dockerd")
        .args([
            option("data-root", "data"),
            option("exec-root", "exec"),
            option("pidfile", "pid"),
        ])
        .arg(format!("--host=unix://{}", socket.display()))
        .args(["--bridge=none", "--iptables=false"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("dockerd cannot be started")?;
    let deadline = Instant::now() + Duration::from_secs(30);
    let came_up = loop {
        if UnixStream::connect(&socket).is_ok() {
            break true;
        }
        if daemon.try_wait()?.is_some() || Instant::now() > deadline {
            break false;
        }
        thread::sleep(Duration::from_millis(100));
    };
    // SIGTERM lets it end its containerd, too.
    let _ = Command::new("kill").arg(daemon.id().to_string()).status();
    daemon.wait()?;
    // What a daemon leaves mounted cannot be removed; it is a temporary folder.
    let _ = fs::remove_dir_all(&folder);
    ensure!(came_up, "dockerd does not come up on this machine");
    Ok(())
}

/// The plugin alone, in a CLI configuration of its own beside the other tools: the machine's docker
/// keeps what it has.
fn ensure_buildx() -> Result<()> {
    let plugin = tools::folder().join("docker-config/cli-plugins/docker-buildx");
    if plugin.is_file() {
        return Ok(());
    }
    fs::create_dir_all(plugin.parent().context("it stands in a folder")?)?;
    for installed in [
        "/usr/libexec/docker/cli-plugins/docker-buildx",
        "/usr/lib/docker/cli-plugins/docker-buildx",
        "/usr/local/lib/docker/cli-plugins/docker-buildx",
    ] {
        if Path::new(installed).is_file() {
            fs::copy(installed, &plugin)?;
            return Ok(());
        }
    }
    eprintln!("==> Get docker-buildx from Debian {BUILDX_RELEASE}");
    let work = std::path::absolute(tools::folder().join("buildx-package"))?;
    fs::create_dir_all(work.join("sources"))?;
    fs::create_dir_all(work.join("lists/partial"))?;
    fs::create_dir_all(work.join("archives/partial"))?;
    fs::write(
        work.join("sources/next.sources"),
        newer_sources().context("this machine's apt has no Debian source to go by")?,
    )?;
    let apt = || {
        let option = |name: &str, path: PathBuf| format!("{name}={}", path.display());
        Step::new("apt-get").dir(&work).args([
            "--quiet".to_owned(),
            "-o".to_owned(),
            "Dir::Etc::SourceList=/dev/null".to_owned(),
            "-o".to_owned(),
            option("Dir::Etc::SourceParts", work.join("sources")),
            "-o".to_owned(),
            option("Dir::State::Lists", work.join("lists")),
            "-o".to_owned(),
            option("Dir::Cache::Archives", work.join("archives")),
            "-o".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ])
    };
    apt()
        .arg("update")
        .run("Read the newer release's package list")?;
    apt()
        .args(["download", "docker-buildx"])
        .run("Download docker-buildx")?;
    let package = fs::read_dir(&work)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("nothing was downloaded")?;
    Step::new("dpkg")
        .arg("-x")
        .arg(&package)
        .arg(work.join("files"))
        .run("Unpack docker-buildx")?;
    fs::copy(
        work.join("files/usr/libexec/docker/cli-plugins/docker-buildx"),
        &plugin,
    )?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

/// This machine's own Debian source with the newer release's name in place of its own.
fn newer_sources() -> Option<String> {
    let text = fs::read_to_string("/etc/apt/sources.list.d/debian.sources").ok()?;
    let first = text
        .split("\n\n")
        .find(|stanza| stanza.contains("Suites:"))?;
    Some(
        first
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| match line.starts_with("Suites:") {
                true => format!("Suites: {BUILDX_RELEASE}\n"),
                false => format!("{line}\n"),
            })
            .collect(),
    )
}
