//! LimitRange: what a container gets when it asks for nothing, and how much it may ask for.

use serde_json::{Value, json};

use crate::api::kinds::{self, Kind};
use crate::api::status::StatusError;
use crate::api::store::Transaction;
use crate::quota::{self, Amounts};

fn ranges(txn: &Transaction<'_>, object: &Value) -> Vec<Value> {
    let Some(kind) = kinds::by_kind("", "LimitRange") else {
        return Vec::new();
    };
    let namespace = object["metadata"]["namespace"].as_str();
    let all = txn.list(kind, namespace).into_iter();
    all.flat_map(|range| {
        range["spec"]["limits"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    })
    .collect()
}

/// Gives the containers of a new pod what they did not say.
pub fn fill_in(txn: &Transaction<'_>, pod: &mut Value) {
    let ranges: Vec<Value> = ranges(txn, pod)
        .into_iter()
        .filter(|range| range["type"] == "Container")
        .collect();
    for field in ["initContainers", "containers"] {
        let containers = pod["spec"][field].as_array_mut().into_iter().flatten();
        for container in containers {
            for range in &ranges {
                fill_container(container, range);
            }
        }
    }
}

fn fill_container(container: &mut Value, range: &Value) {
    for (list, source) in [("limits", "default"), ("requests", "defaultRequest")] {
        for (resource, amount) in range[source].as_object().into_iter().flatten() {
            let Some(container) = container.as_object_mut() else {
                return;
            };
            let resources = container.entry("resources").or_insert_with(|| json!({}));
            let said = |list: &str| !resources[list][resource].is_null();
            // A limit that was given is the request too, before any default.
            let implied =
                list == "requests" && said("limits") && !from_range(range, resource, resources);
            if !said(list) && !implied {
                resources[list][resource] = amount.clone();
            }
        }
    }
    // The API server has made limits into requests before the range is looked at, and again after.
    let limits = container["resources"]["limits"].clone();
    for (resource, amount) in limits.as_object().into_iter().flatten() {
        if container["resources"]["requests"][resource].is_null() {
            container["resources"]["requests"][resource] = amount.clone();
        }
    }
}

/// Whether the container's limit came from the range itself.
fn from_range(range: &Value, resource: &str, resources: &Value) -> bool {
    range["default"][resource] == resources["limits"][resource]
}

/// Refuses a pod or a claim outside the ranges.
pub fn check(txn: &Transaction<'_>, kind: &Kind, object: &Value) -> Result<(), StatusError> {
    let subjects: Vec<(&str, Amounts, Amounts)> = match (kind.group, kind.kind) {
        ("", "Pod") => {
            let each = ["initContainers", "containers"].map(|field| &object["spec"][field]);
            let containers = each.into_iter().filter_map(Value::as_array).flatten();
            let mut all: Vec<_> = containers
                .map(|container| {
                    let resources = &container["resources"];
                    let requests = quota::amounts(&resources["requests"]);
                    ("Container", requests, quota::amounts(&resources["limits"]))
                })
                .collect();
            let used = quota::usage("", "pods", object);
            let of = |list: &str| -> Amounts {
                let named = |name: &str| name.strip_prefix(&format!("{list}.")).map(str::to_owned);
                let pairs = used.iter().filter(|(_, amount)| **amount != 0);
                pairs
                    .filter_map(|(name, amount)| Some((named(name)?, *amount)))
                    .collect()
            };
            all.push(("Pod", of("requests"), of("limits")));
            all
        }
        ("", "PersistentVolumeClaim") => {
            let requests = quota::amounts(&object["spec"]["resources"]["requests"]);
            vec![("PersistentVolumeClaim", requests.clone(), requests)]
        }
        _ => return Ok(()),
    };
    let mut problems = Vec::new();
    for range in ranges(txn, object) {
        for (ty, requests, limits) in &subjects {
            if range["type"] == *ty {
                judge(&range, ty, requests, limits, &mut problems);
            }
        }
    }
    let why = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    Err(StatusError::forbidden(&kind.resource(), name, &why))
}

fn judge(
    range: &Value,
    ty: &str,
    requests: &Amounts,
    limits: &Amounts,
    problems: &mut Vec<String>,
) {
    for (resource, least) in quota::amounts(&range["min"]) {
        let shown = quota::shown(&resource, least);
        match requests.get(&resource) {
            None => problems.push(format!(
                "minimum {resource} usage per {ty} is {shown}.  No request is specified"
            )),
            Some(asked) if *asked < least => problems.push(format!(
                "minimum {resource} usage per {ty} is {shown}, but request is {}",
                quota::shown(&resource, *asked)
            )),
            Some(_) => {}
        }
    }
    for (resource, most) in quota::amounts(&range["max"]) {
        let shown = quota::shown(&resource, most);
        let word = if ty == "PersistentVolumeClaim" {
            "request"
        } else {
            "limit"
        };
        match limits.get(&resource) {
            None => problems.push(format!(
                "maximum {resource} usage per {ty} is {shown}.  No {word} is specified"
            )),
            Some(asked) if *asked > most => problems.push(format!(
                "maximum {resource} usage per {ty} is {shown}, but {word} is {}",
                quota::shown(&resource, *asked)
            )),
            Some(_) => {}
        }
    }
}
