//! The Deploy page beyond the plan: the Helm side in all its states, rollouts, revisions, ownership.

use app::components::SeedAnswer;
use app::model::*;
use leptos::prelude::provide_context;

use super::fixtures::{NOW, ago, component, healthy, object};

/// What a page would fetch, put into the context.
type Seeds = fn();

pub fn scenes() -> Vec<(&'static str, PanelState, Seeds)> {
    let none: Seeds = || {};
    vec![
        ("helm-deployed", helm(), form),
        ("helm-plan", helm(), plan_update),
        ("helm-conflict", helm(), plan_conflict),
        ("helm-first", first(), plan_install),
        ("helm-taking", taking(), plan_refused),
        ("helm-uninstall", helm(), plan_uninstall),
        ("helm-compare", helm(), compared),
        ("helm-drift", drifted(), form),
        ("helm-stuck", stuck(), form),
        ("helm-failed", failed(), form),
        ("helm-missing", no_helm(), none),
        ("rollouts", rolling(), none),
        ("revisions", revisions(), compared_deploys),
        ("owners", owned(), none),
        ("handover", handover(), none),
        ("handover-blocked", handover_blocked(), none),
    ]
}

fn row(revision: u32, status: ReleaseStatus, age: i64, description: &str) -> RevisionRow {
    RevisionRow {
        revision,
        status,
        updated: Some(ago(age)),
        chart: "todo-chatbot".into(),
        chart_version: "0.3.0".into(),
        app_version: "1.4.2".into(),
        description: description.into(),
    }
}

fn release(revisions: Vec<RevisionRow>) -> ReleaseView {
    ReleaseView {
        name: "todo-chatbot".into(),
        namespace: "todo".into(),
        revisions,
        stuck: None,
        lost: None,
    }
}

fn chart() -> ChartView {
    ChartView {
        path: "chart".into(),
        name: "todo-chatbot".into(),
        version: "0.3.0".into(),
        app_version: "1.4.2".into(),
        description: "A todo list with a chat assistant: backend and frontend".into(),
        values_files: vec!["values-minikube.yaml".into(), "values-team.yaml".into()],
        dependencies: vec![
            Dependency {
                name: "redis".into(),
                alias: Some("cache".into()),
                version: ">=19.0.0 <20.0.0".into(),
                condition: Some("cache.enabled".into()),
                state: DependencyState::Present {
                    version: "19.6.4".into(),
                },
            },
            Dependency {
                name: "common".into(),
                alias: None,
                version: "2.x.x".into(),
                condition: None,
                state: DependencyState::Missing,
            },
        ],
        lint: LintState::Done {
            at: ago(4_000),
            findings: vec![
                Finding::new(
                    "CHART_LINT",
                    "helm lint has a remark about templates/backend.yaml",
                    "object name does not conform to Kubernetes naming requirements.",
                )
                .attention(),
            ],
        },
    }
}

fn tool() -> HelmTool {
    HelmTool::Ready {
        version: "4.1.4".into(),
        major: 4,
        faults: None,
    }
}

/// Deployed by Helm, with a history.
fn helm() -> PanelState {
    let mut state = healthy();
    let mut chart = chart();
    chart.dependencies.pop();
    chart.lint = LintState::Done {
        at: ago(4_000),
        findings: vec![],
    };
    state.deployed = None;
    state.helm = HelmView {
        tool: tool(),
        chart: Some(chart),
        release: Some(release(vec![
            row(4, ReleaseStatus::Deployed, 200_000, "Upgrade complete"),
            row(3, ReleaseStatus::Superseded, 8_400_000, "Rollback to 1"),
            row(
                2,
                ReleaseStatus::Failed,
                8_600_000,
                "Upgrade \"todo-chatbot\" failed: resource Deployment/todo/backend not ready. status: InProgress, message: Available: 0/1\ncontext deadline exceeded",
            ),
            row(1, ReleaseStatus::Superseded, 90_000_000, "Install complete"),
        ])),
        drift: Some(vec![]),
    };
    state.ownership = Some(OwnershipView {
        objects: (0..5).map(|at| owned_object(at, helm_owner())).collect(),
        unfinished: None,
    });
    state
}

