use app::model::{
    Access, Builder, BuiltImage, ClusterChoice, ClusterKind, ClusterView, ComponentLive,
    ComponentView, DeployedView, Ending, Freshness, ImageView, LoadBalancer, PodRow, ProbePaths,
    ProjectView, RunId, RunView, ServiceRow,
};

use super::*;

const NOW: UnixMillis = UnixMillis(100_000);

fn name() -> ComponentName {
    "backend".parse().expect("a name")
}

fn built() -> BuiltImage {
    BuiltImage {
        reference: "backend:1".into(),
        id: "sha256:1".into(),
        size_bytes: 1,
        built: NOW,
        user: "1000".into(),
    }
}

/// A project with one component and one secret on a cluster that answers; nothing done yet.
fn fresh() -> PanelState {
    PanelState {
        project: Some(ProjectView {
            name: "p".into(),
            root: "/p".into(),
            namespace: "p".parse().expect("a name"),
            components: vec![ComponentView {
                name: name(),
                image: "backend".into(),
                port: 80,
                probes: ProbePaths::default(),
                exposed: false,
                size_budget_bytes: None,
            }],
            secret_name: "s".into(),
            has_manifests: true,
            has_chart: false,
        }),
        cluster: Some(ClusterView {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            server: "https://127.0.0.1:1".into(),
            version: Some("v1.35.1".into()),
            freshness: Freshness::heard_at(NOW),
            problem: None,
            era: 0,
            access: Access::Free,
            who: None,
            warnings: Vec::new(),
        }),
        secrets: vec![SecretView::of_key("KEY".parse().expect("a key"))],
        watch: Freshness::heard_at(NOW),
        ..PanelState::default()
    }
}

/// Everything done and proved.
fn healthy() -> PanelState {
    let mut state = fresh();
    state.secrets[0].state = SecretState::Set {
        fingerprint: "f".into(),
        since: NOW,
        by: None,
    };
    state.images = vec![ImageView {
        component: name(),
        builder: Builder::Pack,
        builders: vec![Builder::Pack],
        goes: String::new(),
        proof: String::new(),
        state: ImageState::InCluster {
            image: built(),
            proved: NOW,
        },
    }];
    state.deployed = Some(DeployedView {
        revision: 1,
        at: NOW,
        objects: 3,
    });
    state.components.insert(
        name(),
        ComponentLive {
            component: name(),
            rollout: Rollout::Complete,
            replicas: 1,
            updated: 1,
            ready: 1,
            available: 1,
            restarts: 0,
            image: "backend:1".into(),
            image_proved: Some(true),
            revision: 1,
            previous: None,
            paused: false,
            drill: false,
            service: Some(ServiceRow {
                name: "backend".into(),
                kind: "ClusterIP".into(),
                ports: vec![80],
                ready_endpoints: 1,
                load_balancer: LoadBalancer::No,
                open_url: None,
                ways: vec![],
            }),
        },
    );
    state.pods.insert(
        "u".into(),
        PodRow {
            uid: "u".into(),
            name: "backend-1".into(),
            component: Some(name()),
            owner: None,
            phase: "Running".into(),
            ready: true,
            terminating: false,
            current: true,
            created: NOW,
            ip: None,
            node: None,
            stale_secrets: false,
            containers: vec![],
            why_not_ready: None,
        },
    );
    state.steps = gates(&state, NOW);
    state
}

#[test]
fn at_the_start_later_steps_are_blocked_by_what_is_missing() {
    let steps = gates(&fresh(), NOW);
    assert!(steps[&StepId::Setup].is_done());
    assert!(matches!(&steps[&StepId::Secrets], StepState::ToDo { hint } if hint.contains("KEY")));
    assert!(matches!(steps[&StepId::Images], StepState::ToDo { .. }));
    assert_eq!(
        steps[&StepId::Deploy],
        StepState::Blocked {
            by: StepId::Secrets
        }
    );
    assert_eq!(
        steps[&StepId::Live],
        StepState::Blocked { by: StepId::Deploy }
    );
}

