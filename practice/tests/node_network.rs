//! Pods and Services: cluster addresses, names, node ports and load balancers reach real endpoints.
#![cfg(target_os = "linux")]

mod node_support;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::PostParams;
use node_support::{Cluster, NAMESPACE, get, pod_ip};
use practice::api::pod_backend::{
    ExecEnd, ExecRequest, ExecSession, PodBackend, PodRef, TerminalSize,
};
use serde_json::{Value, json};

async fn serve(cluster: &Cluster, name: &str) -> Value {
    let probe =
        json!({"readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}});
    cluster
        .run(name, &["serve", "8000"], probe, json!({}))
        .await;
    cluster.until_ready(name).await
}

/// A Service with endpoints written by hand, as the controllers would.
async fn expose(cluster: &Cluster, name: &str, kind: &str, port: u16, ips: &[String]) -> Service {
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"type": kind, "selector": {"none": "none"},
            "ports": [{"name": "http", "port": port, "targetPort": 8000}]}
    }))
    .expect("a service");
    let service = services
        .create(&PostParams::default(), &service)
        .await
        .expect("accepted");
    let endpoints: Vec<Value> = ips
        .iter()
        .map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}}))
        .collect();
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": {"name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}]
    }))
    .expect("a slice");
    let slices: Api<EndpointSlice> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    slices
        .create(&PostParams::default(), &slice)
        .await
        .expect("accepted");
    service
}

