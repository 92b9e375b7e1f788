//! Every rule fires where it must and keeps quiet where it must.

use std::collections::BTreeSet;
use std::path::Path;

use app::model::{ClusterKind, NextAction, SecretKind, Severity};
use serde_json::{Value, json};

use super::world::minor;
use super::*;
use crate::project::{DeploySpec, ProjectSpec, SecretSpec};

fn project() -> ProjectSpec {
    let secret = |key: &str, optional| SecretSpec {
        key: key.parse().expect("a key"),
        label: String::new(),
        help: String::new(),
        kind: SecretKind::Text,
        optional,
        components: vec![],
        rehearsal: None,
        test_url: None,
    };
    ProjectSpec {
        name: "todo".into(),
        namespace: "todo".parse().expect("a name"),
        registry: None,
        secret_name: "todo-secrets".into(),
        components: vec![],
        secrets: vec![secret("A", false), secret("B", true)],
        deploy: DeploySpec::default(),
    }
}

/// A container about which no rule says anything.
fn container() -> Value {
    json!({"name": "app", "image": "acme/app:1.2", "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8000}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"runAsNonRoot": true}})
}

fn deployment(container: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {"replicas": 1,
        "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container]}}}})
}

/// The good container with something changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut container = container();
    change(&mut container);
    deployment(container)
}

fn service(selector: Value, target: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"},
        "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": target}]}})
}

fn found(objects: &[&Value], world: &World<'_>) -> Vec<Finding> {
    let items: Vec<Item<'_>> = objects
        .iter()
        .map(|object| Item {
            object,
            source: "k8s/app.yaml:3",
        })
        .collect();
    check(&items, world)
}

fn codes(objects: &[&Value], world: &World<'_>) -> Vec<String> {
    let findings = found(objects, world);
    for finding in &findings {
        assert!(!finding.next.is_empty(), "{} says what to do", finding.code);
    }
    findings.into_iter().map(|finding| finding.code).collect()
}

fn alone(object: &Value) -> Vec<String> {
    codes(&[object], &World::default())
}

