//! The Setup page's own states: an empty machine, broken docker, profiles in every state, a start
//! that goes on and one that failed.

use app::model::*;

use super::fixtures::{ago, fresh};

fn check(id: &str, title: &str, need: Need, state: CheckState) -> Check {
    Check {
        id: id.into(),
        title: title.into(),
        need,
        state,
        checked: ago(6_000),
        muted: false,
    }
}

fn ok(evidence: &str) -> CheckState {
    CheckState::Ok {
        evidence: evidence.into(),
    }
}

fn missing(name: &str, command: &str) -> CheckState {
    CheckState::Missing {
        finding: Box::new(
            Finding::new(
                "TOOL_MISSING",
                format!("{name} is not installed"),
                "No program of that name is on the PATH.",
            )
            .attention()
            .next(NextAction::Command {
                command: command.into(),
                why: "Install it, then check again".into(),
            }),
        ),
    }
}

fn offer() -> ClusterOffer {
    ClusterOffer {
        profile: "slipway".parse().expect("a name"),
        drivers: vec![Driver::Docker, Driver::Auto],
        cpus: 2,
        memory_mb: 4_096,
        disk_mb: 20_000,
        most_cpus: 8,
        most_memory_mb: 15_900,
        why: "This machine has 8 processors and 16.7 GB of memory; the project's manifests ask for 402.7 MB.".into(),
    }
}

fn profile(name: &str, state: ProfileState, runtime: &str, context: ContextState) -> ProfileView {
    ProfileView {
        name: name.parse().expect("a name"),
        state,
        driver: "docker".into(),
        runtime: runtime.into(),
        kubernetes: "v1.35.1".into(),
        cpus: 2,
        memory_mb: 4_096,
        nodes: 1,
        context,
    }
}

/// A machine without any tool: only the practice cluster works.
pub fn nothing() -> PanelState {
    let mut state = fresh();
    state.minikube = None;
    let docker = missing("docker", "sudo apt-get install docker.io");
    let minikube = missing(
        "minikube",
        "curl -LO https://github.com/kubernetes/minikube/releases/latest/download/minikube-linux-amd64 && sudo install minikube-linux-amd64 /usr/local/bin/minikube",
    );
    state.checks = vec![
        check(
            "project",
            "Project",
            Need::Required,
            ok("todo-chatbot: 2 components, 3 secrets"),
        ),
        check(
            "cluster",
            "Cluster",
            Need::Required,
            ok("practice, Kubernetes v1.35.1"),
        ),
        check(
            "build-tools",
            "Build tools",
            Need::Required,
            missing("cargo", "curl https://sh.rustup.rs | sh"),
        ),
        check("docker", "Docker", Need::Optional, docker),
        check("minikube", "minikube", Need::Optional, minikube),
        check(
            "helm",
            "Helm",
            Need::Optional,
            missing("helm", "brew install helm"),
        ),
        check(
            "contexts",
            "Kubeconfig",
            Need::Optional,
            ok("no contexts yet"),
        ),
        check(
            "network",
            "Network",
            Need::Optional,
            ok("no proxy; a VPN is up (wg0): if the cluster is not reached, try without it"),
        ),
        check(
            "memory",
            "Memory",
            Need::Optional,
            ok("17 GB, 11 GB available; the project asks for 402.7 MB"),
        ),
        check("disk", "Disk", Need::Optional, CheckState::Checking),
    ];
    state
}

/// Docker cannot be used, helm is old, and a muted check.
pub fn broken() -> PanelState {
    let mut state = nothing();
    let docker = Finding::new(
        "DOCKER_NOT_USABLE",
        "Docker 28.2.2 cannot be used",
        "Your user may not talk to its daemon.",
    )
    .attention()
    .next(NextAction::Command {
        command: "sudo usermod -aG docker $USER && newgrp docker".into(),
        why: "Lets your user talk to the daemon; members of that group have root's power".into(),
    })
    .evidence(
        "docker said",
        "permission denied while trying to connect to the Docker daemon socket",
    );
    for check in &mut state.checks {
        match check.id.as_str() {
            "docker" => {
                check.need = Need::Required;
                check.state = CheckState::Broken {
                    finding: Box::new(docker.clone()),
                };
            }
            "build-tools" => check.state = ok("cargo"),
            "helm" => check.muted = true,
            _ => {}
        }
    }
    state.minikube = Some(MinikubeView {
        profiles: vec![],
        problem: None,
        offer: ClusterOffer {
            profile: "minikube".parse().expect("a name"),
            ..offer()
        },
    });
    state
}

