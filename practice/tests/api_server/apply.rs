use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::support::*;

#[tokio::test]
async fn an_apply_creates_and_repeating_it_changes_nothing() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    let params = PatchParams::apply("slipway");
    let first = api
        .patch("web", &params, &Patch::Apply(deployment("web", "web:1")))
        .await
        .expect("applied");
    let second = api
        .patch("web", &params, &Patch::Apply(deployment("web", "web:1")))
        .await
        .expect("applied");
    assert_eq!(
        first.metadata.resource_version,
        second.metadata.resource_version
    );
    let managed = first.metadata.managed_fields.expect("records");
    assert_eq!(
        (
            managed[0].manager.as_deref(),
            managed[0].operation.as_deref()
        ),
        (Some("slipway"), Some("Apply"))
    );
}

#[tokio::test]
async fn what_another_manager_owns_is_a_conflict_until_forced() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    let mut mine = deployment("web", "web:1");
    mine["spec"]["replicas"] = json!(1);
    api.patch("web", &PatchParams::apply("helm"), &Patch::Apply(&mine))
        .await
        .expect("applied");
    mine["spec"]["replicas"] = json!(3);
    let status = refused(
        api.patch("web", &PatchParams::apply("slipway"), &Patch::Apply(&mine))
            .await,
    );
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas"
    );
    let causes = status.details.expect("details").causes;
    assert_eq!(
        (causes[0].reason.as_str(), causes[0].field.as_str()),
        ("FieldManagerConflict", ".spec.replicas")
    );

    let forced = api
        .patch(
            "web",
            &PatchParams::apply("slipway").force(),
            &Patch::Apply(&mine),
        )
        .await
        .expect("forced");
    assert_eq!(
        serde_json::to_value(&forced).expect("an object")["spec"]["replicas"],
        3
    );
    // The loser does not own the field any more, so its next apply is the one in conflict.
    mine["spec"]["replicas"] = json!(1);
    let status = refused(
        api.patch("web", &PatchParams::apply("helm"), &Patch::Apply(&mine))
            .await,
    );
    assert!(
        status
            .message
            .contains("conflict with \"slipway\": .spec.replicas"),
        "{}",
        status.message
    );
}

#[tokio::test]
async fn a_client_side_writer_is_named_with_its_version() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    let params = PostParams {
        field_manager: Some("kubectl-create".into()),
        ..PostParams::default()
    };
    let mut web = deployment("web", "web:1");
    web["spec"]["replicas"] = json!(2);
    api.create(&params, &object(web.clone()))
        .await
        .expect("created");
    web["spec"]["replicas"] = json!(5);
    web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    let status = refused(
        api.patch("web", &PatchParams::apply("slipway"), &Patch::Apply(web))
            .await,
    );
    assert!(
        status.message.starts_with(
            "Apply failed with 2 conflicts: conflicts with \"kubectl-create\" using apps/v1 at "
        ),
        "{}",
        status.message
    );
    assert!(status.message.contains("\n- .spec.replicas"));
    assert!(
        status
            .message
            .contains("\n- .spec.template.spec.containers[name=\"app\"].image")
    );
}

#[tokio::test]
async fn fields_that_are_no_longer_applied_go_away() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    let params = PatchParams::apply("slipway");
    let mut web = deployment("web", "web:1");
    web["metadata"]["labels"] = json!({"a": "1", "b": "2"});
    web["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] =
        json!({"httpGet": {"path": "/", "port": 80}});
    web["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
    api.patch("web", &params, &Patch::Apply(&web))
        .await
        .expect("applied");
    api.patch("web", &PatchParams::apply("other"), &Patch::Apply(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"b": "2", "c": "3"}}
    }))).await.expect("applied");

    web["metadata"]["labels"] = json!({});
    let container = web["spec"]["template"]["spec"]["containers"][0]
        .as_object_mut()
        .expect("an object");
    container.remove("livenessProbe");
    container.insert("env".into(), json!([{"name": "B", "value": "2"}]));
    let left = api
        .patch("web", &params, &Patch::Apply(&web))
        .await
        .expect("applied");
    let left = serde_json::to_value(left).expect("an object");
    assert_eq!(left["metadata"]["labels"], json!({"b": "2", "c": "3"}));
    let container = &left["spec"]["template"]["spec"]["containers"][0];
    assert!(container.get("livenessProbe").is_none());
    assert_eq!(container["env"], json!([{"name": "B", "value": "2"}]));
}

#[tokio::test]
async fn an_apply_needs_a_manager() {
    let cluster = Cluster::start().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let (code, status) = cluster
        .raw(
            "PATCH",
            path,
            "application/apply-patch+yaml",
            &deployment("web", "web:1"),
        )
        .await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
}

#[tokio::test]
async fn strategic_patches_merge_containers_by_name() {
    let cluster = Cluster::start().await;
    let api = cluster.deployments();
    api.create(&PostParams::default(), &object(deployment("web", "web:1")))
        .await
        .expect("created");
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:2"}]}}}});
    let web = api
        .patch("web", &PatchParams::default(), &Patch::Strategic(patch))
        .await
        .expect("patched");
    let web = serde_json::to_value(web).expect("an object");
    let containers = web["spec"]["template"]["spec"]["containers"]
        .as_array()
        .expect("a list");
    assert_eq!(
        (containers.len(), &containers[0]["image"]),
        (1, &json!("web:2"))
    );
    assert_eq!(web["metadata"]["generation"], 2);
}
