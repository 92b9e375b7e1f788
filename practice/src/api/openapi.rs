//! OpenAPI v3 of the served kinds, written from the schema table: enough for clients to know the
//! fields, how lists are merged and which query parameters a patch takes.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher as _};

use axum::response::Response;
use http::header;
use serde_json::{Map, Value, json};

use super::kinds::{self, Kind, Serving, Sub};
use super::schema::{self, Type};
use super::serve::json_response;
use super::status::StatusError;

/// `/openapi/v2`: an empty document. kubectl asks for it before it applies a `List`, only in its
/// binary form, and then leaves judging kinds it does not find there to the server.
pub fn version_2(headers: &http::HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("protobuf")) {
        return json_response(
            200,
            &json!({
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": crate::KUBERNETES_VERSION},
                "paths": {}, "definitions": {}
            }),
        );
    }
    let field = |number: u8, bytes: &[u8]| {
        // Every field is a short string or message.
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap_or(0)];
        out.extend_from_slice(bytes);
        out
    };
    let version = crate::KUBERNETES_VERSION.as_bytes();
    let info = [field(1, b"Kubernetes"), field(2, version)].concat();
    let document = [
        field(1, b"2.0"),
        field(2, &info),
        field(8, b""),
        field(9, b""),
    ]
    .concat();
    let mut response = Response::new(axum::body::Body::from(document));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static(
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        ),
    );
    response
}

/// `/openapi/v3`: where the documents are.
pub fn index(groups: &[(&str, Vec<&str>)], custom: &[&'static Kind]) -> Value {
    // The documents change with the program and with the custom kinds, and so does their tag.
    let mut tag = std::hash::DefaultHasher::new();
    for kind in custom.iter().filter_map(|kind| kind.custom) {
        kind.type_name.hash(&mut tag);
    }
    let tag = format!("{}-{:x}", env!("CARGO_PKG_VERSION"), tag.finish());
    let mut paths = Map::new();
    let mut add = |path: String| {
        let url = format!("/openapi/v3/{path}?hash={tag}");
        paths.insert(path, json!({"serverRelativeURL": url}));
    };
    add("api/v1".to_owned());
    for (group, versions) in groups {
        for version in versions {
            add(format!("apis/{group}/{version}"));
        }
    }
    json!({"paths": paths})
}

/// The document of one group and version.
pub fn document(
    custom: &[&'static Kind],
    group: &str,
    version: &str,
) -> Result<Value, StatusError> {
    let served: Vec<&Kind> = kinds::with_custom(custom)
        .filter(|kind| kind.group == group && kind.version == version)
        .collect();
    if served.is_empty() {
        return Err(StatusError::no_such_path());
    }
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for kind in &served {
        match (kind.custom, kind.serving) {
            (Some(_), _) => schemas.add("meta.v1.ObjectMeta"),
            // metrics-server describes its own kinds, and nobody writes them.
            (None, Serving::Measured) => {}
            (None, _) => schemas.add(&schema::name_of(kind)),
        }
        add_paths(kind, &mut paths);
    }
    schemas.add("meta.v1.DeleteOptions");
    let mut schemas = schemas.finish(&served);
    for kind in &served {
        if let Some(custom) = kind.custom {
            schemas[schema_name(kind)] = own_schema(kind, &custom.schema);
        }
    }
    Ok(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": crate::KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": schemas}
    }))
}

/// The public name of a kind's schema.
fn schema_name(kind: &Kind) -> String {
    if kind.custom.is_none() {
        return public_name(&schema::name_of(kind));
    }
    let mut group: Vec<&str> = kind.group.split('.').collect();
    group.reverse();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
}

