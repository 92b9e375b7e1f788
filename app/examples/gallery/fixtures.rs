//! States to look at: healthy, just started, building, failed.

use std::collections::BTreeMap;

use app::model::*;

use super::report_fixtures;

pub const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

pub fn ago(ms: i64) -> UnixMillis {
    UnixMillis(NOW.0 - ms)
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("fixtures have valid names")
}

fn done(proof: &str) -> StepState {
    StepState::Done {
        proof: proof.into(),
        since: ago(60_000),
    }
}

fn project() -> ProjectView {
    let component = |text: &str, port: u16, exposed: bool| ComponentView {
        name: name(text),
        image: format!("todo-{text}"),
        port,
        probes: ProbePaths {
            startup: (!exposed).then(|| "/health".into()),
            liveness: Some(if exposed { "/" } else { "/health" }.into()),
            readiness: Some(if exposed { "/" } else { "/ready" }.into()),
        },
        exposed,
        size_budget_bytes: Some(200_000_000),
    };
    ProjectView {
        name: "todo-chatbot".into(),
        root: "/home/ada/projects/slipway/examples/todo-chatbot".into(),
        namespace: name("todo"),
        components: vec![
            component("backend", 8000, false),
            component("frontend", 3000, true),
        ],
        secret_name: "todo-secrets".into(),
        has_manifests: true,
        has_chart: true,
    }
}

/// Looking at a cluster far away, with many others to choose from.
pub fn far(access: Access) -> PanelState {
    let mut state = healthy();
    if let Some(cluster) = &mut state.cluster {
        cluster.choice = ClusterChoice::Context(name("prod-eu"));
        cluster.kind = ClusterKind::Remote;
        cluster.server = "https://k8s.prod.example:6443".into();
        cluster.access = access;
        cluster.who = Some(Who {
            name: "ada@example.com".into(),
            groups: vec!["platform".into(), "system:authenticated".into()],
        });
        cluster.warnings = vec!["The client certificate ends on 2026-11-24 09:00 UTC.".into()];
    }
    for option in &mut state.clusters {
        if option.kind == ClusterKind::Remote {
            option.access = access;
            option.who = Some("ada@example.com".into());
        }
    }
    for number in 1..=8 {
        state.clusters.push(ClusterOption {
            choice: ClusterChoice::Context(name(&format!(
                "team-{number}-a-rather-long-context-name"
            ))),
            kind: ClusterKind::Remote,
            server: format!("https://team-{number}.k8s.example.com"),
            reach: Reach::Unknown,
            current: false,
            access: Access::LookOnly,
            who: None,
            login_program: (number % 3 == 0).then(|| "aws".to_owned()),
        });
    }
    state.kubeconfig_files = vec![KubeconfigFile {
        path: "/home/ada/.kube/old-clusters.yaml".into(),
        contexts: 0,
        problem: Some("mapping values are not allowed in this context at line 12 column 9".into()),
    }];
    state
}

fn clusters() -> Vec<ClusterOption> {
    let option = |choice, kind, server: &str, reach, current| ClusterOption {
        choice,
        kind,
        server: server.into(),
        reach,
        current,
        access: Access::Free,
        who: None,
        login_program: None,
    };
    let version = |version: &str| Reach::Reachable {
        version: version.into(),
    };
    vec![
        option(
            ClusterChoice::Practice,
            ClusterKind::Practice,
            "https://127.0.0.1:41235",
            version("v1.35.1"),
            false,
        ),
        option(
            ClusterChoice::Context(name("minikube")),
            ClusterKind::Minikube {
                profile: "minikube".into(),
            },
            "https://192.168.49.2:8443",
            Reach::Unreachable {
                why: "connection refused after 1 s".into(),
            },
            true,
        ),
        option(
            ClusterChoice::Context(name("prod-eu")),
            ClusterKind::Remote,
            "https://k8s.prod.example:6443",
            version("v1.33.4"),
            false,
        ),
    ]
}

fn check(id: &str, title: &str, need: Need, state: CheckState) -> Check {
    Check {
        id: id.into(),
        title: title.into(),
        need,
        state,
        checked: ago(8_000),
        muted: false,
    }
}

