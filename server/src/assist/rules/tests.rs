//! Every rule against a healthy project (nothing to say) and against the fault it is for.

use std::collections::BTreeMap;

use app::model::*;
use serde_json::json;

use super::config::{Complaint, complaint};
use super::diagnose;
use crate::assist::cluster_facts::{ClusterFacts, deployment_facts, service_facts};
use crate::assist::facts::{Facts, LogTails};

const NOW: UnixMillis = UnixMillis(1_000_000);

/// A project that is deployed and well; tests break one thing in it.
struct World {
    state: PanelState,
    cluster: ClusterFacts,
    logs: LogTails,
}

impl World {
    fn healthy() -> Self {
        let mut world = Self {
            state: PanelState::default(),
            cluster: ClusterFacts::default(),
            logs: LogTails::new(),
        };
        world.state.cluster = Some(ClusterView {
            choice: ClusterChoice::Practice,
            kind: ClusterKind::Practice,
            server: "https://127.0.0.1:1".into(),
            version: Some("v1.36.0".into()),
            freshness: Freshness::heard_at(NOW),
            problem: None,
        });
        world.state.project = Some(ProjectView {
            name: "todo".into(),
            root: "/p".into(),
            namespace: "todo".parse().expect("a name"),
            components: vec![component_view("backend", 8000)],
            secret_name: "todo-secrets".into(),
            has_manifests: true,
            has_chart: false,
        });
        world.state.secrets = vec![SecretView {
            key: "DATABASE_URL".parse().expect("a key"),
            label: "Database".into(),
            help: String::new(),
            kind: SecretKind::Text,
            required: true,
            components: vec![name()],
            rehearsal: None,
            state: SecretState::Set {
                fingerprint: "f".into(),
                since: NOW,
            },
        }];
        world.state.images = vec![ImageView {
            component: name(),
            builder: Builder::Pack,
            state: ImageState::InCluster {
                image: built("todo-backend:1"),
                proved: NOW,
            },
        }];
        world.state.components.insert(name(), live());
        world.state.pods.insert("u1".into(), pod());
        world.deployment(
            json!({"app": "backend"}),
            json!([{"containerPort": 8000, "name": "http"}]),
            8000,
        );
        world.service(json!({"app": "backend"}), json!("http"));
        world
    }

    fn deployment(&mut self, labels: serde_json::Value, ports: serde_json::Value, probe: u16) {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "backend"},
            "spec": {"selector": {}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [{
                "name": "backend", "ports": ports,
                "readinessProbe": {"httpGet": {"path": "/ready", "port": probe}}}]}}}
        }))
        .expect("a Deployment");
        self.cluster
            .deployments
            .insert("backend".into(), deployment_facts(&deployment));
    }

    fn service(&mut self, selector: serde_json::Value, target: serde_json::Value) {
        let service = serde_json::from_value(json!({
            "metadata": {"name": "backend"},
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": target}]}
        }))
        .expect("a Service");
        self.cluster
            .services
            .insert("backend".into(), service_facts(&service));
    }

    fn pod(&mut self) -> &mut PodRow {
        self.state.pods.get_mut("u1").expect("the pod")
    }

    fn container(&mut self) -> &mut ContainerRow {
        &mut self.pod().containers[0]
    }

    fn live(&mut self) -> &mut ComponentLive {
        self.state
            .components
            .get_mut(&name())
            .expect("the component")
    }

    fn waits(&mut self, reason: &str, message: &str) {
        self.pod().ready = false;
        let container = self.container();
        container.ready = false;
        container.state = ContainerState::Waiting {
            reason: reason.into(),
            message: message.into(),
        };
    }

    fn probe_fails(&mut self, kind: ProbeKind, message: &str) {
        self.pod().ready = false;
        let container = self.container();
        container.ready = false;
        container.probes.insert(
            kind,
            probe(ProbeVerdict::Failing {
                message: message.into(),
            }),
        );
    }

    fn findings(&self) -> Vec<Finding> {
        diagnose(&Facts {
            state: &self.state,
            cluster: &self.cluster,
            logs: &self.logs,
            now: NOW,
        })
    }

    fn codes(&self) -> Vec<String> {
        self.findings()
            .into_iter()
            .map(|finding| finding.code)
            .collect()
    }

    /// The only finding there is.
    fn only(&self, code: &str) -> Finding {
        let mut findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].code, code);
        assert!(!findings[0].next.is_empty(), "{code} says what to do");
        findings.remove(0)
    }
}

fn name() -> ComponentName {
    "backend".parse().expect("a name")
}

fn component_view(name: &str, port: u16) -> ComponentView {
    ComponentView {
        name: name.parse().expect("a name"),
        image: format!("todo-{name}"),
        port,
        probes: ProbePaths::default(),
        exposed: false,
        size_budget_bytes: Some(1_000),
    }
}

