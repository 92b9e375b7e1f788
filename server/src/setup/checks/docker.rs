//! Docker: the CLI, the daemon, and its disk.

use std::path::Path;

use app::model::{CheckState, Finding, NextAction};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::machine::{disk_problem, free_on, gigabytes};
use crate::adapters::docker::{self, DaemonProblem};
use crate::process::{self, Captured};
use crate::setup::fixes;
use crate::setup::machine::OsFamily;
use crate::setup::tool::{Reading, Tool, about, first_lines, look_at};

/// The CLI, its daemon, and the space left where the daemon keeps images.
pub(super) async fn check(context: &Context) -> CheckState {
    let os = context.os;
    let tool = Tool {
        name: "docker",
        adds: "builds images from Dockerfiles, for minikube and kind clusters",
        ask: docker::version(),
    };
    let around = &context.around;
    let state = look_at(&tool, os, around, |captured| read_docker(captured, os)).await;
    let CheckState::Ok { evidence } = state else {
        return state;
    };
    let asked = process::capture(&around.dress(docker::info()), &CancellationToken::new()).await;
    let info = asked
        .ok()
        .and_then(|captured| docker::parse_info(&captured.stdout));
    // Inside the machine of Docker Desktop or on another host, its disk is not ours to measure.
    let Some(info) = info else {
        return CheckState::Ok { evidence };
    };
    let root = Path::new(&info.root);
    match free_on(root).await {
        None => CheckState::Ok { evidence },
        Some(free) => with_disk(evidence, free, root),
    }
}

fn with_disk(evidence: String, free: u64, root: &Path) -> CheckState {
    match disk_problem(free, root, "images and minikube's node") {
        None => CheckState::Ok {
            evidence: format!("{evidence}, {} GB free for images", gigabytes(free)),
        },
        Some(finding) => CheckState::Broken {
            finding: Box::new(finding.about(about("docker")).next(NextAction::Command {
                command: "docker system prune".to_owned(),
                why: "Frees what docker keeps and nobody uses; it asks first".to_owned(),
            })),
        },
    }
}

fn read_docker(captured: &Captured, os: OsFamily) -> Reading {
    let Some(version) = docker::parse_version(&captured.stdout) else {
        return Reading::Nonsense;
    };
    if let Some(server) = version.server {
        return Reading::Ok(format!("{} (daemon {server})", version.client));
    }
    let (why, fix) = match docker::daemon_problem(&captured.stderr) {
        DaemonProblem::NotAllowed => (
            "Your user may not talk to its daemon.".to_owned(),
            fixes::allow_docker(os),
        ),
        DaemonProblem::NotRunning => (
            "Its daemon is not running.".to_owned(),
            fixes::start_docker(os),
        ),
        DaemonProblem::Other => (
            "Its daemon does not answer.".to_owned(),
            fixes::start_docker(os),
        ),
    };
    let finding = Finding::new(
        "DOCKER_NOT_USABLE",
        format!("Docker {} cannot be used", version.client),
        why,
    )
    .attention()
    .about(about("docker"))
    .next(fix)
    .evidence("docker said", first_lines(&captured.stderr));
    Reading::Wrong(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ending;

    fn captured(stdout: &str, stderr: &str, code: i32) -> Captured {
        Captured {
            ending: Ending::Exited(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            truncated: false,
        }
    }

    #[test]
    fn docker_without_daemon_says_how_to_start_it() {
        let stdout = r#"{"Client":{"Version":"28.2.2"},"Server":null}"#;
        let stderr = "Cannot connect to the Docker daemon. Is the docker daemon running?";
        let Reading::Wrong(finding) = read_docker(&captured(stdout, stderr, 1), OsFamily::Debian)
        else {
            panic!("no daemon");
        };
        assert_eq!(finding.code, "DOCKER_NOT_USABLE");
        assert!(
            matches!(&finding.next[0], NextAction::Command { command, .. }
            if command.contains("systemctl"))
        );
    }

    #[test]
    fn a_full_disk_of_the_daemon_is_pointed_out() {
        let root = Path::new("/var/lib/docker");
        let good = with_disk("28.2.2".into(), 50_000_000_000, root);
        assert_eq!(
            good,
            CheckState::Ok {
                evidence: "28.2.2, 50 GB free for images".into()
            }
        );
        assert!(
            matches!(with_disk(String::new(), 1, root), CheckState::Broken { finding }
            if finding.code == "DISK_LOW" && finding.why.contains("/var/lib/docker"))
        );
    }
}
