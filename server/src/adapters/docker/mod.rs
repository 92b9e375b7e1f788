//! The docker CLI: its version and daemon, builds with plain progress, and image inspection.
//! Reads output recorded from docker 28 and 29; the daemon is chosen by variables, never by context.

mod progress;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::process::CommandSpec;

pub use progress::{BuildStep, parse_step};

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
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<DockerVersion> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Side {
        version: String,
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

/// Variables that choose a daemon, such as minikube's; empty for the user's own.
pub type DaemonEnv = Vec<(String, String)>;

fn on_daemon(daemon: &DaemonEnv) -> CommandSpec {
    let mut spec = CommandSpec::new("docker");
    if !daemon.is_empty() {
        // A selected context would beat nothing here, but a selected builder would.
        spec = spec
            .env("DOCKER_CONTEXT", "")
            .env("BUILDX_BUILDER", "default");
    }
    for (name, value) in daemon {
        spec = spec.env(name, value);
    }
    spec
}

/// Builds an image with BuildKit's plain progress on stderr.
pub fn build(
    daemon: &DaemonEnv,
    reference: &str,
    dockerfile: &Path,
    context: &Path,
    deadline: Duration,
) -> CommandSpec {
    on_daemon(daemon)
        .env("BUILDKIT_PROGRESS", "plain")
        .args(["build", "--progress=plain", "--tag", reference, "--file"])
        .arg(dockerfile)
        .arg(context)
        .deadline(deadline)
}

/// Gives an image another name.
pub fn tag(daemon: &DaemonEnv, from: &str, to: &str) -> CommandSpec {
    on_daemon(daemon)
        .args(["image", "tag", from, to])
        .deadline(Duration::from_secs(20))
}

/// Asks a daemon for one image.
pub fn inspect(daemon: &DaemonEnv, reference: &str) -> CommandSpec {
    on_daemon(daemon)
        .args(["image", "inspect", "--format", "{{json .}}", reference])
        .deadline(Duration::from_secs(20))
}

/// Writes an image as an archive.
pub fn save(daemon: &DaemonEnv, reference: &str, archive: &Path) -> CommandSpec {
    on_daemon(daemon)
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
        assert_eq!(parse_version("garbage"), None);
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
        let daemon = vec![(
            "DOCKER_HOST".to_owned(),
            "tcp://192.168.49.2:2376".to_owned(),
        )];
        let spec = inspect(&daemon, "app:1");
        assert!(spec.env.iter().any(|(name, _)| name == "DOCKER_HOST"));
        assert!(!spec.args.iter().any(|arg| arg == "--context"));
    }
}
