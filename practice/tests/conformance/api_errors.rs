//! Refusals: status codes, reasons, wording and headers.

use serde_json::{Value, json};

use crate::cluster::{Place, config_map};

#[track_caller]
fn is_status(body: &Value, code: u16, reason: &str, message: &str) {
    assert_eq!(body["kind"], "Status", "{body}");
    assert_eq!(body["apiVersion"], "v1", "{body}");
    assert_eq!(body["status"], "Failure", "{body}");
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["reason"], reason, "{body}");
    let said = body["message"].as_str().unwrap_or("");
    assert!(
        said.contains(message),
        "{said:?} does not contain {message:?}"
    );
}

pub async fn refusals_have_the_status_shape(place: Place) {
    let maps = place.path("api/v1", "configmaps");
    let (code, body) = place.get(&format!("{maps}/gone")).await;
    assert_eq!(code, 404);
    is_status(&body, 404, "NotFound", "configmaps \"gone\" not found");
    assert_eq!(
        body["details"],
        json!({"name": "gone", "kind": "configmaps"})
    );

    let (code, made) = place.post(&maps, &config_map("here", "1")).await;
    assert_eq!((code, &made["kind"]), (201, &json!("ConfigMap")));
    let (_, body) = place.post(&maps, &config_map("here", "1")).await;
    is_status(
        &body,
        409,
        "AlreadyExists",
        "configmaps \"here\" already exists",
    );

    let mut stale = config_map("here", "2");
    stale["metadata"]["resourceVersion"] = "1".into();
    let here = format!("{maps}/here");
    let json = [("content-type", "application/json")];
    let (code, headers, body) = place.request(("PUT", &here), &json, &stale).await;
    assert_eq!(code, 409);
    assert_eq!(headers["content-type"], "application/json");
    is_status(
        &body,
        409,
        "Conflict",
        "the object has been modified; please apply your changes to the latest version and try again",
    );

    let (_, body) = place.post(&maps, &config_map("Not-A-Name", "1")).await;
    is_status(&body, 422, "Invalid", "metadata.name: Invalid value");
    assert_eq!(body["details"]["causes"][0]["field"], "metadata.name");
    let xml = [("content-type", "application/xml")];
    let (_, _, body) = place
        .request(("POST", &maps), &xml, &config_map("x", "1"))
        .await;
    is_status(&body, 415, "UnsupportedMediaType", "");
    let (_, _, body) = place
        .request(("POST", &here), &json, &config_map("x", "1"))
        .await;
    is_status(&body, 405, "MethodNotAllowed", "");
    let accept = [("accept", "text/html")];
    let (_, _, body) = place.request(("GET", &maps), &accept, &Value::Null).await;
    is_status(&body, 406, "NotAcceptable", "");

    let elsewhere = "/api/v1/namespaces/there-is-no-such-namespace/configmaps";
    let (_, body) = place.post(elsewhere, &config_map("x", "1")).await;
    is_status(
        &body,
        404,
        "NotFound",
        "namespaces \"there-is-no-such-namespace\" not found",
    );

    let precondition = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    let (_, _, body) = place.request(("DELETE", &here), &json, &precondition).await;
    is_status(&body, 409, "Conflict", "UID");
    let (code, _, body) = place.request(("DELETE", &here), &json, &Value::Null).await;
    assert_eq!((code, &body["status"]), (200, &json!("Success")));
}

pub async fn immutable_fields_are_named(place: Place) {
    let idle = json!({"name": "app", "image": "web:1"});
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [idle]}}}
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}]}
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
        "immutable": true, "stringData": {"a": "b"}
    });
    let mut set = place.deployment("db", 0, &idle);
    set["kind"] = "StatefulSet".into();
    set["spec"]["serviceName"] = "db".into();
    let web = place.deployment("web", 0, &idle);
    place.apply(&[web, job.clone(), service, secret, set]).await;
    job["metadata"]["name"] = "other".into();
    for (object, patch, words) in [
        (
            "deploy/web",
            r#"{"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}}"#,
            "field is immutable",
        ),
        (
            "job/once",
            r#"{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"web:2"}]}}}}"#,
            "field is immutable",
        ),
        (
            "svc/web",
            r#"{"spec":{"clusterIP":"10.96.200.200","clusterIPs":["10.96.200.200"]}}"#,
            "may not change once set",
        ),
        (
            "secret/keys",
            r#"{"data":{"a":"eA=="}}"#,
            "field is immutable when `immutable` is set",
        ),
        (
            "sts/db",
            r#"{"spec":{"serviceName":"x"}}"#,
            "updates to statefulset spec for fields other than 'replicas'",
        ),
    ] {
        let said = place.kubectl(&["patch", object, "-p", patch]).await;
        said.refused("is invalid").says(words);
    }
}

pub async fn unknown_fields_are_warned_about_or_refused(place: Place) {
    let maps = place.path("api/v1", "configmaps");
    let mut odd = config_map("odd", "1");
    odd["dat"] = json!({"a": "b"});
    let json = [("content-type", "application/json")];
    let (code, headers, _) = place.request(("POST", &maps), &json, &odd).await;
    assert_eq!(code, 201);
    assert_eq!(headers["warning"], "299 - \"unknown field \\\"dat\\\"\"");
    odd["metadata"]["name"] = "odder".into();
    let strict = format!("{maps}?fieldValidation=Strict");
    let (_, body) = place.post(&strict, &odd).await;
    is_status(
        &body,
        400,
        "BadRequest",
        "strict decoding error: unknown field \"dat\"",
    );
    let ignore = format!("{maps}?fieldValidation=Ignore");
    let (code, headers, _) = place.request(("POST", &ignore), &json, &odd).await;
    assert!(code == 201 && !headers.contains_key("warning"));
}

pub async fn apply_conflicts_list_every_field(place: Place) {
    let path = place.path("api/v1", "configmaps/shared");
    let apply = async |manager: &str, value: &str| {
        let path = format!("{path}?fieldManager={manager}");
        let yaml = [("content-type", "application/apply-patch+yaml")];
        let mut object = config_map("shared", value);
        object["data"]["more"] = value.into();
        place.request(("PATCH", &path), &yaml, &object).await
    };
    assert_eq!(apply("one", "1").await.0, 201);
    assert_eq!(apply("one", "1").await.0, 200);
    let (_, _, body) = apply("two", "2").await;
    is_status(
        &body,
        409,
        "Conflict",
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.key\n- .data.more",
    );
    let causes = body["details"]["causes"].as_array().expect("causes");
    assert_eq!(causes.len(), 2);
    assert_eq!(
        causes[0],
        json!({"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.key"})
    );
    let (_, _, body) = place
        .request(
            ("PATCH", &path),
            &[("content-type", "application/apply-patch+yaml")],
            &config_map("shared", "1"),
        )
        .await;
    is_status(&body, 422, "Invalid", "fieldManager: Required value");
}
