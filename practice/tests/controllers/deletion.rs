//! How things go: by ownership, in the foreground, as orphans, and with their namespace.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::support::{Practice, eventually};

const ROOM: &str = r#"{"cpu": "8", "memory": "8Gi", "pods": "110"}"#;

async fn with_deployment() -> Practice {
    let practice = Practice::start(serde_json::from_str(ROOM).unwrap()).await;
    practice
        .create::<Deployment>(practice.deployment("web", 2, json!({})))
        .await;
    let api: Api<Deployment> = practice.namespaced();
    eventually("two pods", || async {
        (api.get("web").await.ok()?.status?.available_replicas == Some(2)).then_some(())
    })
    .await;
    practice
}

async fn counts(practice: &Practice) -> (usize, usize, usize) {
    let deployments: Api<Deployment> = practice.namespaced();
    let sets: Api<ReplicaSet> = practice.namespaced();
    let pods: Api<Pod> = practice.namespaced();
    let params = ListParams::default();
    (
        deployments.list(&params).await.unwrap().items.len(),
        sets.list(&params).await.unwrap().items.len(),
        pods.list(&params).await.unwrap().items.len(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deployment_owns_goes_after_it() {
    let practice = with_deployment().await;
    let api: Api<Deployment> = practice.namespaced();
    api.delete("web", &DeleteParams::background())
        .await
        .unwrap();
    eventually("everything to go", || async {
        (counts(&practice).await == (0, 0, 0)).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_foreground_the_owner_goes_last() {
    let practice = with_deployment().await;
    practice.hold_pods(true);
    let api: Api<Deployment> = practice.namespaced();
    api.delete("web", &DeleteParams::foreground())
        .await
        .unwrap();
    eventually("the pods to be asked to go", || async {
        let pods: Api<Pod> = practice.namespaced();
        let list = pods.list(&ListParams::default()).await.ok()?.items;
        (list.len() == 2
            && list
                .iter()
                .all(|pod| pod.metadata.deletion_timestamp.is_some()))
        .then_some(())
    })
    .await;
    assert_eq!(
        counts(&practice).await,
        (1, 1, 2),
        "owners wait for their pods"
    );
    practice.hold_pods(false);
    eventually("everything to go", || async {
        (counts(&practice).await == (0, 0, 0)).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_stay_and_are_adopted_again() {
    let practice = with_deployment().await;
    let api: Api<Deployment> = practice.namespaced();
    api.delete("web", &DeleteParams::orphan()).await.unwrap();
    let sets: Api<ReplicaSet> = practice.namespaced();
    let orphan = eventually("the set to be let go", || async {
        let set = sets
            .list(&ListParams::default())
            .await
            .ok()?
            .items
            .into_iter()
            .next()?;
        (set.owner_references().is_empty() && api.get_opt("web").await.ok()?.is_none())
            .then_some(set)
    })
    .await;
    assert_eq!(counts(&practice).await, (0, 1, 2));
    practice
        .create::<Deployment>(practice.deployment("web", 2, json!({})))
        .await;
    eventually("the set to be adopted", || async {
        let set = sets.get(&orphan.name_any()).await.ok()?;
        (!set.owner_references().is_empty()).then_some(())
    })
    .await;
    assert_eq!(counts(&practice).await, (1, 1, 2), "nothing new was needed");
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependent_of_something_that_never_was_is_collected() {
    let practice = Practice::start(serde_json::from_str(ROOM).unwrap()).await;
    let api: Api<ConfigMap> = practice.namespaced();
    practice
        .create::<ConfigMap>(json!({"metadata": {"name": "stray", "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "no-such-uid"}]}}))
        .await;
    eventually("the stray to go", || async {
        api.get_opt("stray").await.ok()?.is_none().then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_furnished_and_takes_everything_along() {
    let practice = with_deployment().await;
    practice.create::<Service>(practice.service("web")).await;
    let accounts: Api<ServiceAccount> = practice.namespaced();
    eventually("the default account", || async {
        accounts.get("default").await.ok()
    })
    .await;

    practice.hold_pods(true);
    let namespaces: Api<Namespace> = Api::all(practice.client.clone());
    namespaces
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the namespace to say what is left", || async {
        let status = namespaces.get("shop").await.ok()?.status?;
        let told = status
            .conditions?
            .into_iter()
            .find(|c| c.type_ == "NamespaceContentRemaining")?;
        (status.phase.as_deref() == Some("Terminating")
            && told.status == "True"
            && told.message?.contains("pods has 2 resource instances"))
        .then_some(())
    })
    .await;
    let late: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "late"}})).unwrap();
    let api: Api<ConfigMap> = practice.namespaced();
    assert!(
        api.create(&PostParams::default(), &late).await.is_err(),
        "nothing new comes in"
    );
    practice.hold_pods(false);
    eventually("the namespace to go", || async {
        namespaces
            .get_opt("shop")
            .await
            .ok()?
            .is_none()
            .then_some(())
    })
    .await;
    assert_eq!(counts(&practice).await, (0, 0, 0));
    practice.stop().await;
}
