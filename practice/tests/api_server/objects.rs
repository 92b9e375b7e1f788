use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, Service};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::support::*;

#[tokio::test]
async fn an_object_lives_from_create_to_delete() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    let created = maps
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    let again = refused(
        maps.create(&PostParams::default(), &config_map("a", "1"))
            .await,
    );
    assert_eq!((again.code, again.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(again.message, "configmaps \"a\" already exists");

    let mut changed = created.clone();
    changed.data = Some([("key".to_owned(), "2".to_owned())].into());
    let replaced = maps
        .replace("a", &PostParams::default(), &changed)
        .await
        .expect("replaced");
    assert_ne!(
        replaced.metadata.resource_version,
        created.metadata.resource_version
    );
    let stale = refused(maps.replace("a", &PostParams::default(), &changed).await);
    assert_eq!(stale.code, 409);
    assert!(
        stale
            .message
            .contains("the object has been modified; please apply your changes")
    );

    maps.delete("a", &DeleteParams::default())
        .await
        .expect("deleted");
    let gone = refused(maps.get("a").await);
    assert_eq!(
        (gone.code, gone.message.as_str()),
        (404, "configmaps \"a\" not found")
    );
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_new_version() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    let created = maps
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let same = maps
        .replace("a", &PostParams::default(), &created)
        .await
        .expect("replaced");
    assert_eq!(
        same.metadata.resource_version,
        created.metadata.resource_version
    );
}

#[tokio::test]
async fn deployments_get_the_defaults_of_the_real_api() {
    let cluster = Cluster::start().await;
    let made = cluster
        .deployments()
        .create(&PostParams::default(), &object(deployment("web", "web:1")))
        .await
        .expect("created");
    let made = serde_json::to_value(&made).expect("an object");
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["spec"]["replicas"], 1);
    assert_eq!(
        made["spec"]["strategy"]["rollingUpdate"],
        json!({"maxSurge": "25%", "maxUnavailable": "25%"})
    );
    assert_eq!(made["spec"]["progressDeadlineSeconds"], 600);
    assert_eq!(
        made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"],
        "IfNotPresent"
    );
    assert_eq!(
        made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        30
    );
}

#[tokio::test]
async fn broken_objects_are_refused_with_the_field() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    let mut mismatch = deployment("web", "web:1");
    mismatch["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    let status = refused(api.create(&PostParams::default(), &object(mismatch)).await);
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert!(
        status
            .message
            .contains("`selector` does not match template `labels`"),
        "{}",
        status.message
    );

    let bad_name = refused(
        api.create(&PostParams::default(), &object(deployment("Web", "web:1")))
            .await,
    );
    assert!(
        bad_name
            .message
            .contains("metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 subdomain")
    );

    api.create(&PostParams::default(), &object(deployment("web", "web:1")))
        .await
        .expect("created");
    let patch = json!({"spec": {"selector": {"matchLabels": {"more": "x"}}, "template": {"metadata": {"labels": {"more": "x"}}}}});
    let status = refused(
        api.patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await,
    );
    assert_eq!(status.code, 422);
    assert!(
        status.message.contains("field is immutable"),
        "{}",
        status.message
    );
}

#[tokio::test]
async fn unknown_fields_are_refused_only_when_asked_for() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}});
    let (code, status) = cluster
        .raw(
            "POST",
            &format!("{path}?fieldValidation=Strict"),
            "application/json",
            &body,
        )
        .await;
    assert_eq!(code, 400);
    assert!(
        status["message"]
            .as_str()
            .is_some_and(|m| m.contains("strict decoding error: unknown field \"dat\""))
    );
    let (code, made) = cluster.raw("POST", path, "application/json", &body).await;
    assert_eq!((code, made.get("dat")), (201, None));
}

#[tokio::test]
async fn objects_need_a_living_namespace() {
    let cluster = Cluster::start().await;
    let elsewhere: Api<Pod> = Api::namespaced(cluster.client.clone(), "nowhere");
    let pod = object(
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}),
    );
    let status = refused(elsewhere.create(&PostParams::default(), &pod).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );

    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = object(json!({"metadata": {"name": "going"}}));
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("created");
    namespaces
        .delete("going", &DeleteParams::default())
        .await
        .expect("marked");
    let going: Api<Pod> = Api::namespaced(cluster.client.clone(), "going");
    let status = refused(going.create(&PostParams::default(), &pod).await);
    assert_eq!(status.code, 403);
    assert!(status.message.contains("because it is being terminated"));
}

