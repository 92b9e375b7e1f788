//! What kubectl shows.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cluster::{KUBECTLS, Place, config_map};

pub async fn objects_are_printed_in_every_form(place: Place) {
    place
        .apply(&[config_map("one", "1"), config_map("two", "2")])
        .await;
    for version in KUBECTLS {
        let get = async |args: &[&str]| {
            let mut all = vec!["get", "cm"];
            all.extend(args);
            place.kubectl_of(version, &all).await
        };
        let own = "app in (one, two)";
        assert_eq!(
            get(&["-l", own, "-o", "name"]).await.ok(),
            "configmap/one\nconfigmap/two"
        );
        let table = get(&["one", "-o", "wide"]).await.ok();
        assert!(table.starts_with("NAME   DATA   AGE\none    1 "), "{table}");
        assert_eq!(get(&["one", "-o", "jsonpath={.data.key}"]).await.ok(), "1");
        get(&["one", "-o", "yaml"]).await.says("kind: ConfigMap");
        get(&["one", "-o", "json"])
            .await
            .says("\"kind\": \"ConfigMap\"");
        let columns = "custom-columns=N:.metadata.name,V:.data.key";
        assert_eq!(
            get(&["-l", "app=two", "-o", columns]).await.ok(),
            "N     V\ntwo   2"
        );
        let template = "go-template={{range .items}}{{.metadata.name}} {{end}}";
        assert_eq!(
            get(&["-l", own, "--sort-by=.data.key", "-o", template])
                .await
                .ok(),
            "one two"
        );
        let one = get(&["--field-selector", "metadata.name=one", "-o", "name"]).await;
        assert_eq!(one.ok(), "configmap/one");
        let paged = get(&["-l", own, "--chunk-size=1", "-o", "name"]).await.ok();
        assert_eq!(paged.lines().count(), 2);
        get(&["-A", "--show-labels"]).await.says(&place.namespace);
        get(&["gone"])
            .await
            .code(1)
            .says("Error from server (NotFound): configmaps \"gone\" not found");
    }
}

pub async fn lists_are_watched(place: Place) {
    for version in KUBECTLS {
        let name = format!("watched-{}", version.replace('.', "-"));
        let mut command =
            place.kubectl_command(version, &["get", "cm", "-w", "-o", "name", "-l", "app"]);
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        place.apply(&[config_map(&name, "1")]).await;
        let seen = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line == format!("configmap/{name}") {
                    return;
                }
            }
            panic!("the watch ended");
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        assert!(
            seen.is_ok(),
            "kubectl {version} does not show the new object"
        );
    }
}

pub async fn every_kind_is_described(place: Place) {
    let meta = |name: &str| json!({"name": name});
    let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app", "image": "x:1"}]}});
    let mut once = pod.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    let selector = json!({"matchLabels": {"a": "b"}});
    place
        .apply(&[
            config_map("it", "1"),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("it"), "stringData": {"k": "v"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("it"), "spec": {"ports": [{"port": 80}]}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("it")}),
            json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": meta("it"), "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}}),
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta("it"), "spec": {"hard": {"secrets": "9"}}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("it"), "spec": {"replicas": 0, "selector": selector, "template": pod}}),
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta("it"), "spec": {"replicas": 0, "serviceName": "it", "selector": selector, "template": pod}}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta("it"), "spec": {"suspend": true, "template": once}}),
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta("it"), "spec": {"schedule": "@yearly", "jobTemplate": {"spec": {"template": once}}}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta("it"), "spec": {"defaultBackend": {"service": {"name": "it", "port": {"number": 80}}}}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("it"), "spec": {"podSelector": {}}}),
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta("it"), "spec": {"minAvailable": 1, "selector": selector}}),
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta("it"), "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "it"}}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta("it"), "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta("it"), "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "it"}, "subjects": [{"kind": "ServiceAccount", "name": "it"}]}),
        ])
        .await;
    for kind in [
        "cm",
        "secret",
        "svc",
        "sa",
        "limits",
        "quota",
        "deploy",
        "sts",
        "job",
        "cj",
        "ing",
        "netpol",
        "pdb",
        "hpa",
        "role",
        "rolebinding",
    ] {
        let said = place.kubectl(&["describe", kind, "it"]).await.ok();
        assert!(said.starts_with("Name:"), "{kind}: {said}");
        let listed = place.kubectl(&["get", kind]).await.ok();
        assert!(listed.starts_with("NAME"), "{kind}: {listed}");
    }
    place
        .kubectl(&["describe", "ns", &place.namespace])
        .await
        .says("Active");
    place
        .kubectl(&["describe", "nodes"])
        .await
        .says("KubeletReady");
}

pub async fn the_server_says_what_it_serves(place: Place) {
    for version in KUBECTLS {
        let ask = async |args: &[&str]| place.kubectl_of(version, args).await;
        ask(&["api-resources"])
            .await
            .says("deployments")
            .says("deploy");
        ask(&[
            "api-resources",
            "--verbs=list",
            "--namespaced",
            "-o",
            "name",
        ])
        .await
        .says("jobs.batch");
        ask(&["api-versions"]).await.says("apps/v1");
        ask(&["version"]).await.says("Server Version: v1.");
        ask(&["cluster-info"]).await.says("is running at");
        ask(&["explain", "deployment.spec.replicas"])
            .await
            .says("FIELD: replicas <integer>");
        ask(&["explain", "pods.spec"]).await.says("containers");
        assert_eq!(ask(&["auth", "can-i", "create", "pods"]).await.ok(), "yes");
        ask(&["auth", "can-i", "--list"]).await.says("[*]");
        ask(&["auth", "whoami"]).await.says("Username");
        assert_eq!(ask(&["get", "--raw", "/readyz"]).await.ok(), "ok");
        ask(&["get", "nonsense"])
            .await
            .refused("the server doesn't have a resource type \"nonsense\"");
    }
}

pub async fn metrics_are_said_to_be_missing(place: Place) {
    let (code, _) = place.get("/apis/metrics.k8s.io/v1beta1").await;
    if code == 200 {
        return;
    }
    for version in KUBECTLS {
        for what in ["nodes", "pods"] {
            let said = place.kubectl_of(version, &["top", what]).await;
            said.refused("error: Metrics API not available");
        }
    }
}