fn built(reference: &str) -> BuiltImage {
    BuiltImage {
        reference: reference.into(),
        id: "sha256:ab".into(),
        size_bytes: 900,
        built: NOW,
        user: "65532".into(),
    }
}

fn live() -> ComponentLive {
    ComponentLive {
        component: name(),
        rollout: Rollout::Complete,
        replicas: 1,
        updated: 1,
        ready: 1,
        available: 1,
        restarts: 0,
        image: "todo-backend:1".into(),
        image_proved: Some(true),
        revision: 1,
        service: Some(ServiceRow {
            name: "backend".into(),
            kind: "ClusterIP".into(),
            ports: vec![80],
            ready_endpoints: 1,
            load_balancer: LoadBalancer::No,
            open_url: None,
        }),
    }
}

fn probe(verdict: ProbeVerdict) -> ProbeLive {
    ProbeLive {
        target: "GET /ready :8000".into(),
        period_s: 5,
        failure_threshold: 3,
        verdict,
    }
}

fn pod() -> PodRow {
    PodRow {
        uid: "u1".into(),
        name: "backend-1".into(),
        component: Some(name()),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        current: true,
        created: UnixMillis(0),
        ip: Some("10.0.0.1".into()),
        node: Some("n".into()),
        stale_secrets: false,
        containers: vec![ContainerRow {
            name: "backend".into(),
            image: "todo-backend:1".into(),
            image_id: "sha256:ab".into(),
            state: ContainerState::Running {
                since: UnixMillis(0),
            },
            started: true,
            ready: true,
            restarts: 0,
            last_termination: None,
            probes: BTreeMap::from([(ProbeKind::Readiness, probe(ProbeVerdict::Passing))]),
        }],
        why_not_ready: None,
    }
}

fn termination(exit_code: i32, reason: &str) -> Termination {
    Termination {
        exit_code,
        reason: reason.into(),
        message: String::new(),
        finished: None,
    }
}

#[test]
fn a_healthy_project_has_no_findings() {
    assert_eq!(World::healthy().findings(), vec![]);
    // Neither has one that is not deployed yet, whatever is unset.
    let mut world = World::healthy();
    world.state.components.clear();
    world.state.pods.clear();
    world.cluster = ClusterFacts::default();
    world.state.secrets[0].state = SecretState::Unset;
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_silent_cluster_hides_everything_else() {
    let mut world = World::healthy();
    world.waits("ErrImageNeverPull", "x");
    let cluster = world.state.cluster.as_mut().expect("a cluster");
    cluster.freshness = Freshness::heard_at(UnixMillis(NOW.0 - 9_000));
    let finding = world.only("CLUSTER_UNREACHABLE");
    assert!(finding.why.contains("9 s ago"), "{}", finding.why);
}

#[test]
fn a_missing_image_names_the_one_that_is_there() {
    let mut world = World::healthy();
    world.waits(
        "ErrImageNeverPull",
        "Container image \"todo-backend:0\" is not present with pull policy of Never",
    );
    world.container().image = "todo-backend:0".into();
    world.live().rollout = Rollout::Stuck {
        why: "exceeded its progress deadline".into(),
    };
    let finding = world.only("IMAGE_NEVER_PULL");
    assert!(finding.why.contains("todo-backend:0") && finding.why.contains("todo-backend:1"));
    assert!(matches!(
        finding.next[0],
        NextAction::Open {
            step: StepId::Deploy,
            ..
        }
    ));

    world.state.images[0].state = ImageState::NotBuilt;
    let finding = world.only("IMAGE_NEVER_PULL");
    assert!(matches!(
        finding.next[0],
        NextAction::Do {
            action: Remedy::BuildImages,
            ..
        }
    ));
}

#[test]
fn an_image_that_cannot_be_fetched_is_its_own_problem() {
    for reason in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"] {
        let mut world = World::healthy();
        world.waits(reason, "no such image");
        assert!(
            world.only("IMAGE_PULL").evidence[0]
                .text
                .contains("no such image")
        );
    }
}

#[test]
fn what_the_kubelet_complains_about_is_read_from_its_message() {
    let secret_key = |key: &str, secret: &str| Complaint::SecretKey {
        key: key.into(),
        secret: secret.into(),
    };
    let cases = [
        (
            "couldn't find key DATABASE_URL in Secret todo/todo-secrets",
            secret_key("DATABASE_URL", "todo-secrets"),
        ),
        (
            "couldn't find key LEVEL in ConfigMap todo/cfg",
            Complaint::ConfigMapKey {
                key: "LEVEL".into(),
                map: "cfg".into(),
            },
        ),
        (
            "secret \"todo-secrets\" not found",
            Complaint::Secret {
                secret: "todo-secrets".into(),
            },
        ),
        (
            "configmap \"cfg\" not found",
            Complaint::ConfigMap { map: "cfg".into() },
        ),
        (
            "container has runAsNonRoot and image will run as root (pod: x)",
            Complaint::Root,
        ),
        ("something else", Complaint::Other),
    ];
    for (message, expected) in cases {
        assert_eq!(complaint(message), expected, "{message}");
    }
}

