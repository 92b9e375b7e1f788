//! Pods and pod templates.

use std::collections::HashSet;

use serde_json::Value;

use super::super::names;
use super::super::status::FieldError;
use super::{list, not_negative, one_of, port_number, text};

pub fn check(pod: &Value, existing: Option<&Value>, errors: &mut Vec<FieldError>) {
    match existing {
        None => spec(&pod["spec"], "spec", errors),
        Some(existing) => immutable(&existing["spec"], &pod["spec"], errors),
    }
}

/// The few fields of a running pod's spec that may change.
fn immutable(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        for group in ["containers", "initContainers"] {
            for container in spec[group].as_array_mut().into_iter().flatten() {
                if let Some(fields) = container.as_object_mut() {
                    fields.shift_remove("image");
                }
            }
        }
        if let Some(fields) = spec.as_object_mut() {
            for field in [
                "activeDeadlineSeconds",
                "tolerations",
                "terminationGracePeriodSeconds",
            ] {
                fields.shift_remove(field);
            }
        }
        spec
    };
    if fixed(old) != fixed(new) {
        errors.push(FieldError::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
}

/// A pod spec, wherever it stands.
pub fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = |field: &str| format!("{path}.{field}");
    one_of(
        &spec["restartPolicy"],
        &["Always", "OnFailure", "Never"],
        at("restartPolicy"),
        errors,
    );
    not_negative(
        &spec["terminationGracePeriodSeconds"],
        at("terminationGracePeriodSeconds"),
        errors,
    );
    let mut volumes = HashSet::new();
    for (index, volume) in list(&spec["volumes"]) {
        let name = text(&volume["name"]);
        let path = at(&format!("volumes[{index}].name"));
        if name.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if !names::is_dns_label(name) {
            errors.push(FieldError::invalid(
                path,
                &volume["name"],
                names::LABEL_RULE,
            ));
        } else if !volumes.insert(name) {
            errors.push(FieldError::duplicate(path, &volume["name"]));
        }
    }
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(at("containers"), ""));
    }
    let mut seen = HashSet::new();
    for group in ["initContainers", "containers"] {
        for (index, one) in list(&spec[group]) {
            let path = at(&format!("{group}[{index}]"));
            if !text(&one["name"]).is_empty() && !seen.insert(text(&one["name"])) {
                errors.push(FieldError::duplicate(format!("{path}.name"), &one["name"]));
            }
            container(one, &path, &volumes, errors);
        }
    }
}

fn container(one: &Value, path: &str, volumes: &HashSet<&str>, errors: &mut Vec<FieldError>) {
    let at = |field: &str| format!("{path}.{field}");
    let name = text(&one["name"]);
    if name.is_empty() {
        errors.push(FieldError::required(at("name"), ""));
    } else if !names::is_dns_label(name) {
        errors.push(FieldError::invalid(
            at("name"),
            &one["name"],
            names::LABEL_RULE,
        ));
    }
    let image = text(&one["image"]);
    if image.is_empty() {
        errors.push(FieldError::required(at("image"), ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(
            at("image"),
            &one["image"],
            "must not have leading or trailing whitespace",
        ));
    }
    one_of(
        &one["imagePullPolicy"],
        &["Always", "IfNotPresent", "Never"],
        at("imagePullPolicy"),
        errors,
    );
    let mut ports = HashSet::new();
    for (index, port) in list(&one["ports"]) {
        let path = at(&format!("ports[{index}]"));
        port_number(
            &port["containerPort"],
            format!("{path}.containerPort"),
            errors,
        );
        one_of(
            &port["protocol"],
            &["SCTP", "TCP", "UDP"],
            format!("{path}.protocol"),
            errors,
        );
        let name = text(&port["name"]);
        if name.len() > 15 {
            errors.push(FieldError::invalid(
                format!("{path}.name"),
                &port["name"],
                "must be no more than 15 characters",
            ));
        } else if !name.is_empty() && !ports.insert(name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), &port["name"]));
        }
    }
    for (index, variable) in list(&one["env"]) {
        let path = at(&format!("env[{index}]"));
        if text(&variable["name"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        if !variable["valueFrom"].is_null() && !text(&variable["value"]).is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}.valueFrom"),
                &"".into(),
                "may not be specified when `value` is not empty",
            ));
        }
    }
    for (index, mount) in list(&one["volumeMounts"]) {
        let path = at(&format!("volumeMounts[{index}]"));
        if !volumes.contains(text(&mount["name"])) {
            errors.push(FieldError::not_found(
                format!("{path}.name"),
                &mount["name"],
            ));
        }
        if text(&mount["mountPath"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.mountPath"), ""));
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe(&one[kind], &at(kind), kind, errors);
    }
}

fn probe(probe: &Value, path: &str, kind: &str, errors: &mut Vec<FieldError>) {
    if !probe.is_object() {
        return;
    }
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    match handlers
        .iter()
        .filter(|handler| !probe[**handler].is_null())
        .count()
    {
        0 => errors.push(FieldError::required(path, "must specify a handler type")),
        1 => {}
        _ => errors.push(FieldError::forbidden(
            path,
            "may not specify more than 1 handler type",
        )),
    }
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        not_negative(&probe[field], format!("{path}.{field}"), errors);
    }
    if kind != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|n| n != 1) {
        errors.push(FieldError::invalid(
            format!("{path}.successThreshold"),
            &probe["successThreshold"],
            "must be 1",
        ));
    }
    for handler in ["httpGet", "tcpSocket"] {
        let port = &probe[handler]["port"];
        if port.is_number() {
            port_number(port, format!("{path}.{handler}.port"), errors);
        }
    }
}
