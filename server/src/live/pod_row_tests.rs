use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;

const NOW: UnixMillis = UnixMillis(1_767_225_660_000); // 2026-01-01T00:01:00Z

fn pod(container_status: Value, more_status: Value) -> PodFacts {
    let mut status = json!({"phase": "Running", "containerStatuses": [container_status]});
    for (key, value) in more_status.as_object().expect("an object") {
        status[key] = value.clone();
    }
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"uid": "u1", "name": "backend-x", "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "backend", "uid": "rs", "controller": true}]},
        "spec": {"containers": [{"name": "backend", "image": "todo-backend:1",
            "ports": [{"name": "http", "containerPort": 8000}],
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "todo-secrets", "key": "A"}}}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5}}]},
        "status": status
    }))
    .expect("a Pod");
    PodFacts::of(&pod)
}

fn row(pod: &PodFacts, news: Option<&ProbeNewsOf>) -> PodRow {
    pod_row(
        pod,
        &Surroundings {
            component: Some("backend".parse().expect("a name")),
            current: true,
            stale_secrets: false,
            probe_news: news,
            warning: None,
            now: NOW,
        },
    )
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"name": "backend", "image": "todo-backend:1", "imageID": "", "ready": false, "restartCount": 2, "started": false,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:30Z"}}})
}

#[test]
fn each_kind_of_trouble_has_its_sentence() {
    let cases = [
        (
            "ErrImageNeverPull",
            "",
            "The image todo-backend:1 is not on the node, and it may not be pulled",
        ),
        (
            "ImagePullBackOff",
            "Back-off",
            "The image todo-backend:1 cannot be pulled: Back-off",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key A in Secret todo/todo-secrets",
            "backend cannot be created: couldn't find key A in Secret todo/todo-secrets",
        ),
        (
            "CrashLoopBackOff",
            "back-off 40s",
            "backend crashed with exit code 1 and is restarted with growing pauses",
        ),
        ("ContainerCreating", "", "backend is being created"),
        ("SomethingNew", "hm", "backend waits: SomethingNew: hm"),
    ];
    for (reason, message, expected) in cases {
        let pod = pod(waiting(reason, message), json!({}));
        assert_eq!(row(&pod, None).why_not_ready.as_deref(), Some(expected));
    }
}

#[test]
fn a_ready_pod_needs_no_sentence_and_a_leaving_one_says_so() {
    let running = json!({"name": "backend", "image": "todo-backend:1", "imageID": "sha256:1", "ready": true, "started": true,
        "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}}});
    let mut pod = pod(
        running,
        json!({"conditions": [{"type": "Ready", "status": "True"}]}),
    );
    let drawn = row(&pod, None);
    assert_eq!(drawn.why_not_ready, None);
    assert!(drawn.ready);
    let readiness = &drawn.containers[0].probes[&ProbeKind::Readiness];
    assert_eq!(readiness.target, "GET /ready :8000");
    assert_eq!(readiness.verdict, ProbeVerdict::Passing);
    pod.deleted = true;
    assert!(row(&pod, None).terminating);
    assert_eq!(
        row(&pod, None).why_not_ready.as_deref(),
        Some("It is being terminated")
    );
}

#[test]
fn a_failing_readiness_probe_is_named_with_its_target_and_answer() {
    let running = json!({"name": "backend", "image": "todo-backend:1", "imageID": "sha256:1", "ready": false, "started": true,
        "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:10Z"}}});
    let pod = pod(running, json!({}));
    let news = ProbeNewsOf::from([(
        ("backend".to_owned(), ProbeKind::Readiness),
        ProbeNews {
            failure: Some(super::super::probe::ProbeFailure {
                message: "HTTP probe failed with statuscode: 503".into(),
                at: UnixMillis(NOW.0 - 2000),
            }),
            killed: None,
        },
    )]);
    assert_eq!(
        row(&pod, Some(&news)).why_not_ready.as_deref(),
        Some(
            "backend does not pass its readiness probe (GET /ready :8000): HTTP probe failed with statuscode: 503"
        )
    );
}

#[test]
fn a_pod_without_a_place_says_what_the_scheduler_said() {
    let pod = pod(
        json!({"name": "backend", "image": "", "imageID": "", "ready": false, "restartCount": 0}),
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
    );
    assert_eq!(
        row(&pod, None).why_not_ready.as_deref(),
        Some("It cannot be placed on a node: 0/1 nodes are available: 1 Insufficient memory.")
    );
    assert_eq!(pod.reads_secrets.len(), 1);
    assert_eq!(pod.reads_secrets[0].secret, "todo-secrets");
    assert_eq!(
        pod.owner.as_ref().map(|owner| owner.uid.as_str()),
        Some("rs")
    );
}

#[test]
fn the_end_of_a_container_reads_as_a_verb() {
    let end = |code, reason: &str| Termination {
        exit_code: code,
        reason: reason.into(),
        message: String::new(),
        finished: None,
    };
    assert_eq!(
        ended(&end(137, "OOMKilled")),
        "was killed for using too much memory"
    );
    assert_eq!(
        ended(&end(0, "Completed")),
        "ended by itself with exit code 0"
    );
    assert_eq!(ended(&end(3, "Error")), "crashed with exit code 3");
}
