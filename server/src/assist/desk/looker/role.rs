//! What the account may do, as objects and in words.

use std::time::Duration;

use app::model::UnixMillis;
use serde_json::{Value, json};

use crate::adapters::kube::times::rfc3339;
use crate::engine::clock;

/// Label of everything that is made for lookers: the state folder of the Slipway that made it.
pub const LABEL: &str = "slipway.dev/looker";
/// Annotation: until when it is surely in use.
pub const UNTIL: &str = "slipway.dev/looker-until";
/// Annotation: for whom.
const FOR: &str = "slipway.dev/looker-for";
const RBAC: &str = "rbac.authorization.k8s.io";
/// A conversation has one for at most so long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What can be read: never Secrets, never a pod's inside.
const RULES: [(&str, &[&str]); 9] = [
    (
        "",
        &[
            "pods",
            "pods/log",
            "events",
            "services",
            "endpoints",
            "configmaps",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "resourcequotas",
            "limitranges",
        ],
    ),
    (
        "apps",
        &["deployments", "replicasets", "statefulsets", "daemonsets"],
    ),
    ("batch", &["jobs", "cronjobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("events.k8s.io", &["events"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("policy", &["poddisruptionbudgets"]),
    ("metrics.k8s.io", &["pods"]),
];
const VERBS: [&str; 3] = ["get", "list", "watch"];

/// What the account may do, for a person to read.
pub fn in_words(namespace: &str) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for kind in RULES.iter().flat_map(|(_, kinds)| kinds.iter()) {
        if !kinds.contains(kind) {
            kinds.push(kind);
        }
    }
    format!(
        "Its service account may {} in namespace {namespace}: {}. No Secrets, no exec, no changes; made for a conversation and removed with it.",
        VERBS.join(", "),
        kinds.join(", ")
    )
}

fn metadata(name: &str, owner: &str) -> Value {
    json!({"name": name, "labels": {LABEL: owner}})
}

pub fn account(name: &str, owner: &str, for_whom: &str, at_least: Duration) -> Value {
    let life = LONGEST.max(at_least).as_millis();
    let until = UnixMillis(clock::now().0 + i64::try_from(life).unwrap_or(0));
    let mut metadata = metadata(name, owner);
    metadata["annotations"] = json!({UNTIL: rfc3339(until), FOR: for_whom});
    json!({"metadata": metadata, "automountServiceAccountToken": false})
}

pub fn role(name: &str, owner: &str) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(group, kinds)| json!({"apiGroups": [group], "resources": kinds, "verbs": VERBS}))
        .collect();
    json!({"metadata": metadata(name, owner), "rules": rules})
}

pub fn binding(name: &str, owner: &str, namespace: &str) -> Value {
    json!({
        "metadata": metadata(name, owner),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_reaches_secrets_the_inside_of_pods_or_a_change() {
        let role = role("x", "me").to_string();
        for word in [
            "secret", "exec", "*", "create", "delete", "patch", "proxy", "token",
        ] {
            assert!(!role.contains(word), "{word} in {role}");
        }
        let words = in_words("shop");
        assert!(
            words.contains("namespace shop") && words.contains("pods/log"),
            "{words}"
        );
    }
}