/// A custom kind's schema as its definition says it, with the fields every kind has.
fn own_schema(kind: &Kind, schema: &Value) -> Value {
    let mut own = schema.clone();
    let fields = &mut own["properties"];
    fields["apiVersion"] = json!({"type": "string"});
    fields["kind"] = json!({"type": "string"});
    fields["metadata"] = json!({"allOf": [reference(&public_name("meta.v1.ObjectMeta"))]});
    own["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
    own
}

/// The public name of a struct.
fn public_name(name: &str) -> String {
    match name.split_once('.') {
        Some(("meta", rest)) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        Some(("apiextensions", rest)) => {
            format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{rest}")
        }
        _ => format!("io.k8s.api.{name}"),
    }
}

#[derive(Default)]
struct Schemas {
    wanted: BTreeSet<String>,
}

impl Schemas {
    fn add(&mut self, name: &str) {
        let Some(found) = schema::get(name) else {
            return;
        };
        if self.wanted.insert(name.to_owned()) {
            for field in &found.fields {
                self.add_type(&field.ty);
            }
        }
    }

    fn add_type(&mut self, ty: &Type) {
        match ty {
            Type::Struct(name) => self.add(name),
            Type::AtomicList(t)
            | Type::Set(t)
            | Type::KeyedList(_, t)
            | Type::Map(t)
            | Type::AtomicMap(t) => {
                self.add_type(t);
            }
            _ => {}
        }
    }

    fn finish(self, served: &[&Kind]) -> Value {
        let mut out = Map::new();
        for name in self.wanted {
            let Some(found) = schema::get(&name) else {
                continue;
            };
            let properties: Map<String, Value> = found
                .fields
                .iter()
                .map(|field| (field.name.clone(), of_type(&field.ty)))
                .collect();
            let mut object = json!({"type": "object", "properties": properties});
            if found.atomic {
                object["x-kubernetes-map-type"] = "atomic".into();
            }
            if let Some(kind) = served.iter().find(|kind| schema::name_of(kind) == name) {
                object["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
            }
            out.insert(public_name(&name), object);
        }
        Value::Object(out)
    }
}

fn gvk(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn reference(public_name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{public_name}")})
}

fn of_type(ty: &Type) -> Value {
    match ty {
        Type::String | Type::Quantity => json!({"type": "string"}),
        Type::Integer => json!({"type": "integer", "format": "int64"}),
        Type::Number => json!({"type": "number", "format": "double"}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Bytes => json!({"type": "string", "format": "byte"}),
        Type::Time | Type::MicroTime => json!({"type": "string", "format": "date-time"}),
        Type::IntOrString => {
            json!({"x-kubernetes-int-or-string": true, "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        Type::Any => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        Type::Struct(name) => json!({"allOf": [reference(&public_name(name))]}),
        Type::AtomicList(item) => {
            json!({"type": "array", "items": of_type(item), "x-kubernetes-list-type": "atomic"})
        }
        Type::Set(item) => json!({
            "type": "array", "items": of_type(item), "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge"
        }),
        Type::KeyedList(keys, item) => {
            let key = keys.first();
            // The one list whose patches also say which keys an item keeps.
            let volumes = matches!(&**item, Type::Struct(name) if name == "core.v1.Volume");
            json!({
                "type": "array", "items": of_type(item), "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": keys, "x-kubernetes-patch-merge-key": key,
                "x-kubernetes-patch-strategy": if volumes { "merge,retainKeys" } else { "merge" }
            })
        }
        Type::Map(item) => json!({"type": "object", "additionalProperties": of_type(item)}),
        Type::AtomicMap(item) => json!({
            "type": "object", "additionalProperties": of_type(item), "x-kubernetes-map-type": "atomic"
        }),
    }
}

fn add_paths(kind: &Kind, paths: &mut Map<String, Value>) {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let base = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let post = operation(kind, "post", &["dryRun", "fieldManager", "fieldValidation"]);
    match kind.serving {
        Serving::Stored => {}
        Serving::Review => {
            paths.insert(base, json!({"post": post}));
            return;
        }
        Serving::Measured => return,
    }
    let list: &[&str] = &[
        "allowWatchBookmarks",
        "continue",
        "fieldSelector",
        "labelSelector",
        "limit",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "timeoutSeconds",
        "watch",
    ];
    if kind.namespaced {
        paths.insert(
            format!("{root}/{}", kind.plural),
            json!({"get": operation(kind, "list", list)}),
        );
    }
    paths.insert(base.clone(), json!({
        "get": operation(kind, "list", list),
        "post": post,
        "delete": operation(kind, "deletecollection", &["dryRun", "gracePeriodSeconds", "labelSelector", "fieldSelector", "propagationPolicy"]),
    }));
    let one = || {
        json!({
            "get": operation(kind, "get", &[]),
            "put": operation(kind, "put", &["dryRun", "fieldManager", "fieldValidation"]),
            "patch": operation(kind, "patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
        })
    };
    let mut named = one();
    named["delete"] = operation(
        kind,
        "delete",
        &[
            "dryRun",
            "gracePeriodSeconds",
            "orphanDependents",
            "propagationPolicy",
        ],
    );
    paths.insert(format!("{base}/{{name}}"), named);
    if kind.has(Sub::Status) {
        paths.insert(format!("{base}/{{name}}/status"), one());
    }
}

fn operation(kind: &Kind, action: &str, parameters: &[&str]) -> Value {
    let mut list: Vec<Value> = parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    if kind.namespaced {
        list.push(path_parameter("namespace"));
    }
    if matches!(action, "get" | "put" | "patch" | "delete") {
        list.push(path_parameter("name"));
    }
    let name = schema_name(kind);
    let content = json!({"application/json": {"schema": reference(&name)}});
    let mut out = json!({
        "tags": [format!("{}_{}", kind.group, kind.version)],
        "operationId": format!("{action}{}{}", kind.version, kind.kind),
        "parameters": list,
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk(kind)
    });
    match action {
        "post" | "put" => {
            out["requestBody"] =
                json!({"content": {"*/*": {"schema": reference(&name)}}, "required": true})
        }
        "patch" => {
            let any = json!({"schema": {"type": "object"}});
            let mut content = json!({
                "application/apply-patch+yaml": any, "application/json-patch+json": any,
                "application/merge-patch+json": any
            });
            // Clients look here for what they may send.
            if kind.custom.is_none() {
                content["application/strategic-merge-patch+json"] = any;
            }
            out["requestBody"] = json!({"required": true, "content": content});
        }
        _ => {}
    }
    out
}

fn path_parameter(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_schema() {
        let mut groups = vec![("", "v1")];
        groups.extend(
            kinds::groups(&[])
                .into_iter()
                .map(|(group, versions)| (group, versions[0])),
        );
        for (group, version) in groups {
            let document = document(&[], group, version).expect("served");
            let text = document.to_string();
            for part in text.split("\"#/components/schemas/").skip(1) {
                let name = part.split('"').next().unwrap_or("");
                assert!(
                    document["components"]["schemas"].get(name).is_some(),
                    "{group}/{version}: {name}"
                );
            }
        }
    }
}
