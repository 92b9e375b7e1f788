//! The checks themselves: one line of the Setup page each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::model::{
    CheckState, ClusterKind, ClusterView, Finding, Need, NextAction, Remedy, StepId, Subject,
    humanize_bytes,
};

use super::fixes;
use super::machine::{self, OsFamily};
use super::tool::{Reading, Tool, about, first_lines, look_at};
use crate::adapters::docker::DaemonProblem;
use crate::adapters::gordon::Found;
use crate::adapters::{docker, gordon, helm, kagent, kubectl, kubectl_ai, minikube};
use crate::process::{self, Captured, CommandSpec};
use crate::project::ProjectSpec;

/// A line of the page.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
}

/// All lines, in the page's order.
pub const ROWS: [Row; 12] = [
    Row {
        id: "project",
        title: "Project",
    },
    Row {
        id: "cluster",
        title: "Cluster",
    },
    Row {
        id: "build-tools",
        title: "Build tools",
    },
    Row {
        id: "docker",
        title: "Docker",
    },
    Row {
        id: "minikube",
        title: "minikube",
    },
    Row {
        id: "kubectl",
        title: "kubectl",
    },
    Row {
        id: "helm",
        title: "Helm",
    },
    Row {
        id: "memory",
        title: "Memory",
    },
    Row {
        id: "disk",
        title: "Disk",
    },
    Row {
        id: "kubectl-ai",
        title: "kubectl-ai",
    },
    Row {
        id: "kagent",
        title: "kagent",
    },
    Row {
        id: "gordon",
        title: "Gordon",
    },
];

/// What the checks depend on.
#[derive(Clone, Debug)]
pub struct Context {
    pub kind: Option<ClusterKind>,
    pub spec: Arc<ProjectSpec>,
    pub root: PathBuf,
    pub state_dir: PathBuf,
    pub os: OsFamily,
}

impl Context {
    fn on_practice(&self) -> bool {
        self.kind
            .as_ref()
            .is_none_or(|kind| *kind == ClusterKind::Practice)
    }

    /// Whether some component can only be built by docker here.
    fn needs_docker(&self) -> bool {
        let only_dockerfile = self
            .spec
            .components
            .iter()
            .any(|component| component.pack.is_none() && component.dockerfile.is_some());
        only_dockerfile
            || matches!(
                self.kind,
                Some(ClusterKind::Kind { .. } | ClusterKind::K3d { .. })
            )
    }
}

/// Whether the walk needs it on the cluster in use.
pub fn need(id: &str, context: &Context) -> Need {
    let required = match id {
        "project" | "cluster" => true,
        "build-tools" => context.on_practice(),
        "docker" => context.needs_docker(),
        "minikube" => matches!(context.kind, Some(ClusterKind::Minikube { .. })),
        _ => false,
    };
    if required {
        Need::Required
    } else {
        Need::Optional
    }
}

/// Runs the check of this id.
pub async fn run(id: &str, context: &Context) -> CheckState {
    let os = context.os;
    match id {
        "build-tools" => build_tools(context),
        "docker" => check_docker(os).await,
        "minikube" => {
            let tool = tool(
                "minikube",
                "runs a real one-node cluster on this machine",
                minikube::version(),
            );
            look_at(&tool, os, version_of(minikube::parse_version)).await
        }
        "kubectl" => {
            let tool = tool(
                "kubectl",
                "is for you; Slipway talks to the cluster itself",
                kubectl::version(),
            );
            look_at(&tool, os, version_of(kubectl::parse_version)).await
        }
        "helm" => {
            let tool = tool(
                "helm",
                "deploys the project's chart instead of its raw manifests",
                helm::version(helm::program()),
            );
            look_at(&tool, os, |captured| read_helm(captured, os)).await
        }
        "memory" => check_memory(context),
        "disk" => check_disk(&[&context.root, &context.state_dir]),
        "kubectl-ai" => {
            let tool = tool(
                "kubectl-ai",
                "can answer questions about the cluster",
                kubectl_ai::version(),
            );
            look_at(&tool, os, version_of(kubectl_ai::parse_version)).await
        }
        "kagent" => {
            let tool = tool(
                "kagent",
                "manages agents that live in the cluster",
                kagent::version(),
            );
            look_at(&tool, os, version_of(kagent::parse_version)).await
        }
        "gordon" => check_gordon(os).await,
        _ => CheckState::Checking,
    }
}