fn checks() -> Vec<Check> {
    let ok = |evidence: &str| CheckState::Ok {
        evidence: evidence.into(),
    };
    let missing = Finding::new(
        "HELM_MISSING",
        "Helm is not installed",
        "The raw deploy works without it; the chart needs it.",
    )
    .attention()
    .next(NextAction::Command {
        command: "sudo snap install helm --classic".into(),
        why: "Installs Helm on this system".into(),
    });
    vec![
        check(
            "cluster",
            "Cluster",
            Need::Required,
            ok("practice answers, v1.35.1"),
        ),
        check(
            "project",
            "Project",
            Need::Required,
            ok("slipway.toml, 2 components, 3 secrets"),
        ),
        check(
            "memory",
            "Memory",
            Need::Required,
            ok("11.2 GB of 15.6 GB free"),
        ),
        check("disk", "Disk", Need::Required, ok("48.0 GB free")),
        check("docker", "Docker", Need::Optional, CheckState::Checking),
        check(
            "helm",
            "Helm",
            Need::Optional,
            CheckState::Missing {
                finding: Box::new(missing),
            },
        ),
    ]
}

fn secrets(set: bool) -> Vec<SecretView> {
    let secret =
        |key: &str, label: &str, help: &str, kind, required, rehearsal: Option<&str>, state| {
            SecretView {
                label: label.into(),
                help: help.into(),
                kind,
                required,
                components: vec![name("backend")],
                rehearsal: rehearsal.map(str::to_owned),
                state,
                test: match key {
                    "DATABASE_URL" => Some(LiveTestKind::Postgres),
                    "OPENAI_API_KEY" => Some(LiveTestKind::OpenAi),
                    _ => None,
                },
                length: set.then_some(LengthClass::UpTo64),
                users: vec![SecretUser {
                    kind: "Deployment".into(),
                    name: "backend".into(),
                    optional: !required,
                    takes_all: false,
                    told_by: ToldBy::Manifests,
                }],
                ..SecretView::of_key(name(key))
            }
        };
    let set_at = |fingerprint: &str| {
        if set {
            SecretState::Set {
                fingerprint: fingerprint.into(),
                since: ago(400_000),
                by: Some("ada".into()),
            }
        } else {
            SecretState::Unset
        }
    };
    vec![
        secret(
            "DATABASE_URL",
            "Neon connection string",
            "From the Neon console: your project, Connect, then copy the connection string with the password.",
            SecretKind::PostgresUrl,
            true,
            Some("sqlite:///data/todo.db"),
            set_at("9f2c-71ab"),
        ),
        secret(
            "OPENAI_API_KEY",
            "OpenAI API key",
            "From the API keys page of your account. Without it the chat says that it has no key.",
            SecretKind::ApiKey { provider: None },
            false,
            None,
            SecretState::Unset,
        ),
        secret(
            "AUTH_SECRET",
            "Session signing key",
            "Signs the sessions of the app. Slipway can make one.",
            SecretKind::Random { min_length: 32 },
            true,
            None,
            if set {
                SecretState::Drifted {
                    fingerprint: "03d1-cc40".into(),
                    entered: ago(900_000),
                    by: Some("kubectl-patch".into()),
                    at: Some(ago(60_000)),
                }
            } else {
                SecretState::Unset
            },
        ),
    ]
}

fn image(component: &str, size_bytes: u64, in_cluster: bool) -> ImageView {
    let image = BuiltImage {
        reference: format!("todo-{component}:3f9a0c12be77"),
        id: "sha256:3f9a0c12be7700aa11bb22cc33dd44ee55ff6677889900aabbccddeeff001122".into(),
        size_bytes,
        built: ago(180_000),
        user: "10001".into(),
    };
    ImageView {
        component: name(component),
        builder: Builder::Docker,
        builders: vec![Builder::Docker, Builder::Pack],
        goes: "into minikube profile demo".into(),
        proof: "its ID was read back from the docker daemon of minikube profile demo".into(),
        state: if in_cluster {
            ImageState::InCluster {
                image,
                proved: ago(3_000),
            }
        } else {
            ImageState::NotInCluster { image, lost: None }
        },
    }
}

fn probes(readiness: ProbeVerdict) -> BTreeMap<ProbeKind, ProbeLive> {
    let probe = |path: &str, verdict| ProbeLive {
        target: format!("GET {path} :8000"),
        period_s: 5,
        failure_threshold: 3,
        verdict,
    };
    BTreeMap::from([
        (ProbeKind::Startup, probe("/health", ProbeVerdict::Passing)),
        (ProbeKind::Liveness, probe("/health", ProbeVerdict::Passing)),
        (ProbeKind::Readiness, probe("/ready", readiness)),
    ])
}

