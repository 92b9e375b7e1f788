//! The writing verbs: create, replace, patch, delete, and the subresources that are writes.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::body::{self, media_type};
use super::conform::{FieldValidation, conform};
use super::kinds::{Kind, Sub};
use super::objects::{self, DeleteOptions, Deleted, WriteContext, accept_body};
use super::request::{Query, Target};
use super::serve::{ApiServer, json_response, show};
use super::status::{FieldError, StatusError};
use super::store::Transaction;
use super::{apply, patch as patches, schema, strategic, views};

fn context(query: &Query, headers: &HeaderMap) -> Result<WriteContext, StatusError> {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let manager = match query.get("fieldManager").filter(|m| !m.is_empty()) {
        Some(manager) if manager.len() > 128 => {
            return Err(StatusError::bad_request(
                "fieldManager: Too long: may not be more than 128 bytes",
            ));
        }
        Some(manager) => manager.to_owned(),
        None => match agent.split('/').next().unwrap_or("") {
            "" => "unknown".to_owned(),
            name => name.chars().take(128).collect(),
        },
    };
    Ok(WriteContext {
        manager,
        now: Timestamp::now(),
    })
}

/// POST.
pub async fn create(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let (headers, bytes) = body::read(request).await?;
    let ctx = context(&query, &headers)?;
    let dry_run = query.dry_run()?;
    match (target.kind.kind, target.subresource.as_deref()) {
        (_, None) if target.name.is_none() => {}
        ("Pod", Some("binding")) => {
            let binding = body::decode(&headers, &bytes)?;
            api.store
                .write(dry_run, |txn| bind(txn, &target, &binding, &ctx))
                .await?;
            return Ok(success(201, None));
        }
        ("Pod", Some("eviction")) => {
            let eviction = body::decode(&headers, &bytes)?;
            let options = delete_options(&eviction["deleteOptions"], &query)?;
            api.store
                .write(dry_run, |txn| delete_named(txn, &target, &options, ctx.now))
                .await?;
            return Ok(success(201, None));
        }
        _ => return Err(StatusError::method_not_allowed()),
    }
    let mut object = accept_body(target.kind, body::decode(&headers, &bytes)?)?;
    let fields = FieldValidation::parse(query.get("fieldValidation"))?;
    let warnings = fields.judge(target.kind, conform(target.kind, &mut object)?)?;
    if target.kind.namespaced && target.namespace.is_none() {
        return Err(StatusError::bad_request(
            "an empty namespace may not be set during creation",
        ));
    }
    let object = views::inward(target.kind, object);
    let created = api
        .store
        .write(dry_run, |txn| {
            objects::create(txn, &target, object, &ctx, None)
        })
        .await?;
    Ok(warn(
        show(&target, &query, &headers, &created, 201)?,
        &warnings,
    ))
}

/// Adds `Warning` headers.
fn warn(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// PUT.
pub async fn replace(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let (headers, bytes) = body::read(request).await?;
    let ctx = context(&query, &headers)?;
    let sent = body::decode(&headers, &bytes)?;
    if target.subresource.as_deref() == Some("scale") {
        let scaled = api
            .store
            .write(query.dry_run()?, |txn| {
                set_scale(txn, &target, &ctx, |_| Ok(sent.clone()))
            })
            .await?;
        return Ok(json_response(200, &scaled));
    }
    known_update(&target)?;
    let mut object = accept_body(target.kind, sent)?;
    let fields = FieldValidation::parse(query.get("fieldValidation"))?;
    let warnings = fields.judge(target.kind, conform(target.kind, &mut object)?)?;
    let object = views::inward(target.kind, object);
    let updated = api
        .store
        .write(query.dry_run()?, |txn| {
            let existing = existing(txn, &target)?;
            objects::update(txn, &target, &existing, object, &ctx, None)
        })
        .await?;
    Ok(warn(
        show(&target, &query, &headers, &updated, 200)?,
        &warnings,
    ))
}

/// Whether the path can be written by PUT and PATCH.
fn known_update(target: &Target) -> Result<(), StatusError> {
    match target.subresource.as_deref() {
        None => Ok(()),
        Some("status") if target.kind.has(Sub::Status) => Ok(()),
        Some("finalize") if target.kind.has(Sub::Finalize) => Ok(()),
        Some(_) => Err(StatusError::no_such_path()),
    }
}

fn existing(txn: &Transaction<'_>, target: &Target) -> Result<Arc<Value>, StatusError> {
    let name = target.name()?;
    txn.get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))
}