async fn until(address: &str, path: &str, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let got = get(address, path).await;
        if got.as_deref().is_ok_and(|body| body == expected) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{address}{path}: {got:?} instead of {expected}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_reaches_a_service_by_address_and_by_every_name() {
    let cluster = Cluster::start().await;
    let back = serve(&cluster, "back").await;
    let front = serve(&cluster, "front").await;
    let service = expose(&cluster, "backend", "ClusterIP", 80, &[pod_ip(&back)]).await;
    let cluster_ip = service
        .spec
        .and_then(|spec| spec.cluster_ip)
        .expect("an address");
    let address = format!("{}:8000", pod_ip(&front));
    until(&address, &format!("/call/{cluster_ip}:80"), "back").await;
    for name in [
        "backend",
        "backend.default",
        "backend.default.svc",
        "backend.default.svc.cluster.local",
    ] {
        until(&address, &format!("/call/{name}:80"), "back").await;
    }
    let refused = get(&address, &format!("/call/{cluster_ip}:81"))
        .await
        .expect("an answer");
    assert!(refused.contains("refused"), "{refused}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_ready_endpoints_refuses() {
    let cluster = Cluster::start().await;
    let front = serve(&cluster, "front").await;
    let service = expose(&cluster, "empty", "ClusterIP", 80, &[]).await;
    let cluster_ip = service
        .spec
        .and_then(|spec| spec.cluster_ip)
        .expect("an address");
    let address = format!("{}:8000", pod_ip(&front));
    let refused = get(&address, &format!("/call/{cluster_ip}:80"))
        .await
        .expect("an answer");
    assert!(refused.contains("refused"), "{refused}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_listens_on_this_machine_and_says_so() {
    let cluster = Cluster::start().await;
    let web = serve(&cluster, "web").await;
    let port = free_port();
    expose(&cluster, "web", "LoadBalancer", port, &[pod_ip(&web)]).await;
    until(&format!("127.0.0.1:{port}"), "/", "web").await;
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let service =
            serde_json::to_value(services.get("web").await.expect("it exists")).expect("JSON");
        if service["status"]["loadBalancer"]["ingress"][0]["ip"] == "127.0.0.1" {
            let node_port = service["spec"]["ports"][0]["nodePort"]
                .as_u64()
                .expect("a node port");
            until(&format!("127.0.0.1:{node_port}"), "/", "web").await;
            break;
        }
        assert!(Instant::now() < deadline, "{service:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_whose_port_is_taken_stays_pending_and_says_why() {
    let cluster = Cluster::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    expose(&cluster, "taken", "LoadBalancer", port, &[]).await;
    cluster
        .until_event(
            "taken",
            &format!("Cannot listen on 127.0.0.1:{port} for the load balancer port"),
        )
        .await;
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let service =
        serde_json::to_value(services.get("taken").await.expect("it exists")).expect("JSON");
    assert!(service["status"]["loadBalancer"]["ingress"].is_null());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_shows_what_it_is_and_which_images_it_holds() {
    let cluster = Cluster::start().await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let node =
        serde_json::to_value(nodes.get("practice").await.expect("registered")).expect("JSON");
    assert_eq!(node["status"]["addresses"][0]["address"], "127.0.0.1");
    assert_eq!(
        node["status"]["nodeInfo"]["containerRuntimeVersion"],
        "slipway-practice://0.1.0"
    );
    let names = node["status"]["images"][0]["names"]
        .as_array()
        .expect("names");
    assert!(
        names[0]
            .as_str()
            .is_some_and(|name| name.ends_with("/testpod:v1")),
        "{names:?}"
    );
    assert!(
        names[1]
            .as_str()
            .is_some_and(|name| name.contains("/testpod@sha256:")),
        "{names:?}"
    );
    assert!(
        node["status"]["images"][0]["sizeBytes"]
            .as_u64()
            .is_some_and(|size| size > 0)
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_inside_the_container_and_leaves_it_alone() {
    let cluster = Cluster::start().await;
    let web = serve(&cluster, "web").await;
    let pod = pod_ref(&web);
    let request = ExecRequest {
        command: ["/app/practice-testpod", "cat", "/etc/hostname"]
            .map(str::to_owned)
            .into(),
        stdout: true,
        ..ExecRequest::default()
    };
    let mut session = cluster
        .node
        .exec(&pod, "app", request)
        .await
        .expect("it starts");
    let mut text = Vec::new();
    while let Some(bytes) = session.stdout.recv().await {
        text.extend_from_slice(&bytes);
    }
    assert_eq!(String::from_utf8_lossy(&text), "web\n");
    assert_eq!(session.end.await.expect("it ends"), ExecEnd::Exited(0));
    let after = cluster.until_ready("web").await;
    assert_eq!(node_support::container(&after)["restartCount"], 0);
    assert!(cluster.node.dial(&pod, 8000).await.is_ok());
    assert!(cluster.node.dial(&pod, 8001).await.is_err());
    cluster.stop().await;
}

fn pod_ref(pod: &Value) -> PodRef {
    let metadata = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    PodRef {
        namespace: metadata("namespace"),
        name: metadata("name"),
        uid: metadata("uid"),
    }
}

/// Reads on until this was said; what came up to then.
async fn until_said(session: &mut ExecSession, words: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.contains(words) {
            let bytes = session.stdout.recv().await.expect("it goes on");
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(read.is_ok(), "{words:?} was not said, but {text:?}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_in_a_terminal_is_measured_interrupted_and_ended() {
    let cluster = Cluster::start().await;
    let web = serve(&cluster, "web").await;
    let pod = pod_ref(&web);
    let request = ExecRequest {
        command: vec!["/bin/sh".into()],
        stdin: true,
        stdout: true,
        tty: true,
        ..ExecRequest::default()
    };
    let mut session = cluster
        .node
        .exec(&pod, "app", request)
        .await
        .expect("it starts");
    let keys = session.stdin.clone().expect("it takes keys");
    let sizes = session.resize.clone().expect("it has a size");
    let type_in = async |text: &'static str| {
        let sent = keys.send(text.as_bytes().into()).await;
        sent.expect("it listens");
    };
    // Typed text is shown as well, so what is waited for is never typed as it is.
    for (columns, rows) in [(101, 33), (60, 20)] {
        let size = TerminalSize { columns, rows };
        sizes.send(size).await.expect("it has a size");
        type_in("stty size\r").await;
        // The size is a message of its own and may come after the command.
        let measured = async {
            let wanted = format!("{rows} {columns}\r\n");
            while !until_said(&mut session, "\r\n$ ").await.contains(&wanted) {
                type_in("stty size\r").await;
            }
        };
        let measured = tokio::time::timeout(Duration::from_secs(20), measured).await;
        assert!(measured.is_ok(), "never {columns} by {rows}");
    }
    type_in("echo $TERM; sleep 1000\r").await;
    until_said(&mut session, "xterm\r\n").await;
    // What is typed before the prompt is thrown away with the interrupt, and an interrupt that comes
    // while the shell is about to start the program interrupts neither.
    let interrupted = async {
        loop {
            type_in("\u{3}").await;
            let prompt = until_said(&mut session, "$ ");
            if tokio::time::timeout(Duration::from_secs(1), prompt)
                .await
                .is_ok()
            {
                return;
            }
        }
    };
    let interrupted = tokio::time::timeout(Duration::from_secs(20), interrupted).await;
    assert!(interrupted.is_ok(), "it goes on sleeping");
    type_in("echo code-$?\r").await;
    until_said(&mut session, "code-130").await;
    type_in("sleep 1001 & echo child-$!-$((7*6))\r").await;
    let said = until_said(&mut session, "-42\r\n").await;
    let child = said
        .rsplit("child-")
        .next()
        .and_then(|rest| rest.split('-').next());
    let child = format!("/proc/{}", child.expect("a number"));
    assert!(std::path::Path::new(&child).exists(), "{said:?}");
    drop(session);
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::path::Path::new(&child).exists() {
        assert!(Instant::now() < deadline, "the session's processes go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(cluster.node.dial(&pod, 8000).await.is_ok());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_settings_reach_the_container_and_leave_with_the_pod() {
    let cluster = Cluster::start().await;
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(cluster.client.clone(), NAMESPACE);
    let secret = serde_json::from_value(json!({
        "metadata": {"name": "app"}, "data": {"TOKEN": "c2VzYW1lLW9wZW4tdGVzdA=="}
    }))
    .expect("a secret");
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .expect("accepted");
    let extra = json!({
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app", "key": "TOKEN"}}},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "GREETING", "value": "I am $(ME)"}],
        "volumeMounts": [{"name": "token", "mountPath": "/secrets", "readOnly": true}],
        "readinessProbe": {"exec": {"command": ["/app/practice-testpod", "exists", "/secrets/TOKEN"]}, "periodSeconds": 1},
    });
    cluster
        .run(
            "web",
            &["serve", "8000"],
            extra,
            json!({"volumes": [{"name": "token", "secret": {"secretName": "app"}}]}),
        )
        .await;
    let pod = cluster.until_ready("web").await;
    let address = format!("{}:8000", pod_ip(&pod));
    assert_eq!(
        get(&address, "/env/TOKEN").await.expect("an answer"),
        "sesame-open-test"
    );
    assert_eq!(
        get(&address, "/env/GREETING").await.expect("an answer"),
        "I am web"
    );
    let state = cluster.state();
    cluster
        .pods()
        .delete("web", &kube::api::DeleteParams::default())
        .await
        .expect("accepted");
    cluster.until_gone("web").await;
    for folder in ["pods", "logs", "run"] {
        let left = std::fs::read_dir(state.join(folder))
            .into_iter()
            .flatten()
            .count();
        assert_eq!(left, 0, "{folder} is empty again");
    }
    cluster.stop().await;
}
