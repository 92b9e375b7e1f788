//! How workloads come up, change and recover, and how traffic finds them.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Event, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::support::{Practice, eventually};

fn condition(deployment: &Deployment, kind: &str) -> Option<(String, String)> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_.as_deref() == Some(kind))?;
    Some((found.reason.clone()?, found.message.clone()?))
}

async fn events(practice: &Practice, reason: &str) -> BTreeSet<String> {
    let api: Api<Event> = practice.namespaced();
    let params = ListParams::default().fields(&format!("reason={reason}"));
    let list = api.list(&params).await.unwrap();
    list.items
        .into_iter()
        .filter_map(|event| event.message)
        .collect()
}

async fn rolled_out(practice: &Practice, revision: &str) -> Deployment {
    let api: Api<Deployment> = practice.namespaced();
    eventually("the rollout to complete", || async {
        let deployment = api.get("web").await.ok()?;
        let status = deployment.status.as_ref()?;
        let (reason, _) = condition(&deployment, "Progressing")?;
        let wished = deployment.spec.replicas;
        let done = reason == "NewReplicaSetAvailable"
            && deployment
                .annotations()
                .get("deployment.kubernetes.io/revision")?
                == revision
            && status.observed_generation == deployment.metadata.generation
            && [
                status.replicas,
                status.updated_replicas,
                status.available_replicas,
            ]
            .iter()
            .all(|count| *count == wished);
        done.then_some(deployment)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_comes_up_rolls_over_and_rolls_back() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "110"})).await;
    practice
        .create::<Deployment>(practice.deployment("web", 3, json!({})))
        .await;
    let deployment = rolled_out(&practice, "1").await;
    let sets: Api<ReplicaSet> = practice.namespaced();
    let first = sets
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0);
    let (_, message) = condition(&deployment, "Progressing").unwrap();
    assert_eq!(
        message,
        format!(
            "ReplicaSet \"{}\" has successfully progressed.",
            first.name_any()
        )
    );
    let status = deployment.status.unwrap();
    assert_eq!(
        (
            status.replicas,
            status.ready_replicas,
            status.available_replicas,
            status.updated_replicas
        ),
        (Some(3), Some(3), Some(3), Some(3))
    );

    let pods: Api<Pod> = practice.namespaced();
    let created: BTreeSet<String> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(|pod| format!("Created pod: {}", pod.name_any()))
        .collect();
    assert_eq!(created.len(), 3, "no pod was created twice");
    eventually("the events of the pods", || async {
        (events(&practice, "SuccessfulCreate").await == created).then_some(())
    })
    .await;
    eventually("the events of the scheduler", || async {
        let told = events(&practice, "Scheduled").await;
        (told.len() == 3
            && told.iter().all(|text| {
                text.starts_with("Successfully assigned shop/web-")
                    && text.ends_with(" to practice")
            }))
        .then_some(())
    })
    .await;

    let api: Api<Deployment> = practice.namespaced();
    let image = |image: &str| {
        Patch::Strategic(json!({"spec": {"template": {"spec": {
            "containers": [{"name": "app", "image": image}]}}}}))
    };
    api.patch("web", &PatchParams::default(), &image("web:2"))
        .await
        .unwrap();
    rolled_out(&practice, "2").await;
    api.patch("web", &PatchParams::default(), &image("web:1"))
        .await
        .unwrap();
    rolled_out(&practice, "3").await;
    let sizes: Vec<(bool, i32)> = sets
        .list(&ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(|set| (set.uid() == first.uid(), set.spec.replicas.unwrap_or(1)))
        .collect();
    assert!(
        sizes.len() == 2 && sizes.contains(&(true, 3)) && sizes.contains(&(false, 0)),
        "{sizes:?}"
    );
    let scaled = events(&practice, "ScalingReplicaSet").await;
    let up = format!("Scaled up replica set {} from 0 to 3", first.name_any());
    let down = format!("Scaled down replica set {} from 3 to 2", first.name_any());
    assert!(scaled.contains(&up) && scaled.contains(&down), "{scaled:?}");
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_pod_is_replaced_and_a_surplus_one_removed() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "110"})).await;
    practice
        .create::<Deployment>(practice.deployment("web", 2, json!({})))
        .await;
    rolled_out(&practice, "1").await;
    let pods: Api<Pod> = practice.namespaced();
    let victim = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0)
        .name_any();
    pods.delete(&victim, &DeleteParams::default())
        .await
        .unwrap();
    eventually("the replacement", || async {
        let list = pods.list(&ListParams::default()).await.ok()?.items;
        (list.len() == 2 && list.iter().all(|pod| pod.name_any() != victim)).then_some(())
    })
    .await;

    // A pod that leaves the selector is let go and replaced; when it comes back, one is too many.
    let leaver = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0)
        .name_any();
    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"app": value}}}));
    pods.patch(&leaver, &PatchParams::default(), &label("debug"))
        .await
        .unwrap();
    eventually("the leaver to be let go", || async {
        let list = pods.list(&ListParams::default()).await.ok()?.items;
        let free = list.iter().find(|pod| pod.name_any() == leaver)?;
        (list.len() == 3 && free.owner_references().is_empty()).then_some(())
    })
    .await;
    pods.patch(&leaver, &PatchParams::default(), &label("web"))
        .await
        .unwrap();
    eventually("two pods again", || async {
        (pods.list(&ListParams::default()).await.ok()?.items.len() == 2).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_fits_nowhere_waits_with_the_reason_and_goes_when_there_is_room() {
    let practice = Practice::start(json!({"cpu": "1", "memory": "1Gi", "pods": "110"})).await;
    let big = json!({"requests": {"memory": "2Gi"}});
    practice
        .create::<Deployment>(practice.deployment("web", 1, big))
        .await;
    let pods: Api<Pod> = practice.namespaced();
    let message = eventually("the scheduler's refusal", || async {
        let pod = pods
            .list(&ListParams::default())
            .await
            .ok()?
            .items
            .into_iter()
            .next()?;
        let conditions = pod.status?.conditions?;
        let told = conditions
            .into_iter()
            .find(|told| told.type_ == "PodScheduled")?;
        (told.status == "False" && told.reason.as_deref() == Some("Unschedulable"))
            .then_some(told.message?)
    })
    .await;
    assert!(
        message.starts_with("0/1 nodes are available: 1 Insufficient memory."),
        "{message}"
    );
    eventually("the event", || async {
        events(&practice, "FailedScheduling")
            .await
            .contains(&message)
            .then_some(())
    })
    .await;

    practice
        .resize_node(json!({"cpu": "1", "memory": "4Gi", "pods": "110"}))
        .await;
    rolled_out(&practice, "1").await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pods_are_created_once_each_and_the_surplus_goes() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "500"})).await;
    practice
        .create::<Deployment>(practice.deployment("web", 120, json!({})))
        .await;
    rolled_out(&practice, "1").await;
    let pods: Api<Pod> = practice.namespaced();
    assert_eq!(
        pods.list(&ListParams::default()).await.unwrap().items.len(),
        120
    );
    let api: Api<Deployment> = practice.namespaced();
    let size = Patch::Merge(json!({"spec": {"replicas": 30}}));
    api.patch("web", &PatchParams::default(), &size)
        .await
        .unwrap();
    rolled_out(&practice, "1").await;
    let set: Api<ReplicaSet> = practice.namespaced();
    eventually("the surplus to be gone", || async {
        let counted = set
            .list(&ListParams::default())
            .await
            .ok()?
            .items
            .remove(0)
            .status?;
        let left = pods.list(&ListParams::default()).await.ok()?.items.len();
        (left == 30 && counted.terminating_replicas == Some(0)).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_follow_readiness() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "110"})).await;
    practice
        .create::<Deployment>(practice.deployment("web", 2, json!({})))
        .await;
    practice
        .create::<k8s_openapi::api::core::v1::Service>(practice.service("web"))
        .await;
    let slices: Api<EndpointSlice> = practice.namespaced();
    let labeled = ListParams::default().labels("kubernetes.io/service-name=web");
    let ready = || async {
        let list = slices.list(&labeled).await.ok()?.items;
        assert!(list.len() <= 1, "one slice is enough: {}", list.len());
        let slice = list.into_iter().next()?;
        let endpoints = slice.endpoints.clone().unwrap_or_default();
        let count = endpoints
            .iter()
            .filter(|endpoint| {
                endpoint
                    .conditions
                    .as_ref()
                    .is_some_and(|c| c.ready == Some(true))
            })
            .count();
        Some((count, slice))
    };
    let slice = eventually("two ready endpoints", || async {
        ready()
            .await
            .filter(|(count, _)| *count == 2)
            .map(|(_, slice)| slice)
    })
    .await;
    assert_eq!(
        slice.labels()["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    assert_eq!(
        slice.ports.as_ref().unwrap()[0].port,
        Some(8080),
        "the named port was resolved"
    );

    let pods: Api<Pod> = practice.namespaced();
    let pod = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0)
        .name_any();
    practice.set_ready(&pod, false).await;
    eventually("one endpoint to stop being ready", || async {
        ready().await.filter(|(count, _)| *count == 1)
    })
    .await;
    let legacy: Api<Endpoints> = practice.namespaced();
    eventually("the legacy object to say the same", || async {
        let subset = legacy.get("web").await.ok()?.subsets?.into_iter().next()?;
        (subset.addresses?.len() == 1 && subset.not_ready_addresses?.len() == 1).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_cluster_is_left_alone() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "110"})).await;
    let mut deployment = practice.deployment("web", 2, json!({}));
    deployment["spec"]["minReadySeconds"] = json!(1);
    practice.create::<Deployment>(deployment).await;
    practice
        .create::<k8s_openapi::api::core::v1::Service>(practice.service("web"))
        .await;
    rolled_out(&practice, "1").await;
    let pods: Api<Pod> = practice.namespaced();
    // The resource version counts every write to the whole store.
    let version = || async {
        let list = pods.list(&ListParams::default()).await.unwrap();
        list.metadata.resource_version.unwrap()
    };
    eventually("a quarter of a second without a write", || async {
        let before = version().await;
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        (version().await == before).then_some(())
    })
    .await;
    practice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_namespace_gets_the_root_certificate() {
    let practice = Practice::start(json!({"cpu": "8", "memory": "8Gi", "pods": "110"})).await;
    let root_ca = |text: &str| {
        serde_json::from_value::<ConfigMap>(json!({
            "metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": text},
        }))
        .unwrap()
    };
    let system: Api<ConfigMap> = Api::namespaced(practice.client.clone(), "kube-system");
    system
        .create(&PostParams::default(), &root_ca("first"))
        .await
        .unwrap();
    let shop: Api<ConfigMap> = practice.namespaced();
    let content = |wanted: &'static str| {
        let shop = &shop;
        async move {
            let found = shop.get("kube-root-ca.crt").await.ok()?.data?;
            (found["ca.crt"] == wanted).then_some(())
        }
    };
    eventually("the certificate", || content("first")).await;
    shop.delete("kube-root-ca.crt", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the certificate again", || content("first")).await;
    system
        .patch(
            "kube-root-ca.crt",
            &PatchParams::default(),
            &Patch::Merge(json!({"data": {"ca.crt": "second"}})),
        )
        .await
        .unwrap();
    eventually("the new certificate", || content("second")).await;
    practice.stop().await;
}