fn tool(name: &'static str, adds: &'static str, ask: CommandSpec) -> Tool {
    Tool { name, adds, ask }
}

fn version_of(parse: impl Fn(&str) -> Option<String>) -> impl FnOnce(&Captured) -> Reading {
    move |captured| match parse(&captured.stdout) {
        Some(version) => Reading::Ok(version.trim_start_matches('v').to_owned()),
        None => Reading::Nonsense,
    }
}

/// `todo-chatbot: 2 components, 3 secrets`
pub fn project_evidence(spec: &ProjectSpec) -> String {
    let count = |number: usize, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {what}{plural}")
    };
    format!(
        "{}: {}, {}",
        spec.name,
        count(spec.components.len(), "component"),
        count(spec.secrets.len(), "secret")
    )
}

/// The cluster's line, from what the heartbeat said.
pub fn cluster_state(cluster: Option<&ClusterView>, fresh: bool) -> CheckState {
    let use_practice = NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".to_owned(),
    };
    let Some(cluster) = cluster else {
        let finding = Finding::new(
            "NO_CLUSTER",
            "No cluster is chosen",
            "Slipway needs a cluster to deploy to.",
        )
        .about(Subject::Step {
            step: StepId::Setup,
        })
        .next(use_practice);
        return CheckState::Missing {
            finding: Box::new(finding),
        };
    };
    if let Some(problem) = &cluster.problem {
        return CheckState::Broken {
            finding: Box::new(problem.clone()),
        };
    }
    if !fresh {
        let finding = Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("{} does not answer", cluster.choice.label()),
            format!("The API server at {} is silent.", cluster.server),
        )
        .about(Subject::Step {
            step: StepId::Setup,
        })
        .next(NextAction::Do {
            action: Remedy::Recheck,
            label: "Check again".to_owned(),
        })
        .next(use_practice);
        return CheckState::Broken {
            finding: Box::new(finding),
        };
    }
    CheckState::Ok {
        evidence: match &cluster.version {
            Some(version) => format!("{}, Kubernetes {version}", cluster.choice.label()),
            None => cluster.choice.label().to_owned(),
        },
    }
}

/// The programs the pack recipes start.
fn build_tools(context: &Context) -> CheckState {
    let programs: std::collections::BTreeSet<&str> = context
        .spec
        .components
        .iter()
        .filter_map(|component| component.pack.as_ref()?.build.first())
        .map(String::as_str)
        .collect();
    for program in &programs {
        if process::find_on_path(program).is_none() {
            let mut finding = Finding::new(
                "TOOL_MISSING",
                format!("{program} is not installed"),
                format!("The project's components are built with `{program}`, and it is not on the PATH."),
            )
            .about(about(program));
            finding.next = fixes::install(program, context.os);
            return CheckState::Missing {
                finding: Box::new(finding),
            };
        }
    }
    let list: Vec<&str> = programs.into_iter().collect();
    CheckState::Ok {
        evidence: if list.is_empty() {
            "none are needed".to_owned()
        } else {
            list.join(", ")
        },
    }
}