/// PATCH.
pub async fn patch(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let (headers, bytes) = body::read(request).await?;
    let ctx = context(&query, &headers)?;
    let dry_run = query.dry_run()?;
    if matches!(
        media_type(&headers),
        "application/apply-patch+yaml" | "application/apply-patch+json"
    ) {
        return apply_patch(api, target, query, &headers, &bytes, ctx).await;
    }
    let change = Change::parse(&headers, &bytes)?;
    if target.subresource.as_deref() == Some("scale") {
        let scaled = api
            .store
            .write(dry_run, |txn| {
                set_scale(txn, &target, &ctx, |current| {
                    change.apply(target.kind, current)
                })
            })
            .await?;
        return Ok(json_response(200, &scaled));
    }
    known_update(&target)?;
    let fields = FieldValidation::parse(query.get("fieldValidation"))?;
    let (updated, warnings) = api
        .store
        .write(dry_run, |txn| {
            let existing = existing(txn, &target)?;
            let shown = views::outward(target.kind, &existing).into_owned();
            let mut patched = accept_body(target.kind, change.apply(target.kind, shown)?)?;
            let warnings = fields.judge(target.kind, conform(target.kind, &mut patched)?)?;
            let object = views::inward(target.kind, patched);
            Ok((
                objects::update(txn, &target, &existing, object, &ctx, None)?,
                warnings,
            ))
        })
        .await?;
    Ok(warn(
        show(&target, &query, &headers, &updated, 200)?,
        &warnings,
    ))
}

async fn apply_patch(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    headers: &HeaderMap,
    bytes: &[u8],
    ctx: WriteContext,
) -> Result<Response, StatusError> {
    if query.get("fieldManager").is_none_or(str::is_empty) {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(StatusError::invalid(
            "meta.k8s.io",
            "PatchOptions",
            "",
            &[error],
        ));
    }
    known_update(&target)?;
    let sent = body::yaml(bytes)?;
    let mut config = accept_body(target.kind, sent)?;
    let fields = FieldValidation::parse(query.get("fieldValidation"))?;
    let warnings = fields.judge(target.kind, conform(target.kind, &mut config)?)?;
    let config = views::inward(target.kind, config);
    let force = query.flag("force");
    let (object, created) = api
        .store
        .write(query.dry_run()?, |txn| {
            apply::apply(txn, &target, config, &ctx, force)
        })
        .await?;
    let code = if created { 201 } else { 200 };
    Ok(warn(
        show(&target, &query, headers, &object, code)?,
        &warnings,
    ))
}

/// A patch of one of the kinds that change a given object.
enum Change {
    Json(Value),
    Merge(Value),
    Strategic(Value),
}

impl Change {
    fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, StatusError> {
        match media_type(headers) {
            "application/json-patch+json" => Ok(Self::Json(body::json(bytes)?)),
            "application/merge-patch+json" => Ok(Self::Merge(body::json(bytes)?)),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic(body::json(bytes)?)),
            other => Err(StatusError::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml (got {other})"
            ))),
        }
    }

    fn apply(&self, kind: &Kind, mut object: Value) -> Result<Value, StatusError> {
        match self {
            Self::Json(patch) => patches::json_patch(&mut object, patch).map_err(|why| {
                StatusError::new(
                    422,
                    "Invalid",
                    format!(
                        "the server rejected our request due to an error in our request: {why}"
                    ),
                )
            })?,
            Self::Merge(patch) => {
                require_object(kind, patch)?;
                patches::merge(&mut object, patch);
            }
            Self::Strategic(_) if kind.custom.is_some() => {
                return Err(StatusError::unsupported_media_type(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            Self::Strategic(patch) => {
                require_object(kind, patch)?;
                strategic::merge(&schema::type_of(kind), &mut object, patch)
                    .map_err(StatusError::bad_request)?;
            }
        }
        Ok(object)
    }
}

fn require_object(kind: &Kind, patch: &Value) -> Result<(), StatusError> {
    if patch.is_object() {
        return Ok(());
    }
    Err(StatusError::bad_request(format!(
        "error decoding patch of {}: a patch is an object",
        kind.kind
    )))
}

/// The scale of a workload.
pub fn scale_of(target: &Target, object: &Value) -> Result<Value, StatusError> {
    if !target.kind.has(Sub::Scale) {
        return Err(StatusError::no_such_path());
    }
    let metadata = &object["metadata"];
    let paths = target.kind.custom.and_then(|custom| custom.scale.as_ref());
    let at = |own: Option<&str>, usual: &str| -> Value {
        object
            .pointer(own.unwrap_or(usual))
            .cloned()
            .unwrap_or_default()
    };
    let wanted = at(paths.map(|paths| paths.spec.as_str()), "/spec/replicas");
    let actual = at(paths.map(|paths| paths.status.as_str()), "/status/replicas");
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"]
        },
        "spec": {},
        "status": {"replicas": actual.as_i64().unwrap_or(0)}
    });
    if let Some(replicas) = wanted.as_i64().filter(|r| *r != 0) {
        scale["spec"]["replicas"] = replicas.into();
    }
    let selector = match paths {
        Some(paths) => {
            let own = paths
                .selector
                .as_deref()
                .and_then(|path| object.pointer(path));
            own.and_then(Value::as_str).unwrap_or("").to_owned()
        }
        None => selector_text(&object["spec"]["selector"]),
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    Ok(scale)
}

