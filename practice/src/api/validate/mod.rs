//! Validation: what the API server refuses with 422, in its own words.

mod config;
mod pod;
mod service;
mod workloads;

use serde_json::Value;

use super::custom;
use super::kinds::Kind;
use super::names;
use super::status::{FieldError, StatusError};

/// Refuses an object that breaks its kind's rules.
pub fn check(kind: &Kind, object: &Value, existing: Option<&Value>) -> Result<(), StatusError> {
    let mut errors = Vec::new();
    metadata(object, &mut errors);
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::check(object, existing, &mut errors),
        ("", "Service") => service::check(object, &mut errors),
        ("", "ConfigMap" | "Secret") => config::check(object, existing, &mut errors),
        ("", "Namespace") => {}
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom::check(object, &mut errors),
        ("apps", _) | ("batch", "Job") => workloads::check(kind, object, existing, &mut errors),
        _ => {}
    }
    if let Some(own) = kind.custom {
        custom::validate(&own.schema, object, "", &mut errors);
    }
    if errors.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    Err(StatusError::invalid(kind.group, kind.kind, name, &errors))
}

/// Labels, annotations and owners.
fn metadata(object: &Value, errors: &mut Vec<FieldError>) {
    labels(&object["metadata"]["labels"], "metadata.labels", errors);
    let annotations = object["metadata"]["annotations"].as_object();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        size += key.len() + value.as_str().map_or(0, str::len);
        if !names::is_qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid(
                "metadata.annotations",
                &key.as_str().into(),
                names::QUALIFIED_NAME_RULE,
            ));
        }
    }
    if size > 256 * 1024 {
        errors.push(FieldError::too_long("metadata.annotations", 256 * 1024));
    }
    for (at, owner) in object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or("").is_empty() {
                let path = format!("metadata.ownerReferences[{at}].{field}");
                errors.push(FieldError::invalid(
                    path,
                    &"".into(),
                    &format!("{field} must not be empty"),
                ));
            }
        }
    }
}

fn labels(labels: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        if !names::is_qualified_name(key) {
            errors.push(FieldError::invalid(
                path,
                &key.as_str().into(),
                names::QUALIFIED_NAME_RULE,
            ));
        }
        if !value.as_str().is_some_and(names::is_label_value) {
            errors.push(FieldError::invalid(path, value, names::LABEL_VALUE_RULE));
        }
    }
}

/// A number that may not be negative.
fn not_negative(value: &Value, path: String, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|n| n < 0) {
        errors.push(FieldError::invalid(
            path,
            value,
            "must be greater than or equal to 0",
        ));
    }
}

/// A port number, 1 to 65535.
fn port_number(value: &Value, path: String, errors: &mut Vec<FieldError>) {
    if !value.as_i64().is_some_and(|n| (1..=65535).contains(&n)) {
        errors.push(FieldError::invalid(
            path,
            value,
            "must be between 1 and 65535, inclusive",
        ));
    }
}

/// A value out of a closed list.
fn one_of(value: &Value, allowed: &[&str], path: String, errors: &mut Vec<FieldError>) {
    if let Some(text) = value.as_str()
        && !allowed.contains(&text)
    {
        errors.push(FieldError::not_supported(path, value, allowed));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}
