//! Kinds that CustomResourceDefinitions define, and kinds in more than one version.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::{HELMS, KUBECTLS, OWN, Place};

/// A definition of gizmos in a group of the case's own.
fn definition(place: &Place) -> Value {
    let group = group(place);
    let spec = json!({
        "type": "object", "required": ["size"],
        "description": "What a gizmo should be.",
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How big it is."},
            "tier": {"type": "string", "enum": ["small", "large"], "default": "small"},
            "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "count": {"type": "integer"}
                }}
            },
            "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
        }
    });
    let status = json!({"type": "object", "properties": {
        "size": {"type": "integer"}, "phase": {"type": "string"}
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gizmos.{group}"), "labels": {OWN: place.namespace}},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gizmo", "plural": "gizmos", "singular": "gizmo", "shortNames": ["gz"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
                },
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Tier", "type": "string", "jsonPath": ".spec.tier", "priority": 1}
                ]
            }]
        }
    })
}

fn group(place: &Place) -> String {
    format!("{}.example.com", place.namespace)
}

fn gizmo(place: &Place, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{}/v1", group(place)), "kind": "Gizmo",
        "metadata": {"name": name}, "spec": spec
    })
}

/// Has the definition served, and answers the name kubectl knows its kind by.
async fn defined(place: &Place) -> String {
    place.apply(&[definition(place)]).await;
    let crd = format!("crd/gizmos.{}", group(place));
    place
        .kubectl(&["wait", "--for=condition=Established", "--timeout=20s", &crd])
        .await
        .says("condition met")
        .code(0);
    format!("gizmos.{}", group(place))
}

pub async fn a_definition_is_served_like_a_built_in_kind(place: Place) {
    let kind = defined(&place).await;
    let (code, list) = place.get(&format!("/apis/{}/v1", group(&place))).await;
    assert_eq!(code, 200, "{list}");
    let names = list["resources"].as_array().expect("resources");
    let names: Vec<&str> = names
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert_eq!(names, ["gizmos", "gizmos/status", "gizmos/scale"]);
    for version in KUBECTLS {
        let name = format!("one-{}", version.replace('.', "-"));
        let kubectl = async |args: &[&str]| place.kubectl_of(version, args).await;
        let object = gizmo(
            &place,
            &name,
            &json!({"size": 3, "parts": [{"name": "a", "count": 1}]}),
        );
        let apply = async |args: &[&str], object: &Value| {
            let mut all = vec!["apply", "-f", "-"];
            all.extend(args);
            let command = place.kubectl_command(version, &all);
            crate::run::finish(command, Some(&object.to_string())).await
        };
        apply(&["--dry-run=server"], &object)
            .await
            .says("(server dry run)")
            .code(0);
        apply(&[], &object).await.says("created").code(0);
        apply(&[], &object).await.says("unchanged").code(0);
        let mut second = object.clone();
        second["spec"]["size"] = 4.into();
        apply(&[], &second).await.says("configured").code(0);
        apply(&["--server-side", "--force-conflicts"], &object)
            .await
            .says("serverside-applied")
            .code(0);
        let table = kubectl(&["get", &kind, &name]).await.ok();
        let words: Vec<&str> = table.split_whitespace().collect();
        assert_eq!(words, ["NAME", "SIZE", &name, "3"], "{table}");
        kubectl(&["get", &kind, &name, "-o", "wide"])
            .await
            .says("TIER")
            .says("small");
        let shown = kubectl(&[
            "get",
            &kind,
            &name,
            "-o",
            "jsonpath={.spec.tier} {.metadata.generation}",
        ])
        .await;
        assert_eq!(shown.ok(), "small 3");
        let patch = r#"{"spec":{"extra":{"any":{"thing":true}}}}"#;
        kubectl(&["patch", &kind, &name, "--type=merge", "-p", patch])
            .await
            .says("patched")
            .code(0);
        let shown = kubectl(&[
            "get",
            &kind,
            &name,
            "-o",
            "jsonpath={.spec.extra.any.thing}",
        ])
        .await;
        assert_eq!(shown.ok(), "true");
        kubectl(&["patch", &kind, &name, "--type=strategic", "-p", patch])
            .await
            .refused("application/merge-patch+json");
        kubectl(&["describe", &kind, &name])
            .await
            .says("API Version:")
            .code(0);
        kubectl(&["explain", &format!("{kind}.spec.size")])
            .await
            .says("How big it is.")
            .says("<integer>");
        kubectl(&[
            "wait",
            "--timeout=20s",
            "--for=jsonpath={.spec.size}=3",
            &format!("{kind}/{name}"),
        ])
        .await
        .ok();
        kubectl(&["api-resources", "--api-group", &group(&place)])
            .await
            .says("gz")
            .says("Gizmo");
        kubectl(&["auth", "can-i", "create", &kind])
            .await
            .says("yes");
        kubectl(&["delete", &kind, &name, "--wait"])
            .await
            .says("deleted")
            .code(0);
        kubectl(&["get", &kind, &name]).await.refused("(NotFound)");
    }
}