/// Readiness of a pod that is not ready was asked often enough to disagree for one of them.
fn own_probes(pod: &PodRow) -> Vec<OwnProbe> {
    let of = |kind, answer, in_a_row| OwnProbe {
        pod: pod.uid.clone(),
        container: pod.containers[0].name.clone(),
        kind,
        at: ago(2_400),
        answer,
        in_a_row,
    };
    let passed = OwnAnswer::Passed {
        status: Some(200),
        took_ms: 12,
    };
    let failed = OwnAnswer::Failed {
        status: Some(503),
        took_ms: 8,
        why: "Answered with status 503".into(),
    };
    let differs = pod.name.starts_with("frontend");
    vec![
        if differs {
            of(ProbeKind::Liveness, failed.clone(), 5)
        } else {
            of(ProbeKind::Liveness, passed.clone(), 9)
        },
        if pod.ready {
            of(ProbeKind::Readiness, passed, 9)
        } else {
            of(ProbeKind::Readiness, failed, 2)
        },
    ]
}

fn pod(uid: &str, component: &str, ready: bool) -> PodRow {
    let readiness = if ready {
        ProbeVerdict::Passing
    } else {
        ProbeVerdict::Failing {
            message: "HTTP probe failed with statuscode: 503".into(),
        }
    };
    PodRow {
        uid: uid.into(),
        name: format!("{component}-6f7c9d8b5-{uid}"),
        component: Some(name(component)),
        owner: Some(PodOwner {
            kind: "ReplicaSet".into(),
            name: format!("{component}-6f7c9d8b5"),
        }),
        phase: "Running".into(),
        ready,
        terminating: false,
        current: true,
        created: ago(185_000),
        ip: Some("10.244.0.7".into()),
        node: Some("practice".into()),
        stale_secrets: false,
        containers: vec![ContainerRow {
            name: component.into(),
            image: format!("todo-{component}:3f9a0c12be77"),
            image_id: "sha256:3f9a0c12be77".into(),
            state: ContainerState::Running {
                since: ago(180_000),
            },
            started: true,
            ready,
            restarts: if ready { 0 } else { 3 },
            last_termination: (!ready).then(|| Termination {
                exit_code: 1,
                reason: "Error".into(),
                message: String::new(),
                finished: Some(ago(30_000)),
            }),
            probes: probes(readiness),
        }],
        why_not_ready: (!ready).then(|| "Readiness probe GET /ready :8000 answers 503".into()),
    }
}

pub fn component(text: &str, rollout: Rollout, ready: u32) -> ComponentLive {
    ComponentLive {
        component: name(text),
        rollout,
        replicas: 2,
        updated: 2,
        ready,
        available: ready,
        restarts: 0,
        image: format!("todo-{text}:3f9a0c12be77"),
        image_proved: Some(true),
        revision: 4,
        previous: Some(3),
        paused: false,
        drill: false,
        service: Some(ServiceRow {
            name: text.into(),
            kind: if text == "frontend" {
                "LoadBalancer"
            } else {
                "ClusterIP"
            }
            .into(),
            ports: vec![if text == "frontend" { 80 } else { 8000 }],
            ready_endpoints: ready,
            load_balancer: if text == "frontend" {
                LoadBalancer::Assigned {
                    address: "127.0.0.1".into(),
                }
            } else {
                LoadBalancer::No
            },
            open_url: (text == "frontend").then(|| "http://127.0.0.1:39017/".into()),
            ways: vec![],
        }),
    }
}

fn event(uid: &str, warning: bool, reason: &str, message: &str, age: i64) -> EventRow {
    EventRow {
        uid: uid.into(),
        kind: "Pod".into(),
        name: "backend-6f7c9d8b5-x2x9q".into(),
        object_uid: "u".into(),
        warning,
        reason: reason.into(),
        message: message.into(),
        count: if warning { 4 } else { 1 },
        at: ago(age),
    }
}

pub fn object(kind: &str, text: &str, change: Change, added: u32, removed: u32) -> PlannedObject {
    let namespace = if kind == "Namespace" { "" } else { "todo" };
    let api_version = if kind == "Deployment" {
        "apps/v1"
    } else {
        "v1"
    };
    PlannedObject {
        key: format!("{api_version}/{kind}/{namespace}/{text}"),
        api_version: api_version.into(),
        kind: kind.into(),
        name: text.into(),
        namespace: namespace.into(),
        source: format!("k8s/{text}.yaml:1"),
        change,
        fields: added.max(removed),
        added,
        removed,
        conflicts: vec![],
        chosen: false,
        problem: None,
    }
}

