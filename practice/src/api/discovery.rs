//! Discovery: groups, versions and resources, in the plain and the aggregated form, and the
//! server's version.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, Request, header};
use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::openapi;
use super::serve::json_response;
use super::status::StatusError;

/// Answers everything that is no resource.
pub fn answer(
    custom: &[&'static Kind],
    segments: &[&str],
    request: &Request<Body>,
) -> Result<Response, StatusError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(StatusError::method_not_allowed());
    }
    let aggregated = wants_aggregated(request);
    let groups = kinds::groups(custom);
    let serves = |group: &str, version: &str| {
        groups
            .iter()
            .any(|(name, versions)| *name == group && versions.contains(&version))
    };
    match segments {
        [] => Ok(json_response(200, &paths(&groups))),
        ["version"] => Ok(json_response(200, &version())),
        ["api"] if aggregated => Ok(aggregated_response(custom, &[("", vec!["v1"])])),
        ["api"] => Ok(json_response(
            200,
            &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        )),
        ["apis"] if aggregated => Ok(aggregated_response(custom, &groups)),
        ["apis"] => {
            let groups: Vec<Value> = groups.iter().map(|(g, v)| group_object(g, v)).collect();
            Ok(json_response(
                200,
                &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
            ))
        }
        ["api", "v1"] => Ok(json_response(200, &resource_list(custom, "", "v1"))),
        ["apis", group] => {
            let (group, versions) = groups
                .iter()
                .find(|(g, _)| g == group)
                .ok_or_else(StatusError::no_such_path)?;
            let mut object = json!({"kind": "APIGroup", "apiVersion": "v1"});
            if let (Some(out), Value::Object(fields)) =
                (object.as_object_mut(), group_object(group, versions))
            {
                out.extend(fields);
            }
            Ok(json_response(200, &object))
        }
        ["apis", group, version] if serves(group, version) => {
            Ok(json_response(200, &resource_list(custom, group, version)))
        }
        ["openapi", "v2"] => Ok(openapi::version_2(request.headers())),
        ["openapi", "v3"] => Ok(json_response(200, &openapi::index(&groups, custom))),
        ["openapi", "v3", "api", version] => {
            Ok(json_response(200, &openapi::document(custom, "", version)?))
        }
        ["openapi", "v3", "apis", group, version] if !group.is_empty() => Ok(json_response(
            200,
            &openapi::document(custom, group, version)?,
        )),
        ["livez" | "readyz" | "healthz", ..] => Ok("ok".into_response()),
        _ => Err(StatusError::no_such_path()),
    }
}

fn wants_aggregated(request: &Request<Body>) -> bool {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    // The first choice counts: clients name the plain form behind it as a fallback.
    accept.split(',').any(|choice| {
        choice.contains("g=apidiscovery.k8s.io") && choice.contains("v=v2;")
            || choice.trim_end().ends_with("v=v2")
    })
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "35", "emulationMajor": "1", "emulationMinor": "35",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "34",
        "gitVersion": crate::KUBERNETES_VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, go_arch())
    })
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn paths(groups: &[(&str, Vec<&str>)]) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in groups {
        paths.push(format!("/apis/{group}"));
        for version in versions {
            paths.push(format!("/apis/{group}/{version}"));
        }
    }
    for path in ["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"] {
        paths.push(path.to_owned());
    }
    json!({"paths": paths})
}

fn group_object(group: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": kinds::group_version(group, version), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn resource_list(custom: &[&'static Kind], group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    let kinds = kinds::with_custom(custom);
    for kind in kinds.filter(|kind| kind.group == group && kind.version == version) {
        resources.push(resource(kind));
        for sub in kind.subresources {
            let (name, sub_group, sub_version, verbs) = sub.discovery(kind);
            let mut row = json!({
                "name": format!("{}/{}", kind.plural, sub.name()), "singularName": "",
                "namespaced": kind.namespaced, "kind": name, "verbs": verbs
            });
            if !sub_group.is_empty() {
                row["group"] = sub_group.into();
                row["version"] = sub_version.into();
            }
            resources.push(row);
        }
    }
    json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": kinds::group_version(group, version), "resources": resources
    })
}

fn resource(kind: &Kind) -> Value {
    let mut row = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": kind.verbs()
    });
    if !kind.short_names.is_empty() {
        row["shortNames"] = kind.short_names.into();
    }
    if !kind.categories.is_empty() {
        row["categories"] = kind.categories.into();
    }
    row
}

fn aggregated_response(custom: &[&'static Kind], groups: &[(&str, Vec<&str>)]) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = kinds::with_custom(custom)
                        .filter(|kind| kind.group == *group && kind.version == *version)
                        .map(aggregated_resource)
                        .collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = (*group).into();
            }
            json!({
                "metadata": metadata,
                "versions": versions
            })
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items
    });
    let mut response = json_response(200, &body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        ),
    );
    response
}

fn aggregated_resource(kind: &Kind) -> Value {
    let response_kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut row = json!({
        "resource": kind.plural,
        "responseKind": response_kind(kind.group, kind.version, kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs()
    });
    if !kind.short_names.is_empty() {
        row["shortNames"] = kind.short_names.into();
    }
    if !kind.categories.is_empty() {
        row["categories"] = kind.categories.into();
    }
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|sub| {
            let (name, group, version, verbs) = sub.discovery(kind);
            let (group, version) = if group.is_empty() {
                (kind.group, kind.version)
            } else {
                (group, version)
            };
            json!({
                "subresource": sub.name(),
                "responseKind": response_kind(group, version, name),
                "verbs": verbs
            })
        })
        .collect();
    if !subresources.is_empty() {
        row["subresources"] = subresources.into();
    }
    row
}