/// A label selector in its string form, labels in order.
fn selector_text(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object();
    let mut parts: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    for expression in selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let key = expression["key"].as_str().unwrap_or("");
        let list = expression["values"].as_array();
        let values: Vec<&str> = list
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        parts.push(match expression["operator"].as_str().unwrap_or("") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.sort();
    parts.join(",")
}

fn set_scale(
    txn: &mut Transaction<'_>,
    target: &Target,
    ctx: &WriteContext,
    change: impl FnOnce(Value) -> Result<Value, StatusError>,
) -> Result<Value, StatusError> {
    let existing = existing(txn, target)?;
    let wanted = change(scale_of(target, &existing)?)?;
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if let Some(version) = wanted["metadata"]["resourceVersion"]
        .as_str()
        .filter(|v| !v.is_empty())
        && Some(version) != existing["metadata"]["resourceVersion"].as_str()
    {
        return Err(StatusError::modified(
            &target.kind.resource(),
            target.name()?,
        ));
    }
    let mut object = (*existing).clone();
    match target.kind.custom.and_then(|custom| custom.scale.as_ref()) {
        // Only the parent of the field has to be there.
        Some(paths) => {
            let (parent, field) = paths.spec.rsplit_once('/').unwrap_or(("", "replicas"));
            if let Some(parent) = object.pointer_mut(parent) {
                parent[field] = replicas.into();
            }
        }
        None => object["spec"]["replicas"] = replicas.into(),
    }
    let updated = objects::update(txn, target, &existing, object, ctx, None)?;
    scale_of(target, &updated)
}

/// Gives a pod its node.
fn bind(
    txn: &mut Transaction<'_>,
    target: &Target,
    binding: &Value,
    ctx: &WriteContext,
) -> Result<(), StatusError> {
    let existing = existing(txn, target)?;
    let name = target.name()?;
    let node = binding["target"]["name"].as_str().unwrap_or("");
    let refuse = |why: String| {
        StatusError::conflict(
            &super::status::Resource {
                group: "",
                plural: "pods/binding",
            },
            name,
            &why,
        )
    };
    if !existing["metadata"]["deletionTimestamp"].is_null() {
        return Err(refuse(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        )));
    }
    if let Some(taken) = existing["spec"]["nodeName"]
        .as_str()
        .filter(|n| !n.is_empty())
    {
        return Err(refuse(format!(
            "pod {name} is already assigned to node \"{taken}\""
        )));
    }
    let mut object = (*existing).clone();
    object["spec"]["nodeName"] = node.into();
    set_scheduled(&mut object, ctx);
    super::managed::track(
        target.kind,
        &mut object,
        Some(&existing),
        ctx,
        Some("binding"),
        None,
    );
    txn.put(target.kind, object);
    Ok(())
}

fn set_scheduled(pod: &mut Value, ctx: &WriteContext) {
    if !pod["status"].is_object() {
        pod["status"] = json!({"phase": "Pending"});
    }
    let condition = json!({
        "type": "PodScheduled", "status": "True",
        "lastProbeTime": null, "lastTransitionTime": ctx.now_text()
    });
    if let Some(status) = pod["status"].as_object_mut() {
        let conditions = status.entry("conditions").or_insert_with(|| json!([]));
        if let Some(list) = conditions.as_array_mut() {
            list.retain(|c| c["type"] != "PodScheduled");
            list.push(condition);
        }
    }
}