fn plan() -> DeployPlan {
    DeployPlan {
        hash: "c0ffee".into(),
        at: ago(21_000),
        objects: vec![
            object("Namespace", "todo", Change::Unchanged, 0, 0),
            object("ConfigMap", "todo-config", Change::Unchanged, 0, 0),
            object("Deployment", "backend", Change::Update, 2, 2),
            object("Service", "frontend", Change::Create, 14, 0),
            object("Service", "old-api", Change::Delete, 0, 12),
        ],
        findings: vec![],
    }
}

fn run(kind: RunKind, ending: Option<Outcome>) -> RunView {
    let stage = |id: &str, title: &str, state| Stage {
        id: id.into(),
        title: title.into(),
        component: None,
        state,
    };
    let going = ending.is_none();
    let tail: Vec<LogLine> = (0..14)
        .map(|at| LogLine {
            at: ago(1000 * (20 - at)),
            stage: "backend/build".into(),
            text: format!("   Compiling tokio-stream v0.1.{at} (registry)"),
        })
        .collect();
    RunView {
        id: RunId(7),
        kind,
        started: ago(48_000),
        stages: vec![
            stage(
                "backend/build",
                "Build backend",
                StageState::Succeeded {
                    took_ms: 31_400,
                    note: "todo-backend:3f9a0c12be77, 24.1 MB".into(),
                },
            ),
            stage(
                "frontend/build",
                "Build frontend",
                if going {
                    StageState::Running {
                        since: ago(16_000),
                        progress: Some(Progress {
                            done: 142,
                            total: Some(310),
                            note: "crates".into(),
                        }),
                    }
                } else {
                    StageState::Skipped {
                        why: "unchanged, already in the cluster".into(),
                    }
                },
            ),
            stage(
                "frontend/prove",
                "Find frontend in the cluster",
                StageState::Pending,
            ),
        ],
        lines: 214,
        tail,
        ending: ending.map(|outcome| Ending {
            at: ago(4_000),
            outcome,
        }),
    }
}

/// All six steps done.
pub fn healthy() -> PanelState {
    let pods = [
        pod("x2x9q", "backend", true),
        pod("k8l2m", "frontend", true),
    ];
    let events = [
        event("1", false, "Started", "Started container backend", 182_000),
        event(
            "2",
            false,
            "Pulled",
            "Container image \"todo-backend:3f9a0c12be77\" already present on machine",
            183_000,
        ),
    ];
    PanelState {
        project: Some(project()),
        clusters: clusters(),
        cluster: Some(ClusterView {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            server: "https://127.0.0.1:41235".into(),
            version: Some("v1.35.1".into()),
            freshness: Freshness::heard_at(ago(900)),
            problem: None,
            era: 0,
            access: Access::Free,
            who: None,
            warnings: Vec::new(),
        }),
        steps: BTreeMap::from([
            (
                StepId::Setup,
                done("practice answers and all 4 required checks are ready"),
            ),
            (StepId::Secrets, done("2 of 2 required secrets are set")),
            (StepId::Images, done("2 of 2 images are in the cluster")),
            (StepId::Deploy, done("2 of 2 rollouts are complete")),
            (StepId::Assist, done("Nothing is wrong")),
            (StepId::Live, done("4 of 4 pods are ready")),
        ]),
        checks: checks(),
        secrets: secrets(true),
        images: vec![
            image("backend", 24_100_000, true),
            image("frontend", 231_000_000, true),
        ],
        image_reports: report_fixtures::of([report_fixtures::clean(), report_fixtures::busy()]),
        plan: Some(plan()),
        deployed: Some(DeployedView {
            revision: 4,
            at: ago(200_000),
            objects: 7,
        }),
        components: [("backend", 2), ("frontend", 2)]
            .map(|(text, ready)| (name(text), component(text, Rollout::Complete, ready)))
            .into(),
        own_probes: pods
            .each_ref()
            .map(|pod| (pod.uid.clone(), own_probes(pod)))
            .into(),
        pods: pods.map(|pod| (pod.uid.clone(), pod)).into(),
        events: events.map(|event| (event.uid.clone(), event)).into(),
        watch: Freshness::heard_at(ago(700)),
        viewers: 3,
        ..PanelState::default()
    }
}

