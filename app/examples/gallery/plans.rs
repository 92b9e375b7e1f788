//! Plans in every state: a change unified and side by side, a conflict, what is forced, what is
//! refused, drift, a plan in the making, hundreds of objects, nothing to do.

use app::components::preview::SeedDiffs;
use app::model::{
    Change, DeployPlan, DiffRow, DriftedObject, FieldChange, FieldConflict, FieldOwner, Finding,
    NextAction, ObjectDiff, PanelState, PlannedObject, Planning, Subject,
};

use super::fixtures::{ago, healthy, object};

const BACKEND: &str = "apps/v1/Deployment/todo/backend";

pub fn scenes() -> Vec<(&'static str, String, PanelState)> {
    let at = |key: &str| format!("/deploy?object={key}");
    vec![
        ("plan-unified", at(BACKEND), healthy()),
        ("plan-split", at(BACKEND) + "&view=split", healthy()),
        ("plan-conflict", at(BACKEND), conflicting(false)),
        ("plan-forced", at(BACKEND), conflicting(true)),
        ("plan-replace", at(BACKEND), replacing()),
        ("plan-advice", at("v1/Service/todo/frontend"), advised()),
        ("plan-making", "/deploy".to_owned(), making()),
        ("plan-drift", at(BACKEND), drifted()),
        ("plan-many", at("v1/ConfigMap/todo/settings-3"), many()),
        ("plan-same", "/deploy".to_owned(), same()),
    ]
}

fn owner(manager: &str) -> FieldOwner {
    FieldOwner {
        manager: manager.into(),
        operation: "Update".into(),
        at: Some(ago(3_720_000)),
    }
}

fn plan_of(state: &mut PanelState) -> &mut DeployPlan {
    state.plan.as_mut().expect("the healthy state has a plan")
}

fn backend(state: &mut PanelState) -> &mut PlannedObject {
    let objects = &mut plan_of(state).objects;
    let found = objects.iter_mut().find(|object| object.key == BACKEND);
    found.expect("the plan has the backend")
}

fn conflicting(chosen: bool) -> PanelState {
    let mut state = healthy();
    let problem = Finding::new(
        "APPLY_CONFLICT",
        "Deployment backend is also managed by kubectl-edit",
        "It has set fields that the manifest sets differently; taking them over could undo its work.",
    );
    let object = backend(&mut state);
    object.chosen = chosen;
    object.conflicts = vec![FieldConflict {
        path: ".spec.template.spec.containers[name=backend].resources.limits.memory".into(),
        theirs: Some("512Mi".into()),
        ours: Some("192Mi".into()),
        owner: owner("kubectl-edit"),
    }];
    if !chosen {
        object.change = Change::Refused;
        object.problem = Some(Box::new(problem.clone()));
        plan_of(&mut state).findings.push(problem);
    }
    state
}

fn replacing() -> PanelState {
    let mut state = healthy();
    let object = backend(&mut state);
    object.change = Change::Replace;
    object.problem = Some(Box::new(Finding::new(
        "IMMUTABLE_FIELD",
        "Deployment backend cannot be changed that way",
        "spec.selector of an object that is there cannot be changed; only a new object can have it.",
    )));
    state
}

fn advised() -> PanelState {
    let mut state = healthy();
    let subject = || Subject::Object {
        kind: "Deployment".into(),
        name: "worker".into(),
    };
    let patch = |patch: &str| NextAction::Patch {
        file: "k8s/worker.yaml".into(),
        patch: patch.into(),
    };
    plan_of(&mut state).findings = vec![
        Finding::new("PROBE_MISSING", "Nobody would notice when worker does not answer", "Without a readiness probe requests reach pods that cannot answer yet; without a liveness probe one that hangs stays.")
            .attention()
            .about(subject())
            .evidence("k8s/worker.yaml:1", "worker has neither a readiness nor a liveness probe")
            .next(patch("spec:\n  template:\n    spec:\n      containers:\n      - name: worker\n        readinessProbe:\n          httpGet:\n            path: /ready\n            port: http\n")),
        Finding::new("RUNS_AS_ROOT", "worker may run as root", "Nothing says that its processes run as another user, so a hole in them is a hole in the node.")
            .attention()
            .about(subject())
            .next(patch("spec:\n  template:\n    spec:\n      securityContext:\n        runAsNonRoot: true\n")),
    ];
    state
}