fn first() -> PanelState {
    let mut state = helm();
    state.helm.release = Some(release(vec![]));
    state.helm.chart = Some(chart());
    state.ownership = None;
    // Looked at before anything is deployed; the page opens on Helm all the same.
    state.helm.release.as_mut().expect("a release").revisions =
        vec![row(1, ReleaseStatus::Deployed, 1_000, "Install complete")];
    state
}

fn taking() -> PanelState {
    let mut state = helm();
    state.ownership = Some(OwnershipView {
        objects: (0..5)
            .map(|at| {
                let owner = match at {
                    0 | 1 => Owner::Raw,
                    2 => Owner::KubectlApply,
                    _ => helm_owner(),
                };
                owned_object(at, owner)
            })
            .collect(),
        unfinished: None,
    });
    state
}

fn drifted() -> PanelState {
    let mut state = helm();
    state.helm.drift = Some(vec![DriftedObject {
        key: "apps/v1/Deployment/todo/backend".into(),
        kind: "Deployment".into(),
        name: "backend".into(),
        deleted: false,
        fields: vec![FieldChange {
            path: ".spec.replicas".into(),
            before: Some("1".into()),
            after: Some("3".into()),
            owners: vec![FieldOwner {
                manager: "kubectl-scale".into(),
                operation: "Update".into(),
                at: Some(ago(340_000)),
            }],
        }],
        more_fields: 0,
    }]);
    state
}

fn stuck() -> PanelState {
    let mut state = helm();
    state.helm.drift = None;
    let release = state.helm.release.as_mut().expect("a release");
    release.revisions.insert(
        0,
        row(
            5,
            ReleaseStatus::PendingUpgrade,
            640_000,
            "Preparing upgrade",
        ),
    );
    release.revisions[1].status = ReleaseStatus::Deployed;
    release.stuck = Some(StuckRelease {
        revision: 5,
        status: ReleaseStatus::PendingUpgrade,
        holder: Holder::Nobody,
        last_good: Some(4),
        finding: Finding::new(
            "RELEASE_STUCK",
            "Release todo-chatbot is stuck in pending-upgrade",
            "Revision 5 was begun 10 minutes ago and no helm works on it any more: it was killed. Helm refuses every later upgrade until that is undone.",
        )
        .evidence("Processes", "No helm with todo-chatbot runs on this machine"),
    });
    state
}

fn failed() -> PanelState {
    let mut state = stuck();
    let release = state.helm.release.as_mut().expect("a release");
    release.revisions[0].status = ReleaseStatus::Failed;
    release.revisions[0].description = "Upgrade failed: timed out".into();
    let stuck = release.stuck.as_mut().expect("stuck");
    stuck.status = ReleaseStatus::Failed;
    stuck.finding = Finding::new(
        "RELEASE_FAILED",
        "The newest revision of todo-chatbot has failed",
        "What runs may be half of revision 5 and half of revision 4.",
    );
    release.lost = Some("connection refused after 1 s".into());
    state
}

fn no_helm() -> PanelState {
    let mut state = helm();
    state.helm.tool = HelmTool::Unusable {
        finding: Box::new(
            Finding::new(
                "HELM_MISSING",
                "Helm is not installed",
                "No program `helm` was found. Deploying by a chart is done by your own helm, 3 or 4.",
            )
            .next(NextAction::advice("Install helm, then check again; or deploy the raw manifests")),
        ),
    };
    if let Some(chart) = &mut state.helm.chart {
        chart.lint = LintState::Unknown;
    }
    state
}

fn field(path: &[&str], control: ValueControl, text: &str, origin: ValueOrigin) -> ValueField {
    ValueField {
        path: path.iter().map(|part| (*part).to_owned()).collect(),
        label: (*path.last().expect("a path")).to_owned(),
        description: String::new(),
        control,
        text: text.into(),
        default: None,
        origin,
        required: false,
        secret: false,
        problem: None,
    }
}

