//! What a write does to an object: create, update and delete with the rules every kind shares.
//! All functions here are pure or work inside one store transaction.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::kinds::{self, Kind, Sub};
use super::names::{self, NameRule};
use super::request::Target;
use super::status::{FieldError, StatusError};
use super::store::Transaction;
use super::{admission, custom, managed};

/// What the request says about a write besides the object itself.
#[derive(Clone, Debug)]
pub struct WriteContext {
    /// Who owns the written fields.
    pub manager: String,
    /// The moment of the write.
    pub now: Timestamp,
}

impl WriteContext {
    /// The moment as object timestamps are written.
    pub fn now_text(&self) -> String {
        seconds_text(self.now)
    }
}

/// A timestamp in whole seconds, as `metav1.Time` is written.
pub fn seconds_text(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Checks that a body is an object of this kind with an object as metadata, and returns it with
/// both stamped.
pub fn accept_body(kind: &Kind, mut body: Value) -> Result<Value, StatusError> {
    let Some(object) = body.as_object_mut() else {
        return Err(StatusError::bad_request(format!(
            "{} in version \"{}\" cannot be handled: the body is not an object",
            kind.kind, kind.version
        )));
    };
    let expected = kind.api_version();
    match object.get("apiVersion").and_then(Value::as_str) {
        None | Some("") => {}
        Some(sent) if sent == expected => {}
        Some(sent) => {
            return Err(StatusError::bad_request(format!(
                "the API version in the data ({sent}) does not match the expected API version ({expected})"
            )));
        }
    }
    match object.get("kind").and_then(Value::as_str) {
        None | Some("") => {}
        Some(sent) if sent == kind.kind => {}
        Some(sent) => {
            return Err(StatusError::bad_request(format!(
                "{sent} in version \"{}\" cannot be handled as a {}: converting ({sent}) to ({}): unknown conversion",
                kind.version, kind.kind, kind.kind
            )));
        }
    }
    match object.get("metadata") {
        None | Some(Value::Null) => {
            object.insert("metadata".into(), json!({}));
        }
        Some(Value::Object(_)) => {}
        Some(_) => {
            return Err(StatusError::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta",
                kind.kind, kind.version, kind.kind
            )));
        }
    }
    Ok(kinds::typed(kind, &body))
}