fn with_keys(kind: &'static str, name: &str, keys: Option<&[&str]>) -> World<'static> {
    let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
    World {
        keys: [((kind, name.to_owned()), keys)].into(),
        ..World::default()
    }
}

#[test]
fn a_careful_deployment_has_no_findings() {
    assert!(alone(&with(|_| {})).is_empty());
}

#[test]
fn the_bundled_example_has_no_findings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    let shown = Path::new("k8s");
    let reading = crate::deploy::manifests::read(&root.join(shown), shown);
    assert!(reading.findings.is_empty() && reading.manifests.len() >= 5);
    let spec = crate::project::Project::load(&root)
        .expect("a project")
        .spec();
    let keys = spec.secrets.iter().map(|secret| secret.key.to_string());
    let mut proved = std::collections::BTreeMap::new();
    for component in &spec.components {
        let image = app::model::BuiltImage {
            reference: format!("{}:1", component.image),
            id: "sha256:1".into(),
            size_bytes: 0,
            built: app::model::UnixMillis(0),
            user: "10001".into(),
        };
        proved.insert(component.name.clone(), image);
    }
    let world = World {
        project: Some(&spec),
        minor: Some(36),
        kind: Some(ClusterKind::Practice),
        keys: [(
            ("Secret", spec.secret_name.clone()),
            Some(keys.collect::<BTreeSet<_>>()),
        )]
        .into(),
        proved,
    };
    let items: Vec<Item<'_>> = reading
        .manifests
        .iter()
        .map(|manifest| Item {
            object: &manifest.object,
            source: &manifest.source,
        })
        .collect();
    let findings = check(&items, &world);
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn missing_probes_are_told_with_a_patch_that_names_the_port() {
    let lacking = with(|container| {
        container
            .as_object_mut()
            .expect("a map")
            .remove("readinessProbe");
    });
    let findings = found(&[&lacking], &World::default());
    assert_eq!(findings[0].code, "PROBE_MISSING");
    assert_eq!(findings[0].severity, Severity::Attention);
    let NextAction::Patch { file, patch } = &findings[0].next[0] else {
        panic!("a patch comes first");
    };
    assert_eq!(file, "k8s/app.yaml");
    let patch: Value = serde_yaml::from_str(patch).expect("it is YAML");
    let fix = &patch["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(fix["name"], "app");
    assert_eq!(fix["readinessProbe"]["httpGet"]["port"], "http");
    let mut job = lacking.clone();
    job["kind"] = json!("Job");
    assert!(alone(&job).is_empty(), "a Job answers nobody");
}

#[test]
fn a_probe_must_ask_a_port_the_container_has() {
    let asks = |port: Value| {
        alone(&with(|container| {
            container["livenessProbe"]["httpGet"]["port"] = port
        }))
    };
    assert_eq!(asks(json!(9000)), ["PROBE_PORT_MISMATCH"]);
    assert_eq!(asks(json!("web")), ["PROBE_PORT_MISMATCH"]);
    assert!(asks(json!("http")).is_empty() && asks(json!(8000)).is_empty());
    let undeclared = with(|container| {
        container.as_object_mut().expect("a map").remove("ports");
        container["readinessProbe"]["httpGet"]["port"] = json!(8000);
    });
    assert!(alone(&undeclared).is_empty(), "declaring ports is optional");
}

#[test]
fn requests_and_a_memory_limit_are_missed() {
    let without = |field: &str| {
        alone(&with(|container| {
            let resources = container["resources"].as_object_mut().expect("a map");
            resources.remove(field);
        }))
    };
    assert_eq!(without("requests"), ["RESOURCES_MISSING"]);
    assert_eq!(without("limits"), ["RESOURCES_MISSING"]);
}

#[test]
fn root_and_what_comes_near_it_are_told() {
    let context = |context: Value| {
        alone(&with(|container| {
            container["securityContext"] = context.clone()
        }))
    };
    assert_eq!(context(json!({})), ["RUNS_AS_ROOT"]);
    assert_eq!(
        context(json!({"runAsUser": 0, "runAsNonRoot": false})),
        ["RUNS_AS_ROOT"]
    );
    assert!(context(json!({"runAsUser": 1000})).is_empty());
    assert_eq!(
        context(json!({"runAsUser": 1000, "privileged": true, "allowPrivilegeEscalation": true})),
        ["PRIVILEGED"]
    );
    assert_eq!(
        context(json!({"runAsUser": 1000, "allowPrivilegeEscalation": true})),
        ["PRIVILEGE_ESCALATION"]
    );
    assert!(context(json!({"runAsUser": 1000, "allowPrivilegeEscalation": false})).is_empty());
    let mut host = with(|_| {});
    host["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    assert_eq!(alone(&host), ["PRIVILEGED"]);
    let mut mount = with(|_| {});
    mount["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "v", "hostPath": {"path": "/var/run"}}, {"name": "w", "emptyDir": {}}]);
    assert_eq!(alone(&mount), ["HOST_PATH"]);
    mount["spec"]["template"]["spec"]["volumes"] = json!([{"name": "w", "emptyDir": {}}]);
    assert!(alone(&mount).is_empty());
}

#[test]
fn tags_that_move_are_told_and_digests_are_not() {
    for (image, moves) in [
        ("acme/app", true),
        ("acme/app:latest", true),
        ("registry:5000/acme/app", true),
        ("acme/app:1.2", false),
        ("acme/app@sha256:abc", false),
        ("registry:5000/acme/app:1", false),
    ] {
        let object = with(|container| container["image"] = json!(image));
        assert_eq!(alone(&object) == ["IMAGE_TAG_MOVES"], moves, "{image}");
    }
    let never = with(|container| container["imagePullPolicy"] = json!("Never"));
    assert_eq!(alone(&never), ["IMAGE_NEVER_PULL"]);
    let present = with(|container| container["imagePullPolicy"] = json!("IfNotPresent"));
    assert!(alone(&present).is_empty());
}

#[test]
fn a_key_pods_cannot_start_without_is_missed() {
    let by_key = |key: &str, optional: bool| {
        with(|container| {
            container["env"] = json!([{"name": key, "valueFrom":
                {"secretKeyRef": {"name": "todo-secrets", "key": key, "optional": optional}}}]);
        })
    };
    let whole = with(|container| {
        container["envFrom"] = json!([{"secretRef": {"name": "todo-secrets"}}]);
    });
    let project = project();
    let world = |keys: Option<&[&str]>| World {
        project: Some(&project),
        ..with_keys("Secret", "todo-secrets", keys)
    };
    let missing = ["SECRET_KEY_MISSING"];
    assert_eq!(codes(&[&by_key("A", false)], &world(Some(&[]))), missing);
    assert_eq!(codes(&[&by_key("A", false)], &world(None)), missing);
    assert!(codes(&[&by_key("A", false)], &world(Some(&["A"]))).is_empty());
    assert!(codes(&[&by_key("A", true)], &world(Some(&[]))).is_empty());
    assert!(alone(&by_key("A", false)).is_empty(), "nobody may look");
    assert_eq!(codes(&[&whole], &world(Some(&[]))), missing);
    assert!(codes(&[&whole], &world(Some(&["A"]))).is_empty());
    let here =
        json!({"kind": "Secret", "metadata": {"name": "todo-secrets"}, "stringData": {"A": "x"}});
    assert!(codes(&[&by_key("A", false), &here], &world(Some(&[]))).is_empty());
}

#[test]
fn foreign_secrets_and_config_maps_must_be_there_with_their_keys() {
    let reads = with(|container| {
        container["env"] = json!([
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "x"}}},
            {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "y"}}}]);
    });
    let code = |world: &World<'_>| codes(&[&reads], world);
    assert_eq!(
        code(&with_keys("ConfigMap", "conf", None)),
        ["CONFIGMAP_MISSING"]
    );
    assert_eq!(
        code(&with_keys("ConfigMap", "conf", Some(&["z"]))),
        ["CONFIGMAP_MISSING"]
    );
    assert!(code(&with_keys("ConfigMap", "conf", Some(&["x"]))).is_empty());
    assert_eq!(
        code(&with_keys("Secret", "sec", None)),
        ["SECRET_OBJECT_MISSING"]
    );
    assert_eq!(
        code(&with_keys("Secret", "sec", Some(&[]))),
        ["SECRET_KEY_MISSING"]
    );
    assert!(code(&with_keys("Secret", "sec", Some(&["y"]))).is_empty());
    let here = json!({"kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"x": "1"}});
    assert!(codes(&[&reads, &here], &World::default()).is_empty());
}

#[test]
fn a_service_must_lead_to_pods_and_to_a_port_they_have() {
    let pods = with(|_| {});
    let of = |selector: Value, target: Value| {
        codes(&[&pods, &service(selector, target)], &World::default())
    };
    let app = || json!({"app": "app"});
    assert!(of(app(), json!(8000)).is_empty());
    assert!(of(app(), json!("http")).is_empty());
    assert_eq!(of(app(), json!(9000)), ["SERVICE_PORT_MISMATCH"]);
    assert_eq!(of(app(), json!("web")), ["SERVICE_PORT_MISMATCH"]);
    assert_eq!(
        of(app(), Value::Null),
        ["SERVICE_PORT_MISMATCH"],
        "the port itself counts then"
    );
    assert_eq!(
        of(json!({"app": "other"}), json!(8000)),
        ["SELECTOR_MATCHES_NOTHING"]
    );
    assert!(
        of(json!({}), json!(8000)).is_empty(),
        "endpoints made by hand"
    );
}

#[test]
fn a_load_balancer_on_minikube_needs_a_tunnel() {
    let pods = with(|_| {});
    let mut service = service(json!({"app": "app"}), json!(8000));
    service["spec"]["type"] = json!("LoadBalancer");
    let on = |kind| {
        let world = World {
            kind: Some(kind),
            ..World::default()
        };
        codes(&[&pods, &service], &world)
    };
    let profile = || "minikube".parse().expect("a profile");
    assert_eq!(
        on(ClusterKind::Minikube { profile: profile() }),
        ["LOAD_BALANCER_PENDING"]
    );
    assert!(on(ClusterKind::Practice).is_empty());
}

#[test]
fn an_api_version_is_measured_by_the_servers_own() {
    let on = |object: Value, minor: Option<u32>| {
        let world = World {
            minor,
            ..World::default()
        };
        codes(&[&object], &world)
    };
    let cron =
        || json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "c"}});
    assert_eq!(on(cron(), Some(25)), ["API_REMOVED"]);
    assert_eq!(on(cron(), Some(24)), ["API_DEPRECATED"]);
    assert!(on(cron(), Some(20)).is_empty() && on(cron(), None).is_empty());
    let now = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}});
    assert!(on(now, Some(36)).is_empty());
    let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "e"}});
    assert_eq!(on(endpoints, Some(36)), ["API_DEPRECATED"]);
    assert_eq!(minor("v1.35.1"), Some(35));
    assert_eq!(minor("v1.30+"), Some(30));
    assert_eq!(minor("nonsense"), None);
}