pub async fn a_schema_refuses_what_does_not_fit(place: Place) {
    defined(&place).await;
    let path = format!(
        "/apis/{}/v1/namespaces/{}/gizmos",
        group(&place),
        place.namespace
    );
    let message = async |spec: Value| {
        let (code, status) = place.post(&path, &gizmo(&place, "bad", &spec)).await;
        assert_eq!(code, 422, "{spec}: {status}");
        assert_eq!(status["reason"], "Invalid");
        let text = status["message"].as_str().unwrap_or("").to_owned();
        let prefix = format!("Gizmo.{} \"bad\" is invalid: ", group(&place));
        let detail = text.strip_prefix(&prefix).map(str::to_owned);
        detail.unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(message(json!({})).await, "spec.size: Required value");
    assert_eq!(
        message(json!({"size": "big"})).await,
        "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""
    );
    assert_eq!(
        message(json!({"size": 10})).await,
        "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"
    );
    assert_eq!(
        message(json!({"size": 1, "tier": "huge"})).await,
        "spec.tier: Unsupported value: \"huge\": supported values: \"small\", \"large\""
    );
    assert_eq!(
        message(json!({"size": 1, "code": "A"})).await,
        "spec.code: Invalid value: \"A\": spec.code in body should match '^[a-z]+$'"
    );
    let both = message(json!({"code": "A"})).await;
    assert!(
        both.starts_with('[') && both.contains("spec.size: Required value"),
        "{both}"
    );
    // What the schema does not name is pruned, with a warning, or refused when that is asked for.
    let odd = gizmo(&place, "odd", &json!({"size": 1, "sise": 2}));
    let (code, status) = place
        .post(&format!("{path}?fieldValidation=Strict"), &odd)
        .await;
    assert_eq!(code, 400, "{status}");
    let text = status["message"].as_str().unwrap_or("");
    assert!(
        text.contains("strict decoding error: unknown field \"spec.sise\""),
        "{text}"
    );
    let json = [("content-type", "application/json")];
    let (code, headers, created) = place.request(("POST", &path), &json, &odd).await;
    assert_eq!(code, 201, "{created}");
    assert_eq!(created["spec"], json!({"size": 1, "tier": "small"}));
    let warning = headers.get("warning").and_then(|value| value.to_str().ok());
    assert_eq!(warning, Some("299 - \"unknown field \\\"spec.sise\\\"\""));
}

pub async fn status_and_scale_are_written_apart(place: Place) {
    let kind = defined(&place).await;
    let mut object = gizmo(&place, "it", &json!({"size": 2}));
    object["status"] = json!({"phase": "invented"});
    place.apply(&[object]).await;
    let get = async |path: &str| {
        let path = format!("jsonpath={path}");
        place.kubectl(&["get", &kind, "it", "-o", &path]).await.ok()
    };
    assert_eq!(
        get("{.status.phase}").await,
        "",
        "the main resource writes no status"
    );
    let patch = r#"{"status":{"phase":"Ready","size":2},"spec":{"size":9}}"#;
    place
        .kubectl(&[
            "patch",
            &kind,
            "it",
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        ])
        .await
        .says("patched")
        .code(0);
    assert_eq!(
        get("{.status.phase} {.spec.size} {.metadata.generation}").await,
        "Ready 2 1"
    );
    let it = format!("{kind}/it");
    place
        .kubectl(&["scale", &it, "--replicas=5"])
        .await
        .says("scaled")
        .code(0);
    assert_eq!(get("{.spec.size} {.metadata.generation}").await, "5 2");
    let path = format!(
        "/apis/{}/v1/namespaces/{}/gizmos/it/scale",
        group(&place),
        place.namespace
    );
    let (code, scale) = place.get(&path).await;
    assert_eq!(
        (code, &scale["spec"]["replicas"]),
        (200, &json!(5)),
        "{scale}"
    );
    assert_eq!(scale["status"]["replicas"], 2);
}

pub async fn definitions_take_their_objects_with_them(place: Place) {
    let kind = defined(&place).await;
    place
        .apply(&[gizmo(&place, "it", &json!({"size": 1}))])
        .await;
    let crd = format!("crd/{kind}");
    place
        .kubectl(&["delete", &crd, "--wait"])
        .await
        .says("deleted")
        .code(0);
    let root = format!("/apis/{}/v1", group(&place));
    place
        .until("the group to go", async || place.get(&root).await.0 == 404)
        .await;
    // Defined again, it begins empty.
    defined(&place).await;
    let path = format!("{root}/namespaces/{}/gizmos", place.namespace);
    place
        .until("the kind to come back", async || {
            place.get(&path).await.0 == 200
        })
        .await;
    let (_, list) = place.get(&path).await;
    assert_eq!(list["items"], json!([]));
    assert_eq!(list["kind"], "GizmoList");
    // A wrong definition says what is wrong with it.
    let mut wrong = definition(&place);
    wrong["metadata"]["name"] = format!("widgets.{}", group(&place)).into();
    place
        .kubectl_with(&["apply", "-f", "-"], &wrong)
        .await
        .refused("must be spec.names.plural+\".\"+spec.group");
}

pub async fn charts_bring_their_definitions(place: Place) {
    let kind = format!("gizmos.{}", group(&place));
    for major in HELMS {
        let chart = place.folder.path().join(format!("gizmos-{major}"));
        let write = |name: &str, text: String| {
            let path = chart.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write(
            "Chart.yaml",
            "apiVersion: v2\nname: gizmos\nversion: 0.1.0\n".to_owned(),
        );
        write("crds/gizmo.yaml", definition(&place).to_string());
        let template = gizmo(&place, &format!("from-helm-{major}"), &json!({"size": 7}));
        write("templates/gizmo.yaml", template.to_string());
        let release = format!("gizmos-{major}");
        let chart = chart.display().to_string();
        place
            .helm(
                major,
                &["install", &release, &chart, "--wait", "--timeout", "30s"],
            )
            .await
            .says("STATUS: deployed")
            .code(0);
        let name = format!("from-helm-{major}");
        let size = place
            .kubectl(&["get", &kind, &name, "-o", "jsonpath={.spec.size}"])
            .await;
        assert_eq!(size.ok(), "7");
        place
            .helm(major, &["upgrade", &release, &chart, "--set", "a=b"])
            .await
            .code(0);
        place
            .helm(major, &["uninstall", &release, "--wait"])
            .await
            .code(0);
        place
            .kubectl(&["get", &kind, &name])
            .await
            .refused("(NotFound)");
        // Helm leaves definitions where they are.
        place.kubectl(&["get", "crd", &kind]).await.ok();
    }
}

pub async fn older_versions_are_shown_from_the_same_store(place: Place) {
    place
        .kubectl_with(
            &["apply", "-f", "-"],
            &json!({
                "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
                "spec": {
                    "maxReplicas": 3, "targetCPUUtilizationPercentage": 60,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
                }
            }),
        )
        .await
        .says("created")
        .code(0);
    let (code, newer) = place
        .get(&place.path("apis/autoscaling/v2", "horizontalpodautoscalers/web"))
        .await;
    assert_eq!(code, 200, "{newer}");
    assert_eq!(
        newer["spec"]["metrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}])
    );
    let (code, older) = place
        .get(&place.path("apis/autoscaling/v1", "horizontalpodautoscalers/web"))
        .await;
    assert_eq!(code, 200, "{older}");
    assert_eq!(older["spec"]["targetCPUUtilizationPercentage"], 60);
    assert_eq!(older["metadata"]["uid"], newer["metadata"]["uid"]);
    // The newer one is preferred.
    place
        .kubectl(&["get", "hpa", "web", "-o", "yaml"])
        .await
        .says("apiVersion: autoscaling/v2");
    place
        .kubectl(&["delete", "hpa.v1.autoscaling", "web", "--wait"])
        .await
        .code(0);
}