fn values() -> ValuesForm {
    let plain = || ValueControl::Text {
        pattern: None,
        multiline: false,
    };
    let number = || ValueControl::Number {
        integer: true,
        minimum: Some("0".into()),
        maximum: Some("20".into()),
    };
    let file = || ValueOrigin::File {
        name: "values-minikube.yaml".into(),
    };
    let component = |name: &'static str, edited: bool| {
        let of = |rest: &[&'static str]| -> Vec<&'static str> {
            std::iter::once(name).chain(rest.iter().copied()).collect()
        };
        let replicas = ValueField {
            description: "Number of pods".into(),
            required: true,
            default: Some("1".into()),
            problem: edited.then(|| "maximum: got 50, want 20".into()),
            ..field(
                &of(&["replicas"]),
                number(),
                if edited { "50" } else { "1" },
                if edited {
                    ValueOrigin::Form
                } else {
                    ValueOrigin::Chart
                },
            )
        };
        let image = ValueControl::Group {
            fields: vec![
                field(
                    &of(&["image", "repository"]),
                    plain(),
                    &format!("todo-{name}"),
                    ValueOrigin::Slipway,
                ),
                field(
                    &of(&["image", "tag"]),
                    plain(),
                    "3f9a0c12be77",
                    ValueOrigin::Slipway,
                ),
                field(
                    &of(&["image", "pullPolicy"]),
                    ValueControl::Choice {
                        options: ["Never", "IfNotPresent", "Always"].map(String::from).into(),
                    },
                    "Never",
                    file(),
                ),
            ],
        };
        let fields = vec![
            replicas,
            field(&of(&["image"]), image, "", ValueOrigin::Chart),
            ValueField {
                description: "Requests and limits of the container".into(),
                ..field(
                    &of(&["resources"]),
                    ValueControl::Yaml,
                    "limits:\n  memory: 192Mi\nrequests:\n  cpu: 50m\n  memory: 48Mi",
                    ValueOrigin::Chart,
                )
            },
            field(
                &of(&["extraArgs"]),
                ValueControl::List,
                "--verbose\n--listen=0.0.0.0",
                file(),
            ),
        ];
        field(
            &[name],
            ValueControl::Group { fields },
            "",
            ValueOrigin::Chart,
        )
    };
    let result = |depth, key: &str, value: &str, origin: Option<ValueOrigin>| ResultRow {
        depth,
        key: key.into(),
        value: value.into(),
        origin,
    };
    ValuesForm {
        fields: vec![
            ValueField {
                description: "Name of the Secret with DATABASE_URL, AUTH_SECRET and optionally OPENAI_API_KEY".into(),
                required: true,
                ..field(&["existingSecret"], plain(), "todo-secrets", ValueOrigin::Chart)
            },
            ValueField {
                description: "Whether the chart owns the release's namespace".into(),
                ..field(&["createNamespace"], ValueControl::Switch, "true", file())
            },
            ValueField {
                secret: true,
                ..field(&["adminPassword"], plain(), "•••", ValueOrigin::Chart)
            },
            component("backend", true),
            component("frontend", false),
        ],
        problems: vec![],
        result: vec![
            result(0, "existingSecret", "todo-secrets", Some(ValueOrigin::Chart)),
            result(0, "backend", "", None),
            result(1, "replicas", "50", Some(ValueOrigin::Form)),
            result(1, "image", "", None),
            result(2, "tag", "3f9a0c12be77", Some(ValueOrigin::Slipway)),
            result(2, "pullPolicy", "Never", Some(file())),
        ],
        targets: vec!["values-minikube.yaml".into()],
        findings: vec![],
    }
}