#[test]
fn the_same_object_twice_is_told() {
    let one = with(|_| {});
    assert_eq!(codes(&[&one, &one], &World::default()), ["MANIFEST_DOUBLE"]);
    let mut other = one.clone();
    other["metadata"]["name"] = json!("other");
    assert!(codes(&[&one, &other], &World::default()).is_empty());
}

#[test]
fn one_pod_that_may_go_before_the_next_is_ready_is_told() {
    let rolling = |rolling: Value, replicas: u8| {
        let mut object = with(|_| {});
        object["spec"]["replicas"] = replicas.into();
        object["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
        alone(&object)
    };
    assert_eq!(
        rolling(json!({"maxUnavailable": 1}), 1),
        ["ROLLOUT_DOWNTIME"]
    );
    assert_eq!(
        rolling(json!({"maxUnavailable": "100%"}), 1),
        ["ROLLOUT_DOWNTIME"]
    );
    assert!(
        rolling(json!({"maxUnavailable": "25%"}), 1).is_empty(),
        "it is rounded down"
    );
    assert!(rolling(json!({"maxUnavailable": 1}), 2).is_empty());
    assert!(rolling(json!({"maxUnavailable": 0, "maxSurge": 1}), 1).is_empty());
}

#[test]
fn a_budget_that_lets_no_pod_go_is_told() {
    let pods = with(|_| {});
    let budget = |spec: Value| {
        let mut object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": spec});
        object["spec"]["selector"] = json!({"matchLabels": {"app": "app"}});
        codes(&[&pods, &object], &World::default())
    };
    assert_eq!(budget(json!({"minAvailable": 1})), ["PDB_BLOCKS"]);
    assert_eq!(budget(json!({"maxUnavailable": 0})), ["PDB_BLOCKS"]);
    assert!(budget(json!({"maxUnavailable": 1})).is_empty());
    assert!(budget(json!({"minAvailable": 0})).is_empty());
}