async fn check_docker(os: OsFamily) -> CheckState {
    let tool = tool(
        "docker",
        "builds images from Dockerfiles, for minikube and kind clusters",
        docker::version(),
    );
    look_at(&tool, os, |captured| read_docker(captured, os)).await
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

fn read_helm(captured: &Captured, os: OsFamily) -> Reading {
    let Some(version) = helm::parse_version(&captured.stdout) else {
        return Reading::Nonsense;
    };
    if version.is_usable() && !version.is_below_floor() {
        return Reading::Ok(version.to_string());
    }
    let floor = helm::HelmVersion::floor(version.major);
    let why = if version.is_usable() {
        format!("It works, but {floor} and newer mend faults that can hide a failed release.")
    } else {
        format!("Slipway works with helm 3 and 4, {floor} or newer.")
    };
    let mut finding = Finding::new("TOOL_OUTDATED", format!("helm {version} is old"), why)
        .attention()
        .about(about("helm"));
    finding.next = fixes::install("helm", os);
    Reading::Wrong(finding)
}

fn check_memory(context: &Context) -> CheckState {
    let Some(memory) = machine::memory() else {
        return CheckState::Ok {
            evidence: "this system does not say".to_owned(),
        };
    };
    memory_state(memory, context.on_practice())
}

fn memory_state(memory: machine::Memory, on_practice: bool) -> CheckState {
    // minikube's recommended least; the practice cluster runs plain processes, a build wants more.
    let wanted: u64 = if on_practice { 800 << 20 } else { 1900 << 20 };
    // Whole gigabytes: the line would change with every look otherwise.
    let rounded = |bytes: u64| (bytes as f64 / 1e9).round();
    if memory.available >= wanted {
        return CheckState::Ok {
            evidence: format!(
                "{} GB, {} GB available",
                rounded(memory.total),
                rounded(memory.available)
            ),
        };
    }
    let finding = Finding::new(
        "MEMORY_LOW",
        "Memory is short",
        format!(
            "{} are available, and builds and the cluster want {}.",
            humanize_bytes(memory.available),
            humanize_bytes(wanted)
        ),
    )
    .attention()
    .about(about("memory"))
    .next(NextAction::Advice {
        text: "Close programs you do not need".to_owned(),
    });
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

fn check_disk(paths: &[&Path]) -> CheckState {
    let least = paths
        .iter()
        .filter_map(|path| machine::free_disk(path).map(|free| (free, *path)))
        .min();
    match least {
        Some((free, path)) => disk_state(free, path),
        None => CheckState::Ok {
            evidence: "this system does not say".to_owned(),
        },
    }
}

fn disk_state(free: u64, path: &Path) -> CheckState {
    const WANTED: u64 = 3_000_000_000;
    if free >= WANTED {
        return CheckState::Ok {
            evidence: format!("{} GB free", (free as f64 / 1e9).round()),
        };
    }
    let finding = Finding::new(
        "DISK_LOW",
        "The disk is nearly full",
        format!(
            "{} are free at {}, and a build wants {}.",
            humanize_bytes(free),
            path.display(),
            humanize_bytes(WANTED)
        ),
    )
    .attention()
    .about(about("disk"))
    .next(NextAction::Advice {
        text: "Free some space; old build folders named target are a good start".to_owned(),
    });
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

async fn check_gordon(os: OsFamily) -> CheckState {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let found = gordon::find(
        variable("HOME").as_deref(),
        variable("DOCKER_CONFIG").as_deref(),
    );
    let adds = "can be asked about docker matters";
    match found {
        Found::Plugin(path) => {
            let tool = tool("gordon", adds, gordon::metadata(&path));
            // Nothing can tell whether it is signed in, so nothing more is claimed.
            look_at(&tool, os, |captured| {
                match gordon::parse_metadata(&captured.stdout) {
                    Some(version) => Reading::Ok(format!(
                        "{} installed; whether it is signed in is not known",
                        version.trim_start_matches('v')
                    )),
                    None => Reading::Nonsense,
                }
            })
            .await
        }
        Found::Nothing | Found::Dangling(_) => {
            let mut finding = Finding::new(
                "TOOL_MISSING",
                "gordon is not installed",
                format!("Docker's plugin `ai` is not here. It {adds}."),
            )
            .attention()
            .about(about("gordon"));
            finding.next = fixes::install("gordon", os);
            if let Found::Dangling(path) = found {
                finding = finding.evidence("A link to nowhere", path.display().to_string());
            }
            CheckState::Missing {
                finding: Box::new(finding),
            }
        }
    }
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
    fn old_helm_is_an_attention_and_not_a_failure() {
        let read = |text: &str| read_helm(&captured(text, "", 0), OsFamily::Debian);
        assert!(matches!(read("v3.21.4"), Reading::Ok(version) if version == "3.21.4"));
        let Reading::Wrong(finding) = read("v3.20.1") else {
            panic!("an old helm is named");
        };
        assert_eq!(finding.code, "TOOL_OUTDATED");
        assert_eq!(finding.severity, app::model::Severity::Attention);
        assert!(matches!(read("v2.17.0"), Reading::Wrong(_)));
        assert!(matches!(read("helm?"), Reading::Nonsense));
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
    fn little_memory_or_disk_is_pointed_out() {
        let memory = machine::Memory {
            total: 4 << 30,
            available: 1 << 30,
        };
        assert!(matches!(memory_state(memory, true), CheckState::Ok { .. }));
        assert!(matches!(
            memory_state(memory, false),
            CheckState::Broken { .. }
        ));
        assert!(matches!(
            disk_state(10_000_000_000, Path::new("/")),
            CheckState::Ok { .. }
        ));
        assert!(matches!(
            disk_state(1, Path::new("/")),
            CheckState::Broken { .. }
        ));
    }
}