/// Just started: nothing set, nothing built.
pub fn fresh() -> PanelState {
    let by = |by| StepState::Blocked { by };
    PanelState {
        steps: BTreeMap::from([
            (
                StepId::Setup,
                done("practice answers and all 4 required checks are ready"),
            ),
            (
                StepId::Secrets,
                StepState::ToDo {
                    hint: "Set 2 required secrets".into(),
                },
            ),
            (
                StepId::Images,
                StepState::ToDo {
                    hint: "Build 2 images".into(),
                },
            ),
            (StepId::Deploy, by(StepId::Secrets)),
            (StepId::Assist, by(StepId::Deploy)),
            (StepId::Live, by(StepId::Deploy)),
        ]),
        secrets: secrets(false),
        images: vec![
            ImageView {
                component: name("backend"),
                builder: Builder::Docker,
                builders: vec![Builder::Docker, Builder::Pack],
                goes: "into minikube profile demo".into(),
                proof: String::new(),
                state: ImageState::NotBuilt,
            },
            image("frontend", 24_000_000, false),
        ],
        image_reports: report_fixtures::before(),
        plan: None,
        deployed: None,
        ownership: None,
        handover: None,
        components: BTreeMap::new(),
        pods: BTreeMap::new(),
        events: BTreeMap::new(),
        viewers: 1,
        ..healthy()
    }
}

/// A build is going.
pub fn building() -> PanelState {
    let mut state = fresh();
    state.steps.insert(
        StepId::Images,
        StepState::Running {
            run: RunId(7),
            hint: "Building frontend, 142 of 310 crates".into(),
        },
    );
    let mut going = run(RunKind::Build, None);
    for stage in &mut going.stages {
        stage.component = stage
            .id
            .split('/')
            .next()
            .and_then(|name| name.parse().ok());
        if stage.id == "backend/build" {
            stage.state = StageState::Running {
                since: ago(48_000),
                progress: None,
            };
        }
    }
    state.runs.insert(RunId(7), going);
    state.builds = crate::builds::going();
    state
}

/// The rollout is stuck on a failing probe.
pub fn failed() -> PanelState {
    let finding = Finding::new(
        "READINESS_FAILING",
        "Backend is not ready",
        "Its readiness probe GET /ready :8000 answers 503, because it cannot reach its database.",
    )
    .about(Subject::Component {
        component: name("backend"),
    })
    .next(NextAction::Open {
        step: StepId::Secrets,
        label: "Check DATABASE_URL".into(),
    })
    .next(NextAction::Do {
        action: Remedy::RestartComponent {
            component: name("backend"),
        },
        label: "Restart backend".into(),
    })
    .next(NextAction::Command {
        command: "kubectl -n todo logs deploy/backend --tail 50".into(),
        why: "Shows the newest lines of the backend".into(),
    })
    .evidence(
        "Pod backend-6f7c9d8b5-x2x9q, container backend, last log lines",
        "error: could not connect to the database\n  caused by: connection timed out",
    );
    let attention = Finding::new(
        "LOAD_BALANCER_PENDING",
        "Frontend has no outside address yet",
        "Nothing in this cluster hands out load balancer addresses.",
    )
    .attention()
    .next(NextAction::Command {
        command: "minikube tunnel".into(),
        why: "Gives LoadBalancer services an address; keep it running".into(),
    });
    let mut state = healthy();
    state.steps.insert(
        StepId::Deploy,
        StepState::Failed {
            finding: Box::new(finding.clone()),
        },
    );
    state.steps.insert(
        StepId::Assist,
        StepState::Failed {
            finding: Box::new(finding.clone()),
        },
    );
    state.steps.insert(
        StepId::Live,
        StepState::Stale {
            why: "1 of 2 pods is not ready any more".into(),
        },
    );
    state.components.insert(
        name("backend"),
        component(
            "backend",
            Rollout::Stuck {
                why: "Deployment exceeded its progress deadline".into(),
            },
            0,
        ),
    );
    state
        .pods
        .insert("x2x9q".into(), pod("x2x9q", "backend", false));
    state.events.insert(
        "3".into(),
        event(
            "3",
            true,
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            4_000,
        ),
    );
    state.image_reports = report_fixtures::of([report_fixtures::broken(), report_fixtures::busy()]);
    state.findings = vec![finding.clone(), attention];
    state.runs.insert(
        RunId(7),
        run(
            RunKind::Deploy,
            Some(Outcome::Failed {
                finding: Box::new(finding),
            }),
        ),
    );
    state
}
