use std::os::unix::fs::PermissionsExt as _;

use kube::api::PostParams;
use practice::{PracticeCluster, PracticeConfig, RunningPractice, StartError};

use super::support::*;

#[tokio::test]
async fn objects_certificates_and_port_survive_a_restart() {
    let Cluster {
        folder,
        running,
        client,
    } = Cluster::start().await;
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(client, "default");
    let before = maps
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let kubeconfig = std::fs::read_to_string(running.kubeconfig()).expect("a file");
    running.shutdown().await;
    let again = PracticeCluster::start(PracticeConfig::api_only(folder.path()))
        .await
        .expect("starts");
    assert_eq!(
        std::fs::read_to_string(again.kubeconfig()).expect("a file"),
        kubeconfig
    );
    let after = maps
        .get("a")
        .await
        .expect("still there, at the same address");
    assert_eq!(after.metadata.uid, before.metadata.uid);
}

#[tokio::test]
async fn a_second_cluster_of_the_folder_is_refused_and_the_first_is_found() {
    let cluster = Cluster::start().await;
    let second = PracticeCluster::start(PracticeConfig::api_only(cluster.folder.path())).await;
    match second {
        Err(StartError::AlreadyRunning { pid, kubeconfig }) => {
            assert_eq!(pid, std::process::id());
            assert_eq!(kubeconfig, cluster.running.kubeconfig());
        }
        other => panic!("should have been refused: {other:?}"),
    }
    let found = RunningPractice::find(cluster.folder.path())
        .await
        .expect("found");
    assert_eq!(found.pid, std::process::id());
    let Cluster {
        folder, running, ..
    } = cluster;
    running.shutdown().await;
    assert_eq!(RunningPractice::find(folder.path()).await, None);
}

#[tokio::test]
async fn what_holds_keys_is_its_owners_alone() {
    let cluster = Cluster::start().await;
    let practice = cluster.folder.path().join("practice");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode(&practice), 0o700);
    for file in [
        "kubeconfig",
        "token",
        "certs/admin.key",
        "certs/server.key",
        "objects.sqlite",
    ] {
        assert_eq!(mode(&practice.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_stranger_is_unauthorized() {
    let cluster = Cluster::start().await;
    let mut config = kube::Config::new(
        format!("https://127.0.0.1:{}", cluster.running.port())
            .parse()
            .expect("an address"),
    );
    config.accept_invalid_certs = true;
    let stranger = kube::Client::try_from(config).expect("a client");
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(stranger, "default");
    let status = refused(maps.list(&Default::default()).await);
    assert_eq!((status.code, status.reason.as_str()), (401, "Unauthorized"));
}

#[tokio::test]
async fn discovery_is_complete_in_both_forms() {
    let cluster = Cluster::start().await;
    let plain = kube::Discovery::new(cluster.client.clone())
        .run()
        .await
        .expect("discovered");
    let aggregated = kube::Discovery::new(cluster.client.clone())
        .run_aggregated()
        .await
        .expect("discovered");
    for discovery in [plain, aggregated] {
        assert!(discovery.has_group("apps"));
        let core = discovery.get("").expect("the core group");
        assert!(core.recommended_kind("Pod").is_some());
    }
    let version = cluster.client.apiserver_version().await.expect("a version");
    assert!(version.git_version.ends_with("+slipway-practice"));
}
