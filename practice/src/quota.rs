//! What an object counts for in a ResourceQuota. The API server asks before it creates, and a
//! controller keeps the quotas' status.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::quantity::{milli, write};

/// Resource names of a quota with their amounts in thousandths.
pub type Amounts = BTreeMap<String, i128>;

/// The amounts of a quota's list.
pub fn amounts(list: &Value) -> Amounts {
    let list = list.as_object().into_iter().flatten();
    list.filter_map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some((name.clone(), milli(&text)?))
    })
    .collect()
}

/// One amount as the quota's list writes it.
pub fn shown(name: &str, amount: i128) -> String {
    write(amount, name.contains("memory") || name.contains("storage"))
}

/// The kinds that count for a resource name: group and plural.
pub fn counted_kind(name: &str) -> Option<(String, String)> {
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
        return Some((group.to_owned(), plural.to_owned()));
    }
    let core = |plural: &str| Some((String::new(), plural.to_owned()));
    match name {
        "services.loadbalancers" | "services.nodeports" => core("services"),
        "requests.storage" => core("persistentvolumeclaims"),
        "pods" | "cpu" | "memory" | "ephemeral-storage" => core("pods"),
        name if name.starts_with("requests.") || name.starts_with("limits.") => core("pods"),
        "configmaps"
        | "secrets"
        | "services"
        | "persistentvolumeclaims"
        | "resourcequotas"
        | "replicationcontrollers" => core(name),
        _ => None,
    }
}

/// What one object counts for, by every resource name it may appear under.
pub fn usage(group: &str, plural: &str, object: &Value) -> Amounts {
    let mut used = Amounts::new();
    let dot = if group.is_empty() { "" } else { "." };
    used.insert(format!("count/{plural}{dot}{group}"), 1000);
    if !group.is_empty() {
        return used;
    }
    match plural {
        "pods" => {
            if matches!(
                object["status"]["phase"].as_str(),
                Some("Succeeded" | "Failed")
            ) {
                return used;
            }
            used.insert("pods".to_owned(), 1000);
            for resource in ["cpu", "memory", "ephemeral-storage"] {
                let requests = of_pod(object, "requests", resource);
                used.insert(resource.to_owned(), requests);
                used.insert(format!("requests.{resource}"), requests);
                let limits = of_pod(object, "limits", resource);
                used.insert(format!("limits.{resource}"), limits);
            }
        }
        "services" => {
            used.insert(plural.to_owned(), 1000);
            let ty = object["spec"]["type"].as_str();
            if ty == Some("LoadBalancer") {
                used.insert("services.loadbalancers".to_owned(), 1000);
            }
            if matches!(ty, Some("NodePort" | "LoadBalancer")) {
                let ports = object["spec"]["ports"].as_array().map_or(0, Vec::len);
                let ports = i128::try_from(ports).unwrap_or_default() * 1000;
                used.insert("services.nodeports".to_owned(), ports);
            }
        }
        "persistentvolumeclaims" => {
            used.insert(plural.to_owned(), 1000);
            let asked = &object["spec"]["resources"]["requests"];
            let storage = amounts(asked).get("storage").copied().unwrap_or_default();
            used.insert("requests.storage".to_owned(), storage);
        }
        _ => {
            used.insert(plural.to_owned(), 1000);
        }
    }
    used
}

/// What a pod asks of a resource: its containers together, or its largest initial container.
fn of_pod(pod: &Value, list: &str, resource: &str) -> i128 {
    let of = |container: &Value| {
        amounts(&container["resources"][list])
            .get(resource)
            .copied()
            .unwrap_or_default()
    };
    let all = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
    let running: i128 = all("containers").iter().map(of).sum();
    let largest = all("initContainers").iter().map(of).max();
    running.max(largest.unwrap_or_default())
}

/// The containers that do not say what a quota limits: `limits.cpu for: app,sidecar`.
pub fn unsaid(pod: &Value, hard: &Amounts) -> Vec<String> {
    let mut missing = Vec::new();
    for name in hard.keys() {
        let (list, resource) = match name.as_str() {
            "cpu" | "memory" => ("requests", name.as_str()),
            _ => match name.split_once('.') {
                Some((list @ ("requests" | "limits"), resource @ ("cpu" | "memory"))) => {
                    (list, resource)
                }
                _ => continue,
            },
        };
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let silent: Vec<&str> = containers
            .filter(|container| container["resources"][list][resource].is_null())
            .filter_map(|container| container["name"].as_str())
            .collect();
        if !silent.is_empty() {
            missing.push(format!("{name} for: {}", silent.join(",")));
        }
    }
    missing
}

/// Whether an object is within the scopes a quota names.
pub fn in_scope(quota: &Value, plural: &str, object: &Value) -> bool {
    let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
    scopes.filter_map(Value::as_str).all(|scope| {
        let best_effort = || {
            let containers = object["spec"]["containers"]
                .as_array()
                .into_iter()
                .flatten();
            containers.into_iter().all(|container| {
                let empty = |list: &str| {
                    container["resources"][list]
                        .as_object()
                        .is_none_or(serde_json::Map::is_empty)
                };
                empty("requests") && empty("limits")
            })
        };
        let terminating = !object["spec"]["activeDeadlineSeconds"].is_null();
        plural == "pods"
            && match scope {
                "BestEffort" => best_effort(),
                "NotBestEffort" => !best_effort(),
                "Terminating" => terminating,
                "NotTerminating" => !terminating,
                _ => true,
            }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_counts_as_one_and_for_what_its_containers_ask() {
        let pod = json!({"spec": {
            "containers": [
                {"name": "app", "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}}},
                {"name": "sidecar", "resources": {"requests": {"cpu": "0.5"}}}
            ],
            "initContainers": [{"resources": {"requests": {"cpu": "1"}}}]
        }});
        let used = usage("", "pods", &pod);
        assert_eq!(used["pods"], 1000);
        assert_eq!(used["requests.cpu"], 1000);
        assert_eq!(shown("limits.memory", used["limits.memory"]), "64Mi");
        let hard = amounts(&json!({"limits.memory": "1Gi", "pods": 2}));
        assert_eq!(unsaid(&pod, &hard), ["limits.memory for: sidecar"]);
        let ended = json!({"status": {"phase": "Succeeded"}, "spec": {}});
        assert!(!usage("", "pods", &ended).contains_key("pods"));
    }

    #[test]
    fn names_say_which_kinds_count() {
        let kind = |name: &str| counted_kind(name);
        let pair = |group: &str, plural: &str| Some((group.to_owned(), plural.to_owned()));
        assert_eq!(kind("count/deployments.apps"), pair("apps", "deployments"));
        assert_eq!(kind("limits.cpu"), pair("", "pods"));
        assert_eq!(kind("requests.storage"), pair("", "persistentvolumeclaims"));
        assert_eq!(kind("gpu"), None);
    }
}