#[test]
fn a_missing_secret_key_hides_that_it_is_unset() {
    let mut world = World::healthy();
    world.state.secrets[0].state = SecretState::Unset;
    assert_eq!(world.codes(), ["SECRET_NOT_SET"]);
    world.waits(
        "CreateContainerConfigError",
        "couldn't find key DATABASE_URL in Secret todo/todo-secrets",
    );
    let finding = world.only("SECRET_KEY_MISSING");
    assert!(finding.what.contains("DATABASE_URL"));
    assert!(matches!(
        finding.next[0],
        NextAction::Open {
            step: StepId::Secrets,
            ..
        }
    ));
}

#[test]
fn other_config_errors_have_their_own_codes() {
    for (message, code) in [
        ("configmap \"cfg\" not found", "CONFIGMAP_MISSING"),
        (
            "container has runAsNonRoot and image will run as root",
            "RUNS_AS_ROOT",
        ),
        ("mount denied", "CONTAINER_CONFIG"),
    ] {
        let mut world = World::healthy();
        world.waits("CreateContainerConfigError", message);
        assert_eq!(world.only(code).severity, Severity::Failed);
    }
}

#[test]
fn a_crash_shows_exit_code_and_last_words_once() {
    let mut world = World::healthy();
    world.waits(
        "CrashLoopBackOff",
        "back-off 40s restarting failed container",
    );
    world.container().restarts = 3;
    world.container().last_termination = Some(termination(1, "Error"));
    world.container().probes.insert(
        ProbeKind::Readiness,
        probe(ProbeVerdict::Failing {
            message: "x".into(),
        }),
    );
    world.live().rollout = Rollout::Stuck {
        why: "deadline".into(),
    };
    world.logs.insert(
        ("u1".into(), "backend".into()),
        vec!["starting".into(), "error: DATABASE_URL is not set".into()],
    );
    let finding = world.only("CRASH_LOOP");
    assert!(finding.why.contains("exit code 1") && finding.why.contains("3 times"));
    assert!(finding.evidence[0].text.contains("DATABASE_URL is not set"));
    assert!(matches!(
        finding.next[0],
        NextAction::Open {
            step: StepId::Secrets,
            ..
        }
    ));
}

#[test]
fn a_container_that_restarted_and_is_well_is_no_problem() {
    let mut world = World::healthy();
    world.container().restarts = 5;
    world.container().last_termination = Some(termination(1, "Error"));
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn memory_kills_are_not_called_crashes() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "back-off");
    world.container().restarts = 2;
    world.container().last_termination = Some(termination(137, "OOMKilled"));
    world.only("OOM_KILLED");
}

#[test]
fn a_container_killed_by_its_probe_is_the_probe_s_finding() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "back-off");
    world.container().restarts = 2;
    world.container().last_termination = Some(termination(143, "Error"));
    world.container().probes.insert(
        ProbeKind::Liveness,
        probe(ProbeVerdict::Killed {
            message: "HTTP probe failed with statuscode: 404".into(),
        }),
    );
    let finding = world.only("PROBE_FAILING");
    assert!(
        finding.why.contains("no such path (404)"),
        "{}",
        finding.why
    );
}

#[test]
fn probe_messages_give_their_cause_away() {
    for (message, words) in [
        (
            "Get \"http://10.0.0.1:8000/ready\": dial tcp 10.0.0.1:8000: connect: connection refused",
            "nothing listens",
        ),
        ("HTTP probe failed with statuscode: 404", "404"),
        (
            "HTTP probe failed with statuscode: 503",
            "something it needs",
        ),
        (
            "HTTP probe failed with statuscode: 500",
            "answers with an error",
        ),
        ("HTTP probe failed with statuscode: 401", "login"),
        (
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "in time",
        ),
    ] {
        for kind in [
            ProbeKind::Startup,
            ProbeKind::Liveness,
            ProbeKind::Readiness,
        ] {
            let mut world = World::healthy();
            world.probe_fails(kind, message);
            let finding = world.only("PROBE_FAILING");
            assert!(finding.why.contains(words), "{message}: {}", finding.why);
        }
    }
}