fn form() {
    provide_context(SeedAnswer(values()));
    provide_context(SeedAnswer(RevisionDetail {
        row: row(3, ReleaseStatus::Superseded, 8_400_000, "Rollback to 1"),
        values: "backend:\n  image:\n    tag: 3f9a0c12be77\n  replicas: 2\n".into(),
        notes: "todo-chatbot is deployed to the namespace todo.\n\nOpen it:\n  minikube service frontend -n todo\n".into(),
        manifest: "---\n# Source: todo-chatbot/templates/config.yaml\napiVersion: v1\n".into(),
        hooks: hooks(),
    }));
}

fn hooks() -> Vec<HookView> {
    let hook = |name: &str, event: &str, phase: &str| HookView {
        kind: "Job".into(),
        name: name.into(),
        events: vec![event.into()],
        weight: 0,
        phase: phase.into(),
    };
    vec![
        hook("todo-chatbot-migrate", "pre-upgrade", "Succeeded"),
        hook("todo-chatbot-smoke", "test", ""),
    ]
}

fn seed_plan(wish: ReleaseWish, plan: ReleasePlan) {
    provide_context(SeedAnswer((wish, plan)));
    provide_context(SeedAnswer(values()));
}

fn deploy(force: bool) -> ReleaseWish {
    ReleaseWish::Deploy {
        edits: vec![ValueEdit {
            path: vec!["backend".into(), "replicas".into()],
            text: "2".into(),
        }],
        adopt: false,
        force,
    }
}

fn plan(title: &str, objects: Vec<PlannedObject>, findings: Vec<Finding>) -> ReleasePlan {
    ReleasePlan {
        plan: DeployPlan {
            hash: "c0ffee".into(),
            at: ago(5_000),
            objects,
            findings,
        },
        title: title.into(),
        revision: Some(5),
        kept: vec![],
        hooks: hooks(),
        notes: "todo-chatbot is deployed to the namespace todo.\n".into(),
        warnings: vec![],
    }
}

fn objects(change: Change) -> Vec<PlannedObject> {
    vec![
        object("Deployment", "backend", change, 2, 2),
        object("Service", "frontend", Change::Unchanged, 0, 0),
        object("ConfigMap", "todo-config", Change::Unchanged, 0, 0),
    ]
}

fn plan_update() {
    let mut plan = plan("Upgrade todo-chatbot", objects(Change::Update), vec![]);
    plan.warnings = vec!["unknown field \"spec.template.spec.containers[0].memory\"".into()];
    seed_plan(deploy(false), plan);
}

fn plan_install() {
    let mut plan = plan("Install todo-chatbot", objects(Change::Create), vec![]);
    plan.revision = Some(1);
    plan.kept = vec![
        "CustomResourceDefinition backups.example.com is there already; Helm leaves it as it is"
            .into(),
    ];
    seed_plan(deploy(false), plan);
}

fn plan_conflict() {
    let problem = Finding::new(
        "APPLY_CONFLICT",
        "Deployment backend is also managed by kubectl-edit",
        "It has set fields that the manifest sets differently; taking them over could undo its work.",
    );
    let mut objects = objects(Change::Refused);
    objects[0].conflicts = vec![FieldConflict {
        path: ".spec.replicas".into(),
        theirs: Some("3".into()),
        ours: Some("2".into()),
        owner: FieldOwner {
            manager: "kubectl-edit".into(),
            operation: "Update".into(),
            at: Some(ago(3_720_000)),
        },
    }];
    objects[0].problem = Some(Box::new(problem.clone()));
    seed_plan(
        deploy(false),
        plan("Upgrade todo-chatbot", objects, vec![problem]),
    );
}

fn plan_refused() {
    let owned = Finding::new(
        "OWNED_BY_RAW",
        "2 objects belong to Slipway's raw deploys",
        "Deployment backend and Service backend were applied raw. One project has one owner: Helm would undo what the other does.",
    )
    .next(NextAction::advice("Switch the project to Helm above, or delete them first"));
    seed_plan(
        deploy(false),
        plan("Install todo-chatbot", objects(Change::Update), vec![owned]),
    );
}