#[tokio::test]
async fn a_secrets_plain_text_is_folded_into_its_data() {
    let cluster = Cluster::start().await;
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), "default");
    let secret = object(json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}}));
    let made = secrets
        .create(&PostParams::default(), &secret)
        .await
        .expect("created");
    assert_eq!(made.string_data, None);
    assert_eq!(made.data.expect("data")["k"].0, b"v");
    assert_eq!(made.type_.as_deref(), Some("Opaque"));
}

#[tokio::test]
async fn services_get_addresses_and_ports_of_their_own() {
    let cluster = Cluster::start().await;
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), "default");
    let mut seen = std::collections::HashSet::new();
    for at in 0..20 {
        let service = object(
            json!({"metadata": {"name": format!("s{at}")}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}),
        );
        let made = services
            .create(&PostParams::default(), &service)
            .await
            .expect("created");
        let made = serde_json::to_value(made).expect("an object");
        assert!(seen.insert(made["spec"]["clusterIP"].to_string()));
        assert!(seen.insert(made["spec"]["ports"][0]["nodePort"].to_string()));
        assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_by_selector() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    for at in 0..7 {
        let map = object(
            json!({"metadata": {"name": format!("m{at}"), "labels": {"odd": (at % 2 == 1).to_string()}}}),
        );
        maps.create(&PostParams::default(), &map)
            .await
            .expect("created");
    }
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(3);
    loop {
        let page = maps.list(&params).await.expect("listed");
        assert!(page.items.len() <= 3);
        names.extend(page.items.into_iter().filter_map(|m| m.metadata.name));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(3).continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    let odd = maps
        .list(&ListParams::default().labels("odd in (true)"))
        .await
        .expect("listed");
    assert_eq!(odd.items.len(), 3);
    let one = maps
        .list(&ListParams::default().fields("metadata.name=m2"))
        .await
        .expect("listed");
    assert_eq!(one.items.len(), 1);
    assert_eq!(
        refused(maps.list(&ListParams::default().fields("data.key=x")).await).code,
        400
    );
}

#[tokio::test]
async fn a_scheduled_pod_goes_only_when_its_node_says_so() {
    let cluster = Cluster::start().await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "default");
    let pod = object(
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "a", "image": "x:1"}]}}),
    );
    pods.create(&PostParams::default(), &pod)
        .await
        .expect("created");
    let going = pods
        .delete("p", &DeleteParams::default())
        .await
        .expect("marked")
        .left()
        .expect("the pod");
    assert_eq!(going.metadata.deletion_grace_period_seconds, Some(30));
    assert!(pods.get_opt("p").await.expect("an answer").is_some());
    pods.delete("p", &DeleteParams::default().grace_period(0))
        .await
        .expect("deleted");
    assert!(pods.get_opt("p").await.expect("an answer").is_none());
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    let map = object(json!({"metadata": {"name": "a", "finalizers": ["example.com/x"]}}));
    maps.create(&PostParams::default(), &map)
        .await
        .expect("created");
    let held = maps
        .delete("a", &DeleteParams::default())
        .await
        .expect("marked")
        .left()
        .expect("the object");
    assert!(held.metadata.deletion_timestamp.is_some());
    let patch = json!({"metadata": {"finalizers": null}});
    maps.patch("a", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .expect("released");
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    maps.create(&dry, &config_map("a", "1"))
        .await
        .expect("would be created");
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
}

#[tokio::test]
async fn concurrent_writers_lose_no_update() {
    let cluster = Cluster::start().await;
    let maps = cluster.config_maps();
    maps.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let writers = (0..16).map(|at| {
        let maps = maps.clone();
        async move {
            let patch = json!({"data": {format!("k{at}"): "x"}});
            maps.patch("a", &PatchParams::default(), &Patch::Merge(patch))
                .await
                .expect("patched");
        }
    });
    futures::future::join_all(writers).await;
    let map = maps.get("a").await.expect("there");
    assert_eq!(map.data.expect("data").len(), 17);
}

#[tokio::test]
async fn scale_and_status_are_resources_of_their_own() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    api.create(&PostParams::default(), &object(deployment("web", "web:1")))
        .await
        .expect("created");
    let scaled = api
        .patch_scale(
            "web",
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"replicas": 4}})),
        )
        .await
        .expect("scaled");
    assert_eq!(scaled.spec.and_then(|s| s.replicas), Some(4));
    let patch = json!({"status": {"replicas": 2}, "spec": {"replicas": 9}});
    let web = api
        .patch_status("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .expect("patched");
    let web = serde_json::to_value(web).expect("an object");
    assert_eq!(
        (&web["spec"]["replicas"], &web["status"]["replicas"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(web["metadata"]["generation"], 2);
}
