//! The checks themselves: one line of the Setup page each.

mod contexts;
mod docker;
mod gordon;
mod machine;
mod network;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use app::model::{
    CheckState, ClusterKind, ClusterOption, ClusterView, Finding, KubeconfigFile, Need, NextAction,
    Remedy, StepId, Subject,
};

use super::fixes;
use super::machine::OsFamily;
use super::tool::about;
use crate::minikube::Demand;
use crate::process::Surroundings;
use crate::project::ProjectSpec;

/// A line of the page.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
}

/// All lines, in the page's order.
pub const ROWS: [Row; 15] = [
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
        id: "contexts",
        title: "Kubeconfig",
    },
    Row {
        id: "network",
        title: "Network",
    },
    Row {
        id: "processors",
        title: "Processors",
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
    /// The API server's version, when it answered.
    pub server_version: Option<String>,
    /// Who the API server in use takes us for, where it tells.
    pub who: Option<String>,
    /// What the cluster picker knows of the contexts.
    pub contexts: Vec<ClusterOption>,
    /// The kubeconfig files that are read.
    pub kubeconfig: Vec<KubeconfigFile>,
    /// What the project's manifests ask a node for.
    pub demand: Demand,
    pub around: Surroundings,
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
    match id {
        "build-tools" => build_tools(context),
        "docker" => docker::check(context).await,
        "minikube" => tools::minikube(context).await,
        "kubectl" => tools::kubectl(context).await,
        "helm" => tools::helm(context).await,
        "contexts" => contexts::check(context),
        "network" => network::check(context),
        "processors" => machine::processors(context),
        "memory" => machine::memory(context),
        "disk" => machine::disk(&[&context.root, &context.state_dir]).await,
        "kubectl-ai" => tools::kubectl_ai(context).await,
        "kagent" => tools::kagent(context).await,
        "gordon" => gordon::check(context).await,
        _ => CheckState::Checking,
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
        if context.around.find(program).is_none() {
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
