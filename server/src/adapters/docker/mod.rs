//! The docker CLI: its version and daemon, builds with plain progress, and image inspection.
//! Reads output recorded from docker 28 and 29; the daemon is chosen by variables, never by context.

mod build;
mod info;
mod progress;
mod sizes;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::process::CommandSpec;

pub use build::{BuildCommand, BuildEngine, BuildSecret, SecretSource, buildx_version, engine};
pub use info::{DockerInfo, info, parse_info};
pub use progress::{FailedStep, Format, ProgressReader, Steps};
pub use sizes::parse_bytes;

/// Asks client and daemon for their versions. Exits with 1 and still prints the client's part when
/// the daemon does not answer.
pub fn version() -> CommandSpec {
    CommandSpec::new("docker")
        .args(["version", "--format", "{{json .}}"])
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// What `docker version` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerVersion {
    pub client: String,
    /// None when the daemon did not answer.
    pub server: Option<String>,
    /// What the daemon runs on, as Go names it: `amd64`.
    pub architecture: Option<String>,
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<DockerVersion> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Side {
        version: String,
        #[serde(default)]
        arch: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        client: Side,
        server: Option<Side>,
    }
    let output: Output = serde_json::from_str(stdout.trim()).ok()?;
    Some(DockerVersion {
        client: output.client.version,
        architecture: output.server.as_ref().and_then(|side| side.arch.clone()),
        server: output.server.map(|side| side.version),
    })
}

/// Why the daemon does not answer, from what the CLI said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonProblem {
    /// The socket is there and this user may not use it.
    NotAllowed,
    /// Nobody listens.
    NotRunning,
    Other,
}

/// Tells the usual daemon problems apart.
pub fn daemon_problem(stderr: &str) -> DaemonProblem {
    let text = stderr.to_ascii_lowercase();
    if text.contains("permission denied") {
        DaemonProblem::NotAllowed
    } else if text.contains("cannot connect") || text.contains("is the docker daemon running") {
        DaemonProblem::NotRunning
    } else {
        DaemonProblem::Other
    }
}

/// Which daemon the docker CLI talks to. Chosen by variables of that one child, never by a
/// `--context` argument, which would silently beat them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Daemon {
    /// The user's own, whichever context is selected.
    #[default]
    Users,
    /// Another one, by the variables that lead there: `DOCKER_HOST` at least.
    Named(Vec<(String, String)>),
}

impl Daemon {
    /// The one at this address.
    pub fn at(host: &str) -> Self {
        Self::Named(vec![("DOCKER_HOST".to_owned(), host.to_owned())])
    }

    fn command(&self) -> CommandSpec {
        let mut spec = CommandSpec::new("docker");
        if let Self::Named(variables) = self {
            // An empty context is none, and a builder selected for another daemon is not meant. Our
            // own TLS variables lead nowhere there.
            spec = spec
                .env("DOCKER_CONTEXT", "")
                .env("BUILDX_BUILDER", "default")
                .env_remove("DOCKER_TLS_VERIFY")
                .env_remove("DOCKER_CERT_PATH");
            for (name, value) in variables {
                spec = spec.env(name, value);
            }
        }
        spec
    }
}

/// Gives an image another name.
pub fn tag(daemon: &Daemon, from: &str, to: &str) -> CommandSpec {
    daemon
        .command()
        .args(["image", "tag", from, to])
        .deadline(Duration::from_secs(20))
}

/// Takes a name away from an image that has others.
pub fn untag(daemon: &Daemon, name: &str) -> CommandSpec {
    daemon
        .command()
        .args(["image", "rm", "--no-prune", name])
        .deadline(Duration::from_secs(20))
}

/// Asks a daemon for one image.
pub fn inspect(daemon: &Daemon, reference: &str) -> CommandSpec {
    daemon
        .command()
        .args(["image", "inspect", "--format", "{{json .}}", reference])
        .deadline(Duration::from_secs(20))
}

/// Takes the images of an archive into a daemon.
pub fn load(daemon: &Daemon, archive: &Path) -> CommandSpec {
    daemon
        .command()
        .args(["image", "load", "--input"])
        .arg(archive)
        .deadline(Duration::from_secs(300))
}

/// Pushes an image to its registry; the digest stands in the output.
pub fn push(daemon: &Daemon, reference: &str) -> CommandSpec {
    daemon
        .command()
        .args(["image", "push", reference])
        .deadline(Duration::from_secs(30 * 60))
}