#[test]
fn everything_proved_is_done_and_stays_done_since_then() {
    let mut state = healthy();
    assert!(
        state.steps.values().all(StepState::is_done),
        "{:?}",
        state.steps
    );
    let later = UnixMillis(NOW.0 + 1_000);
    state.steps = gates(&state, later);
    assert!(
        state
            .steps
            .values()
            .all(|step| matches!(step, StepState::Done { since, .. } if *since == NOW))
    );
}

#[test]
fn a_silent_cluster_makes_every_done_step_stale() {
    let state = healthy();
    let much_later = UnixMillis(NOW.0 + 60_000);
    let steps = gates(&state, much_later);
    for (step, state) in steps {
        assert!(
            matches!(state, StepState::Stale { .. }),
            "{step:?} is {state:?}"
        );
    }
}

#[test]
fn a_deploy_is_stale_when_another_image_runs_or_a_pod_is_missing() {
    let mut state = healthy();
    let live = state.components.get_mut(&name()).expect("the component");
    live.image_proved = Some(false);
    assert!(matches!(
        gates(&state, NOW)[&StepId::Deploy],
        StepState::Stale { .. }
    ));
    let mut state = healthy();
    state.pods.clear();
    assert!(matches!(
        gates(&state, NOW)[&StepId::Live],
        StepState::Stale { .. }
    ));
}

#[test]
fn a_deploy_is_stale_when_somebody_changed_an_object_behind_our_back() {
    let mut state = healthy();
    state.drift = Some(vec![]);
    assert!(gates(&state, NOW)[&StepId::Deploy].is_done());
    state.drift = Some(vec![app::model::DriftedObject {
        key: "v1/ConfigMap/todo/extra".into(),
        kind: "ConfigMap".into(),
        name: "extra".into(),
        deleted: true,
        fields: vec![],
        more_fields: 0,
    }]);
    let StepState::Stale { why } = &gates(&state, NOW)[&StepId::Deploy] else {
        panic!("it is stale");
    };
    assert!(why.contains("ConfigMap extra was deleted"), "{why}");
    // Helm has its own measure.
    let row = app::model::RevisionRow {
        revision: 1,
        status: app::model::ReleaseStatus::Deployed,
        updated: None,
        chart: "web".into(),
        chart_version: "1.0.0".into(),
        app_version: String::new(),
        description: String::new(),
    };
    state.helm.release = Some(app::model::ReleaseView {
        revisions: vec![row],
        ..app::model::ReleaseView::default()
    });
    assert!(gates(&state, NOW)[&StepId::Deploy].is_done());
    state.helm.drift = state.drift.take();
    assert!(matches!(
        gates(&state, NOW)[&StepId::Deploy],
        StepState::Stale { .. }
    ));
}

#[test]
fn a_failed_finding_fails_assist_and_an_attention_does_not() {
    let mut state = healthy();
    state.findings = vec![Finding::new("X", "x", "x").attention()];
    assert!(gates(&state, NOW)[&StepId::Assist].is_done());
    state.findings = vec![Finding::new("X", "x", "x")];
    assert!(matches!(
        gates(&state, NOW)[&StepId::Assist],
        StepState::Failed { .. }
    ));
}

#[test]
fn a_run_shows_as_running_and_an_interrupted_one_says_what_now() {
    let mut state = fresh();
    let mut run = RunView {
        id: RunId(1),
        kind: RunKind::Build,
        started: NOW,
        stages: vec![],
        tail: vec![],
        lines: 0,
        ending: None,
    };
    state.runs.insert(run.id, run.clone());
    assert!(matches!(
        gates(&state, NOW)[&StepId::Images],
        StepState::Running { run: RunId(1), .. }
    ));
    run.ending = Some(Ending {
        at: NOW,
        outcome: Outcome::Interrupted {
            what_now: "build again".into(),
        },
    });
    state.runs.insert(run.id, run);
    assert_eq!(
        gates(&state, NOW)[&StepId::Images],
        StepState::ToDo {
            hint: "build again".into()
        }
    );
}
