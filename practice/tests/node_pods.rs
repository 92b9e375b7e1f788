//! Pods on the practice node: real processes with the life the kubelet gives them.
#![cfg(target_os = "linux")]

mod node_support;

use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use node_support::{Cluster, container, get, import, pod_ip};
use serde_json::json;

fn probe(path: &str) -> serde_json::Value {
    json!({"httpGet": {"path": path, "port": 8000}, "periodSeconds": 1, "failureThreshold": 2})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_runs_answers_and_is_deleted_with_its_process() {
    let cluster = Cluster::start().await;
    cluster
        .run(
            "web",
            &["serve", "8000"],
            json!({"readinessProbe": probe("/ready")}),
            json!({}),
        )
        .await;
    let pod = cluster.until_ready("web").await;
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["hostIP"], "127.0.0.1");
    let image_id = container(&pod)["imageID"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(image_id.starts_with("sha256:"), "{image_id}");
    let address = format!("{}:8000", pod_ip(&pod));
    assert_eq!(get(&address, "/").await.expect("the pod answers"), "web");
    assert!(cluster.log("web").await.contains("listening on"));
    let events = cluster.events("web").await;
    for expected in [
        "Pulled: Container image \"testpod:v1\" already present on machine",
        "Created: Container created",
        "Started: Container started",
    ] {
        assert!(
            events.iter().any(|event| event.starts_with(expected)),
            "{expected} in {events:#?}"
        );
    }
    cluster
        .pods()
        .delete("web", &DeleteParams::default())
        .await
        .expect("deletion is accepted");
    cluster.until_gone("web").await;
    assert!(
        get(&address, "/").await.is_err(),
        "nothing listens any more"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pods_listen_on_the_same_port_and_reach_each_other() {
    let cluster = Cluster::start().await;
    for name in ["one", "two"] {
        cluster
            .run(
                name,
                &["serve", "8000"],
                json!({"readinessProbe": probe("/")}),
                json!({}),
            )
            .await;
    }
    let one = cluster.until_ready("one").await;
    let two = cluster.until_ready("two").await;
    assert_ne!(pod_ip(&one), pod_ip(&two));
    let from_one = |path: String| {
        let address = format!("{}:8000", pod_ip(&one));
        async move { get(&address, &path).await.expect("the pod answers") }
    };
    assert_eq!(
        from_one(format!("/call/{}:8000", pod_ip(&two))).await,
        "two"
    );
    assert_eq!(
        from_one("/call/127.0.0.1:8000".into()).await,
        "one",
        "localhost is the pod itself"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_container_is_restarted_with_back_off_and_its_reason_is_kept() {
    let cluster = Cluster::start().await;
    cluster
        .run(
            "bad",
            &["crash", "7", "no database"],
            json!({"terminationMessagePolicy": "FallbackToLogsOnError"}),
            json!({}),
        )
        .await;
    let pod = cluster
        .until("bad", "CrashLoopBackOff", |pod| {
            container(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        })
        .await;
    let status = container(&pod);
    assert_eq!(status["restartCount"], 1, "the first restart is immediate");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 7);
    assert_eq!(status["lastState"]["terminated"]["reason"], "Error");
    let message = status["lastState"]["terminated"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("no database"), "{message}");
    let waiting = status["state"]["waiting"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        waiting.starts_with("back-off 10s restarting failed container=app pod=bad_default("),
        "{waiting}"
    );
    cluster
        .until_event(
            "bad",
            "BackOff: Back-off restarting failed container app in pod bad_default(",
        )
        .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_named_and_the_pod_heals_when_it_arrives() {
    let cluster = Cluster::without_image().await;
    cluster
        .run("late", &["serve", "8000"], json!({}), json!({}))
        .await;
    let pod = cluster
        .until("late", "ErrImageNeverPull", |pod| {
            container(pod)["state"]["waiting"]["reason"] == "ErrImageNeverPull"
        })
        .await;
    assert_eq!(
        container(&pod)["state"]["waiting"]["message"],
        "Container image \"testpod:v1\" is not present with pull policy of Never"
    );
    let state = cluster.state();
    tokio::task::spawn_blocking(move || import(&state))
        .await
        .expect("the image is imported");
    cluster.until_ready("late").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_configuration_is_worded_like_the_kubelet_does() {
    let cluster = Cluster::start().await;
    let env = json!({"env": [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "app", "key": "URL"}}}]});
    cluster.run("unset", &["sleep"], env, json!({})).await;
    let pod = cluster
        .until("unset", "CreateContainerConfigError", |pod| {
            container(pod)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        })
        .await;
    assert_eq!(
        container(&pod)["state"]["waiting"]["message"],
        "secret \"app\" not found"
    );
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(
        json!({"metadata": {"name": "app"}, "stringData": {"OTHER": "x"}, "data": {"OTHER": "eA=="}}),
    )
    .expect("a secret");
    let api: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(cluster.client.clone(), node_support::NAMESPACE);
    api.create(&kube::api::PostParams::default(), &secret)
        .await
        .expect("the secret is stored");
    cluster
        .until("unset", "the missing key", |pod| {
            container(pod)["state"]["waiting"]["message"]
                == "couldn't find key URL in Secret default/app"
        })
        .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_ends_the_container_as_oom_killed() {
    let cluster = Cluster::start().await;
    cluster
        .run(
            "hog",
            &["hog", "400"],
            json!({"resources": {"limits": {"memory": "64Mi"}}}),
            json!({"restartPolicy": "Never"}),
        )
        .await;
    let pod = cluster
        .until("hog", "Failed", |pod| pod["status"]["phase"] == "Failed")
        .await;
    let end = &container(&pod)["state"]["terminated"];
    assert_eq!(
        (&end["reason"], &end["exitCode"]),
        (&json!("OOMKilled"), &json!(137))
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stubborn_process_is_killed_after_its_grace() {
    let cluster = Cluster::start().await;
    cluster
        .run(
            "deaf",
            &["stubborn"],
            json!({}),
            json!({"terminationGracePeriodSeconds": 2}),
        )
        .await;
    cluster.until_ready("deaf").await;
    let started = Instant::now();
    cluster
        .pods()
        .delete("deaf", &DeleteParams::default())
        .await
        .expect("deletion is accepted");
    cluster.until_gone("deaf").await;
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(1900) && took < Duration::from_secs(15),
        "{took:?}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_liveness_probe_restarts_the_container() {
    let cluster = Cluster::start().await;
    let liveness = json!({"livenessProbe": {"exec": {"command": ["/app/practice-testpod", "exists", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 2}});
    cluster
        .run(
            "sick",
            &["sleep"],
            liveness,
            json!({"terminationGracePeriodSeconds": 1}),
        )
        .await;
    let pod = cluster
        .until("sick", "a restart", |pod| {
            container(pod)["restartCount"] == 1
        })
        .await;
    assert!(container(&pod)["lastState"]["terminated"]["exitCode"].is_number());
    cluster
        .until_event(
            "sick",
            "Killing: Container app failed liveness probe, will be restarted",
        )
        .await;
    cluster
        .until_event("sick", "Unhealthy: Liveness probe failed:")
        .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_as_non_root_refuses_a_root_user() {
    let cluster = Cluster::start().await;
    let security = json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 0}});
    cluster.run("root", &["sleep"], security, json!({})).await;
    let pod = cluster
        .until("root", "refusal", |pod| {
            container(pod)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        })
        .await;
    let message = container(&pod)["state"]["waiting"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        message.starts_with("container's runAsUser breaks non-root policy (pod: \"root_default("),
        "{message}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_run_first_and_share_volumes() {
    let cluster = Cluster::start().await;
    let mount = json!([{"name": "shared", "mountPath": "/shared"}]);
    let spec = json!({
        "initContainers": [{"name": "prepare", "image": node_support::IMAGE, "imagePullPolicy": "Never",
            "args": ["touch", "/shared/done"], "volumeMounts": mount}],
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "restartPolicy": "Never",
    });
    cluster
        .run(
            "two-steps",
            &["exists", "/shared/done"],
            json!({"volumeMounts": mount}),
            spec,
        )
        .await;
    let pod = cluster
        .until("two-steps", "the end", |pod| {
            pod["status"]["phase"] == "Succeeded"
        })
        .await;
    assert_eq!(
        pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"],
        "Completed"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_node_restart_pods_run_again_and_nothing_is_left_behind() {
    let cluster = Cluster::start().await;
    cluster.run("again", &["child"], json!({}), json!({})).await;
    cluster.until_ready("again").await;
    let child = loop {
        let log = cluster.log("again").await;
        if let Some(pid) = log.trim().strip_prefix("child ") {
            break pid.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let alive = |pid: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    assert!(alive(&child));
    let dir = cluster.stop().await;
    assert!(!alive(&child), "the orphan ended with its pod");
    let cluster = Cluster::start_in(dir, true).await;
    let pod = cluster
        .until("again", "the restart", |pod| {
            container(pod)["restartCount"] == 1 && container(pod)["ready"] == true
        })
        .await;
    assert!(container(&pod)["lastState"]["terminated"]["exitCode"].is_number());
    cluster.stop().await;
}

/// Run by the test below in a process of its own, which is then killed without warning.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of the test below"]
async fn node_that_will_be_killed() {
    let Ok(dir) = std::env::var("SLIPWAY_TEST_DIR") else {
        return;
    };
    let ready = std::path::Path::new(&dir).join("ready");
    let dir = tempfile::Builder::new()
        .prefix("cluster")
        .tempdir_in(dir)
        .expect("a folder");
    let cluster = Cluster::start_in(dir, true).await;
    let name = std::env::var("SLIPWAY_TEST_POD").expect("the pod's name");
    cluster.run(&name, &["child"], json!({}), json!({})).await;
    cluster.until_ready(&name).await;
    std::fs::write(ready, "").expect("the other test is told");
    // Never outlives the test for long, even when that is killed itself.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_leaves_no_process_for_the_next_one() {
    let home = tempfile::tempdir().expect("a folder");
    // Names the processes of this run and no other.
    let name = format!("doomed-{}", std::process::id());
    let marker = format!("HOSTNAME={name}");
    /// Ends the other node however this test ends.
    struct Killed(std::process::Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let killed = std::process::Command::new(std::env::current_exe().expect("this test's path"))
        .args([
            "--exact",
            "node_that_will_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("SLIPWAY_TEST_DIR", home.path())
        .env("SLIPWAY_TEST_POD", &name)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the other node starts");
    let killed = Killed(killed);
    let running = || {
        std::fs::read_dir("/proc")
            .expect("/proc is there")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                String::from_utf8_lossy(&environ).contains(&marker)
            })
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    // The container and the child that left its session.
    while running() < 2 || !home.path().join("ready").exists() {
        assert!(Instant::now() < deadline, "the pod runs in the other node");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(killed);

    let left = std::fs::read_dir(home.path())
        .expect("the folder")
        .flatten()
        .find(|entry| entry.path().is_dir());
    let state = left.expect("the cluster's folder").path().join("practice");
    let cluster = Cluster::start_at(&state).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let pod = cluster
        .until(&name, "the restart", |pod| {
            container(pod)["restartCount"] == 1 && container(pod)["ready"] == true
        })
        .await;
    let last = &container(&pod)["lastState"]["terminated"];
    assert_eq!(
        (&last["reason"], &last["exitCode"]),
        (&json!("ContainerStatusUnknown"), &json!(137))
    );
    while running() != 2 {
        assert!(
            Instant::now() < deadline,
            "{} processes instead of the two new ones",
            running()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.stop().await;
    assert_eq!(running(), 0);
}
