//! The controllers behind the workload kinds.

use serde_json::{Value, json};

use crate::cluster::{KUBECTLS, Place};

async fn rolled_out(place: &Place, version: &str, object: &str) {
    place
        .kubectl_of(version, &["rollout", "status", object, "--timeout=40s"])
        .await
        .ok();
}

pub async fn deployments_roll_out_pause_and_go_back(place: Place) {
    place
        .apply(&[place.deployment("web", 2, &place.server())])
        .await;
    for version in KUBECTLS {
        let rollout = async |args: &[&str]| {
            let mut all = vec!["rollout"];
            all.extend(args);
            place.kubectl_of(version, &all).await
        };
        rolled_out(&place, version, "deploy/web").await;
        let release = format!("RELEASE={version}");
        place
            .kubectl(&["set", "env", "deploy/web", &release])
            .await
            .ok();
        rolled_out(&place, version, "deploy/web").await;
        rollout(&["history", "deploy/web"])
            .await
            .says("REVISION  CHANGE-CAUSE");
        rollout(&["undo", "deploy/web"])
            .await
            .says("rolled back")
            .code(0);
        rolled_out(&place, version, "deploy/web").await;
        rollout(&["pause", "deploy/web"])
            .await
            .says("paused")
            .code(0);
        rollout(&["restart", "deploy/web"])
            .await
            .refused("can't restart paused deployment");
        rollout(&["resume", "deploy/web"])
            .await
            .says("resumed")
            .code(0);
        rollout(&["restart", "deploy/web"])
            .await
            .says("restarted")
            .code(0);
        rolled_out(&place, version, "deploy/web").await;
    }
    let revision = "jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}";
    let revision = place
        .kubectl(&["get", "deploy/web", "-o", revision])
        .await
        .ok();
    assert!(
        revision.parse::<u32>().is_ok_and(|number| number >= 5),
        "{revision}"
    );
    place
        .kubectl(&["scale", "deploy/web", "--replicas=1"])
        .await
        .ok();
    rolled_out(&place, "1.35", "deploy/web").await;
    place
        .kubectl(&["describe", "deploy/web"])
        .await
        .says("ScalingReplicaSet");
    place
        .kubectl(&["events", "--for", "deploy/web"])
        .await
        .says("Scaled up replica set");
}

pub async fn stateful_sets_come_in_order_and_keep_their_claims(place: Place) {
    let mut server = place.server();
    server["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    let mut set = place.deployment("db", 2, &server);
    set["kind"] = "StatefulSet".into();
    set["spec"]["serviceName"] = "db".into();
    set["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    }]);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
        "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 8000}]}
    });
    place.apply(&[service, set]).await;
    rolled_out(&place, "1.35", "sts/db").await;
    let names = place
        .kubectl(&["get", "pods", "-l", "app=db", "-o", "name"])
        .await
        .ok();
    assert_eq!(names, "pod/db-0\npod/db-1");
    let phase = "jsonpath={.items[*].status.phase}";
    assert_eq!(
        place.kubectl(&["get", "pvc", "-o", phase]).await.ok(),
        "Bound Bound"
    );

    let shell = async |pod: &str, script: &str| {
        place
            .kubectl(&["exec", pod, "--", "/bin/sh", "-c", script])
            .await
    };
    shell("db-0", "echo kept > /data/file").await.ok();
    place
        .kubectl(&["set", "env", "sts/db", "RELEASE=2"])
        .await
        .ok();
    rolled_out(&place, "1.35", "sts/db").await;
    assert_eq!(shell("db-0", "cat /data/file").await.ok(), "kept");
    place
        .kubectl(&["rollout", "history", "sts/db"])
        .await
        .says("2");
    place.kubectl(&["rollout", "undo", "sts/db"]).await.ok();
    rolled_out(&place, "1.35", "sts/db").await;
    place
        .kubectl(&["scale", "sts/db", "--replicas=1"])
        .await
        .ok();
    place
        .kubectl(&["wait", "--for=delete", "pod/db-1", "--timeout=30s"])
        .await
        .ok();
    // The claim of a number that is gone waits for it to come back.
    place.kubectl(&["get", "pvc", "data-db-1"]).await.ok();
}

pub async fn daemon_sets_put_a_pod_on_every_node(place: Place) {
    let mut set = place.deployment("agent", 0, &place.server());
    set["kind"] = "DaemonSet".into();
    if let Some(spec) = set["spec"].as_object_mut() {
        spec.shift_remove("replicas");
    }
    place.apply(&[set]).await;
    rolled_out(&place, "1.35", "ds/agent").await;
    place
        .kubectl(&["set", "env", "ds/agent", "RELEASE=2"])
        .await
        .ok();
    rolled_out(&place, "1.35", "ds/agent").await;
    place.kubectl(&["rollout", "undo", "ds/agent"]).await.ok();
    rolled_out(&place, "1.35", "ds/agent").await;
}

fn job(name: &str, container: &Value, spec: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]
        }}}
    });
    if let (Some(target), Some(extra)) = (job["spec"].as_object_mut(), spec.as_object()) {
        target.extend(extra.clone());
    }
    job
}

pub async fn jobs_end_with_a_condition(place: Place) {
    place
        .apply(&[
            job(
                "good",
                &place.shell("echo done"),
                &json!({"completions": 2, "parallelism": 2}),
            ),
            job("bad", &place.shell("exit 3"), &json!({"backoffLimit": 0})),
            job(
                "late",
                &place.shell("sleep 60"),
                &json!({"activeDeadlineSeconds": 1}),
            ),
        ])
        .await;
    for (condition, name) in [("complete", "good"), ("failed", "bad"), ("failed", "late")] {
        let condition = format!("--for=condition={condition}");
        let object = format!("job/{name}");
        place
            .kubectl(&["wait", &condition, &object, "--timeout=30s"])
            .await
            .ok();
    }
    let reason = "jsonpath={.status.conditions[?(@.type==\"Failed\")].reason}";
    let bad = place.kubectl(&["get", "job/bad", "-o", reason]).await.ok();
    assert_eq!(bad, "BackoffLimitExceeded");
    let late = place.kubectl(&["get", "job/late", "-o", reason]).await.ok();
    assert_eq!(late, "DeadlineExceeded");
    let counted = "jsonpath={.status.succeeded} {.status.failed}";
    assert_eq!(
        place
            .kubectl(&["get", "job/good", "-o", counted])
            .await
            .ok(),
        "2"
    );
    place.kubectl(&["logs", "job/good"]).await.says("done");
    place
        .kubectl(&["describe", "job/good"])
        .await
        .says("Completed");
}

pub async fn jobs_can_be_suspended_and_expire(place: Place) {
    let short = json!({"suspend": true, "ttlSecondsAfterFinished": 1});
    place
        .apply(&[job("later", &place.shell("exit 0"), &short)])
        .await;
    let wait = [
        "wait",
        "--for=condition=Suspended",
        "job/later",
        "--timeout=20s",
    ];
    place.kubectl(&wait).await.ok();
    place
        .kubectl(&["patch", "job/later", "-p", r#"{"spec":{"suspend":false}}"#])
        .await
        .ok();
    place
        .kubectl(&["wait", "--for=delete", "job/later", "--timeout=30s"])
        .await
        .ok();
}