fn making() -> PanelState {
    let mut state = healthy();
    state.plan = None;
    state.planning = Some(Planning { done: 3, total: 8 });
    state
}

fn drifted() -> PanelState {
    let mut state = healthy();
    let field = |path: &str, before: &str, after: Option<&str>, manager: &str| FieldChange {
        path: path.into(),
        before: Some(before.into()),
        after: after.map(str::to_owned),
        owners: vec![owner(manager)],
    };
    state.drift = Some(vec![
        DriftedObject {
            key: BACKEND.into(),
            kind: "Deployment".into(),
            name: "backend".into(),
            deleted: false,
            fields: vec![
                field(".spec.replicas", "1", Some("3"), "kubectl-patch"),
                field(
                    ".spec.template.spec.containers[name=backend].env[name=RUST_LOG].value",
                    "info",
                    None,
                    "kubectl-edit",
                ),
            ],
            more_fields: 0,
        },
        DriftedObject {
            key: "v1/ConfigMap/todo/todo-config".into(),
            kind: "ConfigMap".into(),
            name: "todo-config".into(),
            deleted: true,
            fields: vec![],
            more_fields: 0,
        },
    ]);
    state
}

fn many() -> PanelState {
    let mut state = healthy();
    plan_of(&mut state).objects = (0..300)
        .map(|at| {
            let change = match at % 5 {
                0 => Change::Create,
                1 => Change::Delete,
                2 => Change::Unchanged,
                _ => Change::Update,
            };
            object(
                "ConfigMap",
                &format!("settings-{at}"),
                change,
                3,
                u32::from(at % 2 == 0),
            )
        })
        .collect();
    state
}

fn same() -> PanelState {
    let mut state = healthy();
    for object in &mut plan_of(&mut state).objects {
        object.change = Change::Unchanged;
        (object.added, object.removed) = (0, 0);
    }
    state.drift = Some(vec![]);
    state
}

/// What the pages would fetch.
pub fn diffs() -> SeedDiffs {
    let same = |text: &str| DiffRow::Same(text.into());
    let changed = |before: &str, after: &str| DiffRow::Changed(before.into(), after.into());
    let mut rows = vec![
        same("apiVersion: apps/v1"),
        same("kind: Deployment"),
        same("metadata:"),
        same("  name: backend"),
        same("  namespace: todo"),
        same("  labels:"),
        same("    app.kubernetes.io/name: backend"),
        same("    app.kubernetes.io/part-of: todo-chatbot"),
        same("spec:"),
        changed("  replicas: 1", "  replicas: 2"),
        same("  template:"),
        same("    spec:"),
        same("      containers:"),
        same("      - name: backend"),
        changed(
            "        image: todo-backend:8812ab03ff10",
            "        image: todo-backend:3f9a0c12be77",
        ),
        same("        env:"),
    ];
    rows.extend([
        same("        - name: API_TOKEN"),
        changed(
            "          value: •••",
            "          value: ••• # another value",
        ),
        DiffRow::Added("        - name: RUST_LOG".into()),
        DiffRow::Added("          value: info".into()),
        DiffRow::Removed("        - name: DEBUG".into()),
        DiffRow::Removed("          value: \"1\"".into()),
    ]);
    rows.extend((0..12).map(|at| same(&format!("        line-{at}: unchanged"))));
    let diff = |rows: Vec<DiffRow>| ObjectDiff {
        rows,
        ..ObjectDiff::default()
    };
    let service = [
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        "  name: frontend",
        "spec:",
        "  type: LoadBalancer",
    ];
    let service = service.map(|line| DiffRow::Added(line.into())).to_vec();
    let long = (0..5_000)
        .map(|at| changed(&format!("    key-{at}: old"), &format!("    key-{at}: new")))
        .collect();
    let all = [
        (BACKEND, rows),
        ("v1/Service/todo/frontend", service),
        ("v1/ConfigMap/todo/settings-3", long),
    ];
    SeedDiffs(all.map(|(key, rows)| (key.to_owned(), diff(rows))).into())
}
