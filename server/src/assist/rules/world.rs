//! The healthy project the rules' tests break one thing in.

use std::collections::BTreeMap;

use app::model::*;
use serde_json::json;

use super::{diagnose, known};
use crate::assist::cluster_facts::{ClusterFacts, deployment_facts, service_facts};
use crate::assist::facts::{Facts, LogTails};

pub const NOW: UnixMillis = UnixMillis(1_000_000);

/// A project that is deployed and well; tests break one thing in it.
pub struct World {
    pub state: PanelState,
    pub cluster: ClusterFacts,
    pub logs: LogTails,
}

impl World {
    pub fn healthy() -> Self {
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
            era: 0,
            access: Access::Free,
            who: None,
            warnings: Vec::new(),
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
            components: vec![name()],
            state: SecretState::Set {
                fingerprint: "f".into(),
                since: NOW,
                by: None,
            },
            users: vec![SecretUser {
                kind: "Deployment".into(),
                name: "backend".into(),
                optional: false,
                takes_all: false,
                told_by: ToldBy::Cluster,
            }],
            ..SecretView::of_key("DATABASE_URL".parse().expect("a key"))
        }];
        world.state.images = vec![ImageView {
            component: name(),
            builder: Builder::Pack,
            builders: vec![Builder::Pack],
            goes: String::new(),
            proof: String::new(),
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
        world.cluster.services_listed = true;
        world
    }

    /// The environment of the component's Deployment, as its manifest has it.
    pub fn environment(&mut self, name: &str, value: &str) {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "backend", "namespace": "todo"},
            "spec": {"selector": {}, "template": {"metadata": {"labels": {"app": "backend"}}, "spec": {
                "initContainers": [{"name": "migrate", "image": "todo-backend:1"}],
                "containers": [{
                    "name": "backend", "image": "todo-backend:1", "ports": [{"containerPort": 8000, "name": "http"}],
                    "env": [{"name": name, "value": value}]}]}}}
        }))
        .expect("a Deployment");
        self.cluster
            .deployments
            .insert("backend".into(), deployment_facts(&deployment));
    }

    /// It ended like that, again and again, and these were its last lines.
    pub fn crashes(&mut self, end: Termination, lines: &[&str]) {
        self.waits(
            "CrashLoopBackOff",
            "back-off 40s restarting failed container",
        );
        self.container().restarts = 3;
        self.container().last_termination = Some(end);
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        self.logs.insert(("u1".into(), "backend".into()), lines);
    }

    pub fn deployment(&mut self, labels: serde_json::Value, ports: serde_json::Value, probe: u16) {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "backend"},
            "spec": {"selector": {}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [{
                "name": "backend", "image": "todo-backend:1", "ports": ports,
                "readinessProbe": {"httpGet": {"path": "/ready", "port": probe}}}]}}}
        }))
        .expect("a Deployment");
        self.cluster
            .deployments
            .insert("backend".into(), deployment_facts(&deployment));
    }

    pub fn service(&mut self, selector: serde_json::Value, target: serde_json::Value) {
        let service = serde_json::from_value(json!({
            "metadata": {"name": "backend"},
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": target}]}
        }))
        .expect("a Service");
        self.cluster
            .services
            .insert("backend".into(), service_facts(&service));
    }

    pub fn pod(&mut self) -> &mut PodRow {
        self.state.pods.get_mut("u1").expect("the pod")
    }

    pub fn container(&mut self) -> &mut ContainerRow {
        &mut self.pod().containers[0]
    }

    pub fn live(&mut self) -> &mut ComponentLive {
        self.state
            .components
            .get_mut(&name())
            .expect("the component")
    }

    pub fn waits(&mut self, reason: &str, message: &str) {
        self.pod().ready = false;
        let container = self.container();
        container.ready = false;
        container.state = ContainerState::Waiting {
            reason: reason.into(),
            message: message.into(),
        };
    }

    pub fn probe_fails(&mut self, kind: ProbeKind, message: &str) {
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

    pub fn event(&mut self, kind: &str, name: &str, reason: &str, message: &str) {
        let event = EventRow {
            uid: name.into(),
            kind: kind.into(),
            name: name.into(),
            object_uid: "u1".into(),
            warning: true,
            reason: reason.into(),
            message: message.into(),
            count: 1,
            at: NOW,
        };
        self.state.events.insert(name.into(), event);
    }

    /// A run of this kind is going.
    pub fn runs(&mut self, kind: RunKind) {
        let run = RunView {
            id: RunId(1),
            kind,
            started: NOW,
            stages: vec![],
            tail: vec![],
            lines: 0,
            ending: None,
        };
        self.state.runs.insert(run.id, run);
    }

    pub fn findings(&self) -> Vec<Finding> {
        diagnose(&Facts {
            state: &self.state,
            cluster: &self.cluster,
            // Without a line nobody reads logs.
            logs: (!self.logs.is_empty()).then_some(&self.logs),
            now: NOW,
        })
    }

    pub fn codes(&self) -> Vec<String> {
        self.findings()
            .into_iter()
            .map(|finding| finding.code)
            .collect()
    }

    /// The only finding there is.
    pub fn only(&self, code: &str) -> Finding {
        let mut findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].code, code);
        assert!(!findings[0].next.is_empty(), "{code} says what to do");
        assert!(known(code).is_some(), "{code} is a code of the rules");
        findings.remove(0)
    }
}

pub fn name() -> ComponentName {
    "backend".parse().expect("a name")
}

pub fn component_view(name: &str, port: u16) -> ComponentView {
    ComponentView {
        name: name.parse().expect("a name"),
        image: format!("todo-{name}"),
        port,
        probes: ProbePaths::default(),
        exposed: false,
        size_budget_bytes: Some(1_000),
    }
}

pub fn built(reference: &str) -> BuiltImage {
    BuiltImage {
        reference: reference.into(),
        id: "sha256:ab".into(),
        size_bytes: 900,
        built: NOW,
        user: "65532".into(),
    }
}

pub fn live() -> ComponentLive {
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
    }
}

pub fn probe(verdict: ProbeVerdict) -> ProbeLive {
    ProbeLive {
        target: "GET /ready :8000".into(),
        period_s: 5,
        failure_threshold: 3,
        verdict,
    }
}

pub fn pod() -> PodRow {
    PodRow {
        uid: "u1".into(),
        name: "backend-1".into(),
        component: Some(name()),
        owner: None,
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

pub fn termination(exit_code: i32, reason: &str) -> Termination {
    Termination {
        exit_code,
        reason: reason.into(),
        message: String::new(),
        finished: None,
    }
}