/// Gives the object the namespace of the path, or says that they differ.
pub fn settle_namespace(target: &Target, object: &mut Value) -> Result<(), StatusError> {
    let metadata = metadata_mut(object)?;
    if !target.kind.namespaced {
        metadata.shift_remove("namespace");
        return Ok(());
    }
    match metadata.get("namespace").and_then(Value::as_str) {
        Some(sent) if !sent.is_empty() && sent != target.ns() => Err(StatusError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => {
            metadata.insert("namespace".into(), target.ns().into());
            Ok(())
        }
    }
}

fn metadata_mut(object: &mut Value) -> Result<&mut Map<String, Value>, StatusError> {
    object
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .ok_or_else(|| StatusError::bad_request("metadata: Invalid value: must be an object"))
}

/// Creates an object in the stored shape.
pub fn create(
    txn: &mut Transaction<'_>,
    target: &Target,
    mut object: Value,
    ctx: &WriteContext,
    applied: Option<managed::AppliedSet>,
) -> Result<Arc<Value>, StatusError> {
    let kind = target.kind;
    settle_namespace(target, &mut object)?;
    check_namespace(txn, target)?;
    let metadata = metadata_mut(&mut object)?;
    if metadata
        .get("resourceVersion")
        .and_then(Value::as_str)
        .is_some_and(|v| !v.is_empty() && v != "0")
    {
        return Err(StatusError::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let generate = metadata
        .get("generateName")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    let named = metadata
        .get("name")
        .and_then(Value::as_str)
        .is_some_and(|n| !n.is_empty());
    if !named && !generate.is_empty() {
        let base: String = generate.chars().take(58).collect();
        let mut name = format!("{base}{}", names::random_suffix());
        for _ in 0..8 {
            if txn.get(kind, target.ns(), &name).is_none() {
                break;
            }
            name = format!("{base}{}", names::random_suffix());
        }
        metadata.insert("name".into(), name.into());
    }
    let name = metadata
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    check_name(kind, &name, &generate)?;
    for server_owned in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    ] {
        metadata.shift_remove(server_owned);
    }
    metadata.insert("uid".into(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".into(), ctx.now_text().into());
    metadata.shift_remove("generation");
    if has_generation(kind) {
        metadata.insert("generation".into(), 1.into());
    }
    if kind.has(Sub::Status)
        && let Some(fields) = object.as_object_mut()
    {
        fields.shift_remove("status");
    }
    admission::prepare(txn, kind, &mut object, None)?;
    if kind.kind == "CustomResourceDefinition" {
        custom::complete(&mut object, &ctx.now_text());
    }
    if txn.get(kind, target.ns(), &name).is_some() {
        return Err(StatusError::already_exists(&kind.resource(), &name));
    }
    admission::check(txn, kind, &object, None)?;
    managed::track(kind, &mut object, None, ctx, None, applied);
    Ok(txn.put(kind, object))
}

fn check_name(kind: &Kind, name: &str, generate: &str) -> Result<(), StatusError> {
    let errors = if name.is_empty() && generate.is_empty() {
        vec![FieldError::required(
            "metadata.name",
            "name or generateName is required",
        )]
    } else {
        NameRule::of(kind.group, kind.kind)
            .problem(name)
            .map(|problem| FieldError::invalid("metadata.name", &name.into(), &problem))
            .into_iter()
            .collect()
    };
    if errors.is_empty() {
        Ok(())
    } else {
        Err(StatusError::invalid(kind.group, kind.kind, name, &errors))
    }
}

/// The namespace must exist and must not be going away.
fn check_namespace(txn: &Transaction<'_>, target: &Target) -> Result<(), StatusError> {
    let (Some(namespace), Some(kind)) = (&target.namespace, kinds::by_kind("", "Namespace")) else {
        return Ok(());
    };
    match txn.get(kind, "", namespace) {
        None => Err(StatusError::not_found(&kind.resource(), namespace)),
        Some(found) if !found["metadata"]["deletionTimestamp"].is_null() => {
            let name = target.name.as_deref().unwrap_or("");
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            let mut error = StatusError::forbidden(&target.kind.resource(), name, &why);
            if let Some(details) = &mut error.details {
                details["causes"] = json!([{
                    "reason": "NamespaceTerminating",
                    "message": format!("namespace {namespace} is being terminated"),
                    "field": "metadata.namespace"
                }]);
            }
            Err(error)
        }
        Some(_) => Ok(()),
    }
}

/// Whether the kind counts generations.
fn has_generation(kind: &Kind) -> bool {
    kind.custom.is_some()
        || matches!(
            kind.kind,
            "Pod"
                | "Deployment"
                | "ReplicaSet"
                | "StatefulSet"
                | "DaemonSet"
                | "Job"
                | "CronJob"
                | "Ingress"
                | "IngressClass"
                | "NetworkPolicy"
                | "PodDisruptionBudget"
                | "EndpointSlice"
                | "CustomResourceDefinition"
                | "PriorityClass"
        )
}

/// Replaces an object through its main resource or a subresource and returns what is stored.
/// The answer is the existing object itself when nothing changed.
pub fn update(
    txn: &mut Transaction<'_>,
    target: &Target,
    existing: &Arc<Value>,
    mut object: Value,
    ctx: &WriteContext,
    applied: Option<managed::AppliedSet>,
) -> Result<Arc<Value>, StatusError> {
    let kind = target.kind;
    settle_namespace(target, &mut object)?;
    check_identity(target, existing, &object)?;
    let metadata = metadata_mut(&mut object)?;
    let managed_fields_sent = metadata.get("managedFields").cloned();
    for field in [
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "selfLink",
        "generateName",
        "managedFields",
    ] {
        match existing["metadata"].get(field) {
            Some(value) => metadata.insert(field.into(), value.clone()),
            None => metadata.shift_remove(field),
        };
    }
    let status_write = target.subresource.as_deref() == Some("status");
    let mut object = if status_write {
        let mut kept = (**existing).clone();
        kept["status"] = object["status"].take();
        // The Deployment controller writes the revision annotation together with the status.
        if (kind.group, kind.kind) == ("apps", "Deployment")
            && let Some(annotations) = object["metadata"].get_mut("annotations")
        {
            kept["metadata"]["annotations"] = annotations.take();
        }
        kept
    } else {
        if kind.has(Sub::Status)
            && let Some(fields) = object.as_object_mut()
        {
            match existing.get("status") {
                Some(status) => fields.insert("status".into(), status.clone()),
                None => fields.shift_remove("status"),
            };
        }
        object
    };
    if object["status"].is_null()
        && let Some(fields) = object.as_object_mut()
    {
        fields.shift_remove("status");
    }
    if !status_write {
        admission::prepare(txn, kind, &mut object, Some(existing))?;
        if kind.kind == "CustomResourceDefinition" {
            custom::complete(&mut object, &ctx.now_text());
        }
        admission::check(txn, kind, &object, Some(existing))?;
        if has_generation(kind) && desired_state_changed(existing, &object) {
            let generation = existing["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            object["metadata"]["generation"] = generation.into();
        }
    }
    if let Some(sent) = managed_fields_sent.filter(|_| target.subresource.is_none()) {
        match sent.as_array().map(Vec::as_slice) {
            // The documented way of dropping all ownership records.
            Some([only]) if only.as_object().is_some_and(Map::is_empty) => {
                metadata_mut(&mut object)?.shift_remove("managedFields");
            }
            // Whoever does not know the field sends none; that is no wish to drop it.
            None | Some([]) => {}
            // Ownership may be moved by hand, as kubectl does on its way to server-side apply.
            Some(_) => {
                metadata_mut(&mut object)?.insert("managedFields".into(), sent);
            }
        }
    }
    drop_empty_lists(&mut object);
    let subresource = target
        .subresource
        .as_deref()
        .filter(|sub| *sub != "finalize");
    managed::track(kind, &mut object, Some(existing), ctx, subresource, applied);
    if let Some(last) = finish_deletion(txn, kind, &object) {
        return Ok(last);
    }
    if object == **existing {
        return Ok(existing.clone());
    }
    Ok(txn.put(kind, object))
}

/// An owner or finalizer list that became empty is no list: clients ask whether there is one.
fn drop_empty_lists(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["ownerReferences", "finalizers"] {
            if metadata
                .get(field)
                .and_then(Value::as_array)
                .is_some_and(Vec::is_empty)
            {
                metadata.shift_remove(field);
            }
        }
    }
}

fn check_identity(target: &Target, existing: &Value, object: &Value) -> Result<(), StatusError> {
    let kind = target.kind;
    let name = existing["metadata"]["name"].as_str().unwrap_or("");
    let sent = |field: &str| object["metadata"][field].as_str().filter(|v| !v.is_empty());
    if let Some(other) = sent("name").filter(|n| *n != name) {
        return Err(StatusError::bad_request(format!(
            "the name of the object ({other}) does not match the name on the URL ({name})"
        )));
    }
    if sent("name").is_none() {
        return Err(StatusError::bad_request(format!(
            "the name of the object ( based on URL) was undeterminable: name must be provided, expected {name}"
        )));
    }
    if let Some(uid) = sent("uid").filter(|uid| Some(*uid) != existing["metadata"]["uid"].as_str())
    {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            existing["metadata"]["uid"].as_str().unwrap_or("")
        );
        return Err(StatusError::conflict(&kind.resource(), name, &why));
    }
    if let Some(rv) = sent("resourceVersion").filter(|rv| *rv != "0")
        && Some(rv) != existing["metadata"]["resourceVersion"].as_str()
    {
        return Err(StatusError::modified(&kind.resource(), name));
    }
    Ok(())
}

/// Everything but metadata and status.
fn desired_state_changed(old: &Value, new: &Value) -> bool {
    let desired = |object: &Value| -> Map<String, Value> {
        let fields = object.as_object().into_iter().flatten();
        fields
            .filter(|(key, _)| {
                !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind")
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    desired(old) != desired(new)
        || (old["metadata"]["deletionTimestamp"].is_null()
            && !new["metadata"]["deletionTimestamp"].is_null())
}

/// Removes an object whose deletion was only waiting for what this write took away.
fn finish_deletion(txn: &mut Transaction<'_>, kind: &Kind, object: &Value) -> Option<Arc<Value>> {
    if object["metadata"]["deletionTimestamp"].is_null() || has_finalizers(object) {
        return None;
    }
    if object["metadata"]["deletionGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(0)
        > 0
    {
        return None;
    }
    Some(remove(txn, kind, object))
}

fn has_finalizers(object: &Value) -> bool {
    let filled = |list: &Value| list.as_array().is_some_and(|l| !l.is_empty());
    filled(&object["metadata"]["finalizers"])
        || (object["kind"] == "Namespace" && filled(&object["spec"]["finalizers"]))
}

/// Removes an object; what a definition defined goes with it.
fn remove(txn: &mut Transaction<'_>, kind: &Kind, object: &Value) -> Arc<Value> {
    if kind.kind == "CustomResourceDefinition"
        && let Some(defined) = custom::defined_by(object)
    {
        for instance in txn.list(defined, None) {
            txn.delete(defined, &instance);
        }
    }
    txn.delete(kind, object)
}

/// The parts of `DeleteOptions` that are honoured.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    pub grace_seconds: Option<i64>,
    pub propagation: Option<String>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub dry_run: bool,
}

/// What a delete did.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Value>),
    /// The object is marked and goes when its finalizers or its processes have.
    Going(Arc<Value>),
}

/// Deletes one object.
pub fn delete(
    txn: &mut Transaction<'_>,
    kind: &'static Kind,
    existing: &Arc<Value>,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Deleted, StatusError> {
    let name = existing["metadata"]["name"].as_str().unwrap_or("");
    check_preconditions(kind, existing, name, options)?;
    let mut object = (**existing).clone();
    add_propagation_finalizer(&mut object, options)?;
    let grace = match kind.kind {
        "Pod" => pod_grace(&object, options.grace_seconds),
        _ => 0,
    };
    if grace == 0 && !has_finalizers(&object) {
        return Ok(Deleted::Gone(remove(txn, kind, existing)));
    }
    let metadata = metadata_mut(&mut object)?;
    let going = metadata.contains_key("deletionTimestamp");
    let before = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64);
    // A second delete can shorten the time, never lengthen it.
    if !going || before.is_some_and(|before| grace < before) {
        let at = now + jiff::SignedDuration::from_secs(grace);
        metadata.insert("deletionTimestamp".into(), seconds_text(at).into());
        metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
        if has_generation(kind) && !going {
            let generation = metadata
                .get("generation")
                .and_then(Value::as_i64)
                .unwrap_or(0)
                + 1;
            metadata.insert("generation".into(), generation.into());
        }
    }
    if kind.kind == "Namespace" {
        object["status"] = json!({"phase": "Terminating"});
    }
    if object == **existing {
        return Ok(Deleted::Going(existing.clone()));
    }
    Ok(Deleted::Going(txn.put(kind, object)))
}

fn check_preconditions(
    kind: &Kind,
    existing: &Value,
    name: &str,
    options: &DeleteOptions,
) -> Result<(), StatusError> {
    let checks = [
        ("UID", "uid", &options.uid),
        (
            "ResourceVersion",
            "resourceVersion",
            &options.resource_version,
        ),
    ];
    for (word, field, wanted) in checks {
        let actual = existing["metadata"][field].as_str().unwrap_or("");
        if let Some(wanted) = wanted
            && wanted != actual
        {
            let why = format!(
                "the {word} in the precondition ({wanted}) does not match the {word} in record ({actual}). The object might have been deleted and then recreated"
            );
            return Err(StatusError::conflict(&kind.resource(), name, &why));
        }
    }
    Ok(())
}

fn add_propagation_finalizer(
    object: &mut Value,
    options: &DeleteOptions,
) -> Result<(), StatusError> {
    let wanted = match options.propagation.as_deref() {
        None | Some("" | "Background") => return Ok(()),
        Some("Orphan") => "orphan",
        Some("Foreground") => "foregroundDeletion",
        Some(other) => {
            return Err(StatusError::new(
                422,
                "Invalid",
                format!(
                    "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Background\", \"Foreground\", \"Orphan\""
                ),
            ));
        }
    };
    let metadata = metadata_mut(object)?;
    let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|f| f == wanted)
    {
        list.push(wanted.into());
    }
    Ok(())
}

/// The seconds a pod gets to stop. Pods no node has, and pods that ended, need none.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let unscheduled = pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty();
    let ended = matches!(
        pod["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    if unscheduled || ended {
        return 0;
    }
    asked
        .or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30)
        .max(0)
}