fn plan_uninstall() {
    let mut plan = plan("Uninstall todo-chatbot", objects(Change::Delete), vec![]);
    for object in &mut plan.plan.objects {
        object.change = Change::Delete;
    }
    plan.revision = None;
    plan.notes.clear();
    plan.hooks.clear();
    plan.kept = vec![
        "PersistentVolumeClaim todo-data: its annotation helm.sh/resource-policy keeps it".into(),
    ];
    seed_plan(ReleaseWish::Uninstall { keep_history: true }, plan);
}

fn compared() {
    provide_context(SeedAnswer(values()));
    let value = |path: &str, before: Option<&str>, after: Option<&str>| FieldChange {
        path: path.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        owners: vec![],
    };
    provide_context(SeedAnswer(RevisionComparison {
        from: 3,
        to: 4,
        values: ObjectDiff {
            fields: vec![
                value(".backend.replicas", Some("1"), Some("2")),
                value(
                    ".backend.image.tag",
                    Some("8812ab03ff10"),
                    Some("3f9a0c12be77"),
                ),
                value(".config.logFilter", Some("debug,hyper=warn"), None),
            ],
            ..ObjectDiff::default()
        },
        plan: DeployPlan {
            hash: "c0ffee".into(),
            at: NOW,
            objects: objects(Change::Update),
            findings: vec![],
        },
    }));
}

fn rolling() -> PanelState {
    let mut state = healthy();
    let mut add = |name: &str, rollout: Rollout, ready: u32, paused: bool| {
        let mut one = component(name, rollout, ready);
        one.paused = paused;
        state.components.insert(one.component.clone(), one);
    };
    add(
        "backend",
        Rollout::Progressing {
            note: "1 out of 2 new replicas have been updated".into(),
        },
        1,
        false,
    );
    add("frontend", Rollout::Complete, 2, false);
    add(
        "mailer",
        Rollout::Progressing {
            note: "The rollout is paused".into(),
        },
        2,
        true,
    );
    add(
        "search-index-with-a-long-name",
        Rollout::Stuck {
            why: "Deployment exceeded its progress deadline: pod search-index-6f7c9d8b5-x2x9q cannot pull ghcr.example.com/team/search-index:2026-11-20-a1b2c3d4e5f6".into(),
        },
        0,
        false,
    );
    let mut add = |uid: &str, of: &str, current: bool| {
        let mut pod = state.pods[of].clone();
        pod.uid = uid.into();
        pod.current = current;
        state.pods.insert(uid.into(), pod);
    };
    add("old", "x2x9q", false);
    add("second", "k8l2m", true);
    let stage = Stage {
        id: "rollout/backend".into(),
        title: "Restart backend".into(),
        component: None,
        state: StageState::Running {
            since: ago(3_000),
            progress: Some(Progress {
                done: 1,
                total: Some(2),
                note: "pods; 1 out of 2 new replicas have been updated".into(),
            }),
        },
    };
    state.runs.insert(
        RunId(9),
        RunView {
            id: RunId(9),
            kind: RunKind::Restart,
            started: ago(3_000),
            stages: vec![stage],
            lines: 1,
            tail: vec![LogLine {
                at: ago(2_000),
                stage: "rollout/backend".into(),
                text: "1 out of 2 new replicas have been updated".into(),
            }],
            ending: None,
        },
    );
    state
}

fn revisions() -> PanelState {
    let mut state = healthy();
    let images = || {
        vec![
            "todo-backend:3f9a0c12be77".into(),
            "todo-frontend:3f9a0c12be77".into(),
        ]
    };
    let one = |revision, outcome, note: &str, age, counts| DeployRevision {
        revision,
        at: ago(age),
        by: "ada@laptop".into(),
        outcome,
        note: note.into(),
        images: images(),
        counts,
        back_to: (revision == 4).then_some(2),
        has_objects: revision != 1,
    };
    let counts = |created, updated| ChangeCounts {
        created,
        updated,
        ..ChangeCounts::default()
    };
    state.revisions = vec![
        one(5, DeployOutcome::Going, "", 4_000, counts(0, 1)),
        one(4, DeployOutcome::Succeeded, "", 200_000, counts(0, 2)),
        one(
            3,
            DeployOutcome::Failed,
            "ConfigMap todo-config was applied; Deployment backend was not: its readiness probe GET /ready :8000 answers 503",
            900_000,
            counts(0, 1),
        ),
        one(
            2,
            DeployOutcome::Interrupted,
            "Slipway ended in the middle",
            86_400_000,
            counts(1, 0),
        ),
        one(1, DeployOutcome::Succeeded, "", 172_800_000, counts(7, 0)),
    ];
    state
}