fn delete_options(sent: &Value, query: &Query) -> Result<DeleteOptions, StatusError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut options = DeleteOptions {
        grace_seconds: sent["gracePeriodSeconds"].as_i64(),
        propagation: text(&sent["propagationPolicy"]),
        uid: text(&sent["preconditions"]["uid"]),
        resource_version: text(&sent["preconditions"]["resourceVersion"]),
        dry_run: query.dry_run()?
            || sent["dryRun"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
    };
    if sent["orphanDependents"] == true || query.get("orphanDependents") == Some("true") {
        options
            .propagation
            .get_or_insert_with(|| "Orphan".to_owned());
    }
    if let Some(seconds) = query.number("gracePeriodSeconds")? {
        options.grace_seconds.get_or_insert(seconds);
    }
    if let Some(policy) = query.get("propagationPolicy") {
        options.propagation.get_or_insert_with(|| policy.to_owned());
    }
    Ok(options)
}

fn delete_named(
    txn: &mut Transaction<'_>,
    target: &Target,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Deleted, StatusError> {
    let existing = existing(txn, target)?;
    protect(target.kind, target.name()?)?;
    objects::delete(txn, target.kind, &existing, options, now)
}

/// Namespaces the cluster cannot be without.
fn protect(kind: &Kind, name: &str) -> Result<(), StatusError> {
    if kind.kind == "Namespace" && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(StatusError::forbidden(
            &kind.resource(),
            name,
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}

async fn read_delete_options(
    query: &Query,
    request: Request<Body>,
) -> Result<(HeaderMap, DeleteOptions), StatusError> {
    let (headers, bytes) = body::read(request).await?;
    let sent = if bytes.is_empty() {
        Value::Null
    } else {
        body::decode(&headers, &bytes)?
    };
    Ok((headers, delete_options(&sent, query)?))
}

/// DELETE of one object.
pub async fn delete(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    if target.subresource.is_some() {
        return Err(StatusError::method_not_allowed());
    }
    let (headers, options) = read_delete_options(&query, request).await?;
    let now = Timestamp::now();
    let deleted = api
        .store
        .write(options.dry_run, |txn| {
            delete_named(txn, &target, &options, now)
        })
        .await?;
    match deleted {
        Deleted::Going(object) => show(&target, &query, &headers, &object, 200),
        Deleted::Gone(object) if returns_deleted(target.kind) => {
            show(&target, &query, &headers, &object, 200)
        }
        Deleted::Gone(object) => Ok(success(200, Some((target.kind, &object)))),
    }
}

/// Kinds whose deletion answers with the object and not with a status.
fn returns_deleted(kind: &Kind) -> bool {
    matches!(
        kind.kind,
        "Pod" | "Service" | "ServiceAccount" | "PersistentVolumeClaim" | "ResourceQuota"
    )
}

/// DELETE of everything a list would show.
pub async fn delete_collection(
    api: &Arc<ApiServer>,
    target: Target,
    query: Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    if target.kind.namespaced && target.namespace.is_none() {
        return Err(StatusError::method_not_allowed());
    }
    let selectors = query.selectors(target.kind)?;
    let (_, options) = read_delete_options(&query, request).await?;
    let now = Timestamp::now();
    let kind: &'static Kind = target.kind;
    let deleted = api
        .store
        .write(options.dry_run, |txn| {
            let mut items = Vec::new();
            for object in txn.list(kind, target.namespace.as_deref()) {
                let name = object["metadata"]["name"].as_str().unwrap_or("");
                if selectors.matches(&object) && protect(kind, name).is_ok() {
                    let done = match objects::delete(txn, kind, &object, &options, now)? {
                        Deleted::Gone(last) | Deleted::Going(last) => last,
                    };
                    items.push(views::outward(kind, &done).into_owned());
                }
            }
            Ok(items)
        })
        .await?;
    let body = json!({
        "kind": kind.list_kind(), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": api.store.current_rv().to_string()}, "items": deleted
    });
    Ok(json_response(200, &body))
}

fn success(code: u16, about: Option<(&Kind, &Value)>) -> Response {
    let mut status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some((kind, object)) = about {
        let mut details = json!({
            "name": object["metadata"]["name"], "kind": kind.plural, "uid": object["metadata"]["uid"]
        });
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        status["details"] = details;
    } else {
        status["code"] = code.into();
    }
    json_response(code, &status)
}