/// One profile in each state.
pub fn profiles() -> PanelState {
    let mut state = fresh();
    use ContextState::{Configured, Misconfigured, Unknown};
    state.minikube = Some(MinikubeView {
        profiles: vec![
            profile("full", ProfileState::Full, "docker", Unknown),
            profile("gone", ProfileState::Gone, "docker", Unknown),
            profile("minikube", ProfileState::Running, "docker", Configured),
            profile("moved", ProfileState::Running, "docker", Misconfigured),
            profile(
                "old-team-cluster",
                ProfileState::Running,
                "containerd",
                Configured,
            ),
            profile(
                "partly",
                ProfileState::Partly {
                    why: "The API server is stopped, the kubelet is running".into(),
                },
                "docker",
                Configured,
            ),
            profile("paused", ProfileState::Paused, "docker", Configured),
            profile("stopped", ProfileState::Stopped, "docker", Unknown),
            profile(
                "who-knows",
                ProfileState::Unknown {
                    why: "minikube did not answer within 20 s".into(),
                },
                "docker",
                Unknown,
            ),
        ],
        problem: None,
        offer: offer(),
    });
    state
}

fn start(ending: Option<Outcome>, at_eight: StageState) -> RunView {
    let stage = |id: &str, title: &str, state| Stage {
        id: id.into(),
        title: title.into(),
        component: None,
        state,
    };
    let done = |took_ms, note: &str| StageState::Succeeded {
        took_ms,
        note: note.into(),
    };
    let rest = match ending {
        None => StageState::Pending,
        Some(_) => StageState::NotReached {
            blocked_by: "downloading-artifacts".into(),
        },
    };
    RunView {
        id: RunId(3),
        kind: RunKind::StartCluster,
        started: ago(41_000),
        stages: vec![
            stage(
                "initial-minikube-setup",
                "Initial Minikube Setup",
                done(900, "minikube v1.38.1 on Debian 12.11"),
            ),
            stage(
                "selecting-driver",
                "Selecting Driver",
                done(300, "Using the docker driver based on user configuration"),
            ),
            stage("downloading-artifacts", "Downloading Artifacts", at_eight),
            stage("starting-node", "Starting Node", rest.clone()),
            stage("creating-container", "Creating Container", rest.clone()),
            stage(
                "booting-control-plane",
                "Booting control plane",
                rest.clone(),
            ),
            stage("seen", "See minikube run", rest.clone()),
            stage("use", "Use minikube in Slipway", rest),
        ],
        lines: 3,
        tail: [
            "minikube v1.38.1 on Debian 12.11",
            "Using the docker driver based on user configuration",
            "Downloading Kubernetes v1.35.1 preload ...",
        ]
        .into_iter()
        .map(|text| LogLine {
            at: ago(30_000),
            stage: "initial-minikube-setup".into(),
            text: text.into(),
        })
        .collect(),
        ending: ending.map(|outcome| Ending {
            at: ago(4_000),
            outcome,
        }),
    }
}

/// A first start that downloads.
pub fn starting() -> PanelState {
    let mut state = broken();
    state.steps.insert(
        StepId::Setup,
        StepState::Running {
            run: RunId(3),
            hint: "Downloading Artifacts".into(),
        },
    );
    let run = start(
        None,
        StageState::Running {
            since: ago(38_000),
            progress: Some(Progress {
                done: 182_400_000,
                total: Some(412_000_000),
                note: "bytes, about 41 s left, preloaded-images-k8s-v18-v1.35.1-docker-overlay2-amd64.tar.lz4".into(),
            }),
        },
    );
    state.runs.insert(run.id, run);
    state
}

/// A start that failed with minikube's own advice.
pub fn start_failed() -> PanelState {
    let mut state = broken();
    let finding = Finding::new(
        "MINIKUBE_INTERNET",
        "minikube could not download what it needs",
        "Failed to cache images: Get \"https://storage.googleapis.com/…\": dial tcp: lookup storage.googleapis.com: no such host.",
    )
    .next(NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".into(),
    })
    .next(NextAction::advice("Check the connection, VPN and proxy variables (the Network check on this page), then try again"))
    .next(NextAction::Command {
        command: "minikube logs --profile minikube --file minikube.log".into(),
        why: "Writes down what minikube and the node know about it".into(),
    })
    .evidence("minikube's reason", "INET_LOOKUP_HOST (exit code 45)");
    let run = start(
        Some(Outcome::Failed {
            finding: Box::new(finding.clone()),
        }),
        StageState::Failed {
            took_ms: 12_000,
            finding: Box::new(finding),
        },
    );
    state.runs.insert(run.id, run);
    state
}