#[test]
fn a_starting_program_may_fail_its_startup_probe() {
    let mut world = World::healthy();
    world.probe_fails(ProbeKind::Startup, "connection refused");
    world.container().state = ContainerState::Running {
        since: UnixMillis(NOW.0 - 8_000),
    };
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_service_that_leads_to_no_port_of_the_container_is_found() {
    let mut world = World::healthy();
    world.service(json!({"app": "backend"}), json!(9000));
    let finding = world.only("PORT_MISMATCH");
    assert!(finding.why.contains("9000") && finding.why.contains("8000"));
    // By name as well.
    world.service(json!({"app": "backend"}), json!("web"));
    world.only("PORT_MISMATCH");
    // Without declared ports nobody can tell.
    world.deployment(json!({"app": "backend"}), json!([]), 8000);
    assert_eq!(world.findings(), vec![]);
}

#[test]
fn a_probe_at_a_port_the_container_lacks_is_the_cause_of_its_failing() {
    let mut world = World::healthy();
    world.deployment(
        json!({"app": "backend"}),
        json!([{"containerPort": 8000, "name": "http"}]),
        8080,
    );
    assert_eq!(world.findings(), vec![]);
    world.probe_fails(ProbeKind::Readiness, "connection refused");
    let finding = world.only("PORT_MISMATCH");
    assert!(finding.why.contains("8080"));
}

#[test]
fn a_selector_that_matches_nothing_names_the_label() {
    let mut world = World::healthy();
    world.service(json!({"app": "web"}), json!("http"));
    if let Some(service) = &mut world.live().service {
        service.ready_endpoints = 0;
    }
    let finding = world.only("SELECTOR_MATCHES_NOTHING");
    assert!(
        finding
            .why
            .contains("app=web, and the pods have app=backend"),
        "{}",
        finding.why
    );
}

#[test]
fn a_pending_load_balancer_is_only_an_attention_and_says_what_this_cluster_needs() {
    let mut world = World::healthy();
    if let Some(service) = &mut world.live().service {
        service.load_balancer = LoadBalancer::Pending;
    }
    assert_eq!(
        world.only("LOAD_BALANCER_PENDING").severity,
        Severity::Attention
    );
    world.state.cluster.as_mut().expect("a cluster").kind = ClusterKind::Minikube {
        profile: "mini".into(),
    };
    let finding = world.only("LOAD_BALANCER_PENDING");
    assert!(
        matches!(&finding.next[0], NextAction::Command { command, .. } if command.contains("mini"))
    );
}

#[test]
fn a_stuck_rollout_without_another_cause_is_said() {
    let mut world = World::healthy();
    world.live().rollout = Rollout::Stuck {
        why: "exceeded its progress deadline".into(),
    };
    world.only("ROLLOUT_STUCK");
}

#[test]
fn a_pod_without_a_node_says_what_it_lacks() {
    let mut world = World::healthy();
    let pod = world.pod();
    (pod.ready, pod.phase, pod.node) = (false, "Pending".into(), None);
    pod.containers.clear();
    assert_eq!(world.findings(), vec![]);
    world.state.events.insert(
        "e".into(),
        EventRow {
            uid: "e".into(),
            kind: "Pod".into(),
            name: "backend-1".into(),
            object_uid: "u1".into(),
            warning: true,
            reason: "FailedScheduling".into(),
            message: "0/1 nodes are available: 1 Insufficient memory.".into(),
            count: 1,
            at: NOW,
        },
    );
    assert!(world.only("UNSCHEDULABLE").why.contains("memory"));
}

#[test]
fn refused_pods_are_found_though_there_are_none() {
    let mut world = World::healthy();
    world.state.pods.clear();
    world.live().rollout = Rollout::Stuck {
        why: "deadline".into(),
    };
    let deployment = world
        .cluster
        .deployments
        .get_mut("backend")
        .expect("the Deployment");
    deployment.replica_failure = Some("pods \"x\" is forbidden: exceeded quota: small".into());
    assert!(world.only("QUOTA_OR_ADMISSION").why.contains("quota"));
}

#[test]
fn attention_is_drawn_to_root_size_and_old_secrets() {
    let mut world = World::healthy();
    if let ImageState::InCluster { image, .. } = &mut world.state.images[0].state {
        image.user = String::new();
        image.size_bytes = 2_000;
    }
    world.pod().stale_secrets = true;
    assert_eq!(
        world.codes(),
        ["RUNS_AS_ROOT", "PODS_STALE_SECRETS", "IMAGE_OVER_BUDGET"]
    );
    assert!(
        world
            .findings()
            .iter()
            .all(|finding| finding.severity == Severity::Attention)
    );
}

#[test]
fn pods_on_their_way_out_are_not_judged() {
    let mut world = World::healthy();
    world.waits("CrashLoopBackOff", "x");
    world.container().last_termination = Some(termination(1, "Error"));
    world.pod().terminating = true;
    assert_eq!(world.findings(), vec![]);
    world.pod().terminating = false;
    world.pod().current = false;
    assert_eq!(world.findings(), vec![]);
}