fn compared_deploys() {
    provide_context(SeedAnswer(vec![
        RevisionChange {
            kind: "Deployment".into(),
            name: "backend".into(),
            change: Change::Update,
            fields: vec![
                FieldChange {
                    path: ".spec.template.spec.containers[name=backend].image".into(),
                    before: Some("todo-backend:8812ab03ff10".into()),
                    after: Some("todo-backend:3f9a0c12be77".into()),
                    owners: vec![],
                },
                FieldChange {
                    path: ".spec.replicas".into(),
                    before: Some("1".into()),
                    after: Some("2".into()),
                    owners: vec![],
                },
            ],
            more_fields: 4,
        },
        RevisionChange {
            kind: "ConfigMap".into(),
            name: "todo-extra".into(),
            change: Change::Create,
            fields: vec![],
            more_fields: 0,
        },
    ]));
}

fn helm_owner() -> Owner {
    Owner::Helm {
        release: "todo-chatbot".into(),
        namespace: "todo".into(),
    }
}

fn id(at: usize) -> ObjectId {
    let kind = [
        "Deployment",
        "Service",
        "ConfigMap",
        "Deployment",
        "Service",
    ][at % 5];
    let name = ["backend", "backend", "todo-config", "frontend", "frontend"][at % 5];
    ObjectId {
        api_version: if kind == "Deployment" {
            "apps/v1"
        } else {
            "v1"
        }
        .into(),
        kind: kind.into(),
        namespace: "todo".into(),
        name: name.into(),
    }
}

fn owned_object(at: usize, owner: Owner) -> OwnedObject {
    OwnedObject { id: id(at), owner }
}

fn owned() -> PanelState {
    let mut state = healthy();
    let owners = [
        Owner::Raw,
        Owner::Raw,
        Owner::KubectlApply,
        Owner::Controller {
            name: "Argo CD".into(),
        },
        Owner::Other {
            manager: "kubectl-create".into(),
        },
        Owner::OtherProject {
            project: "billing".into(),
        },
    ];
    state.ownership = Some(OwnershipView {
        objects: owners
            .into_iter()
            .enumerate()
            .map(|(at, owner)| owned_object(at, owner))
            .collect(),
        unfinished: None,
    });
    state
}

fn handover() -> PanelState {
    let mut state = healthy();
    state.ownership = Some(OwnershipView {
        objects: (0..5).map(|at| owned_object(at, Owner::Raw)).collect(),
        unfinished: None,
    });
    let mut objects: Vec<HandoverObject> = (0..5)
        .map(|at| HandoverObject {
            id: id(at),
            from: Owner::Raw,
            act: HandoverAct::Take,
        })
        .collect();
    objects[4].act = HandoverAct::Delete;
    state.handover = Some(Handover {
        hash: "c0ffee".into(),
        at: ago(3_000),
        to: DeployMode::Helm,
        release: Some("todo-chatbot".into()),
        objects,
        forgets: Some("4 revision records of the raw deploys".into()),
        findings: vec![],
    });
    state
}

fn handover_blocked() -> PanelState {
    let mut state = handover();
    let handover = state.handover.as_mut().expect("a handover");
    handover.objects.clear();
    handover.findings = vec![Finding::new(
        "OWNED_BY_CONTROLLER",
        "Argo CD puts Deployment backend back by itself",
        "It would undo whatever is deployed here. Take the object out of its application first.",
    )];
    state
}