/// The digest in the output of [`push`]: `1f2e: digest: sha256:ab… size: 1234`.
pub fn pushed_digest(output: &str) -> Option<String> {
    let after = output
        .lines()
        .rev()
        .find_map(|line| line.split_once("digest: "))?
        .1;
    let digest = after.split_whitespace().next()?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digest.to_owned())
}

/// Asks where a context of the CLI leads; fails when there is none of that name.
pub fn context_host(name: &str) -> CommandSpec {
    CommandSpec::new("docker")
        .args([
            "context",
            "inspect",
            name,
            "--format",
            "{{.Endpoints.docker.Host}}",
        ])
        .deadline(Duration::from_secs(8))
}

/// Lists a node's images by its own runtime, for clusters whose nodes are containers.
pub fn node_images(daemon: &Daemon, node: &str) -> CommandSpec {
    daemon
        .command()
        .args(["exec", node, "crictl", "images", "--output", "json"])
        .deadline(Duration::from_secs(20))
}

/// Asks a daemon how an image came to be: one JSON object a line, newest first, sizes in bytes.
pub fn history(daemon: &Daemon, reference: &str) -> CommandSpec {
    daemon
        .command()
        .args(["image", "history", "--no-trunc", "--human=false"])
        .args(["--format", "{{json .}}", reference])
        .deadline(Duration::from_secs(20))
}

/// Writes an image as an archive.
pub fn save(daemon: &Daemon, reference: &str, archive: &Path) -> CommandSpec {
    daemon
        .command()
        .args(["image", "save", "--output"])
        .arg(archive)
        .arg(reference)
        .deadline(Duration::from_secs(300))
}

/// What a daemon knows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedImage {
    pub id: String,
    pub size_bytes: u64,
    /// Empty is root.
    pub user: String,
}

/// Reads the output of [`inspect`]; unset fields are left out by newer daemons.
pub fn parse_inspect(stdout: &str) -> Option<InspectedImage> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Config {
        user: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        id: String,
        #[serde(default)]
        size: u64,
        #[serde(default)]
        config: Option<Config>,
    }
    let output: Output = serde_json::from_str(stdout.trim()).ok()?;
    Some(InspectedImage {
        id: output.id,
        size_bytes: output.size,
        user: output.config.unwrap_or_default().user,
    })
}

/// Whether a `USER` means root: no user, `root` or the number 0, with or without a group.
pub fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default().trim();
    name.is_empty() || name == "root" || name.parse::<u32>() == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_daemon_is_told_from_a_missing_client() {
        // docker 28.2.2, no daemon
        let stdout = r#"{"Client":{"Version":"28.2.2","ApiVersion":"1.50","DefaultAPIVersion":"1.50","GitCommit":"e6534b4","GoVersion":"go1.24.3","Os":"linux","Arch":"amd64","BuildTime":"Fri May 30 12:07:14 2025","Context":"default"},"Server":null}"#;
        let version = parse_version(stdout).expect("the client's part is there");
        assert_eq!(version.client, "28.2.2");
        assert_eq!(version.server, None);
        assert_eq!(version.architecture, None);
        assert_eq!(parse_version("garbage"), None);
        let both =
            r#"{"Client":{"Version":"28.2.2"},"Server":{"Version":"28.2.2","Arch":"arm64"}}"#;
        let version = parse_version(both).expect("both are there");
        assert_eq!(version.architecture.as_deref(), Some("arm64"));
        let stderr = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(daemon_problem(stderr), DaemonProblem::NotRunning);
        let stderr = "permission denied while trying to connect to the Docker daemon socket";
        assert_eq!(daemon_problem(stderr), DaemonProblem::NotAllowed);
    }

    #[test]
    fn an_image_without_a_user_field_runs_as_root() {
        let image = parse_inspect(r#"{"Id":"sha256:ab","Size":12,"Config":{"Cmd":["x"]}}"#);
        let image = image.expect("parses");
        assert!(is_root(&image.user));
        assert_eq!(image.size_bytes, 12);
        for (user, root) in [
            ("0", true),
            ("root", true),
            ("0:0", true),
            ("root:root", true),
            ("65532:65532", false),
            ("app", false),
        ] {
            assert_eq!(is_root(user), root, "{user}");
        }
    }

    #[test]
    fn minikube_s_variables_beat_the_user_s_context() {
        let daemon = Daemon::at("tcp://192.168.49.2:2376");
        let spec = inspect(&daemon, "app:1");
        assert!(spec.env.iter().any(|(name, _)| name == "DOCKER_HOST"));
        assert!(!spec.args.iter().any(|arg| arg == "--context"));
    }
}
