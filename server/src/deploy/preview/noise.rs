//! What of an object is nobody's intention: what the server keeps for itself, and its defaults.

use serde_json::{Map, Value};

use super::diff::union;
use super::path::{align, list_keys};
use crate::deploy::identity::{APPLIED_AT, REVISION};

/// Where `kubectl apply` keeps what it applied: a copy of the object inside the object.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const SERVERS_METADATA: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
    "selfLink",
];

/// The object without what the server keeps for itself: what two readings are compared by.
pub fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("status");
    }
    // `get_mut`, because indexing would put a `null` where nothing was.
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for noise in SERVERS_METADATA {
            metadata.shift_remove(noise);
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| {
                key != REVISION
                    && key != APPLIED_AT
                    && key != LAST_APPLIED
                    && !key.starts_with("deployment.kubernetes.io/")
            });
        }
        for empty in ["annotations", "labels"] {
            if metadata
                .get(empty)
                .is_some_and(|map| map.is_null() || map.as_object().is_some_and(Map::is_empty))
            {
                metadata.shift_remove(empty);
            }
        }
    }
    object
}

/// Both readings without what no manifest asks for: fields that are the same in both and are not
/// in `desired`, and fields that only the server adds. What changes or goes stays, whoever set it.
pub fn meant(before: &Value, after: &Value, desired: &Value) -> (Value, Value) {
    let wanted = with_secret_data(desired);
    let there = |value| (!Value::is_null(value)).then_some(value);
    let (a, b) = prune(there(before), there(after), Some(&wanted));
    (a.unwrap_or(Value::Null), b.unwrap_or(Value::Null))
}

/// `stringData` is a way of writing `data`.
fn with_secret_data(desired: &Value) -> Value {
    let mut desired = desired.clone();
    if desired["kind"] == "Secret"
        && let Some(Value::Object(plain)) = desired.get("stringData").cloned()
        && let Some(map) = desired.as_object_mut()
    {
        let data = map
            .entry("data")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(data) = data.as_object_mut() {
            data.extend(plain);
        }
    }
    desired
}

type Pruned = (Option<Value>, Option<Value>);

fn prune(before: Option<&Value>, after: Option<&Value>, desired: Option<&Value>) -> Pruned {
    match (before, after, desired) {
        (None, _, None) => (None, None),
        (Some(a), Some(b), None) if a == b => (None, None),
        (Some(Value::Object(a)), Some(Value::Object(b)), desired) => {
            let (mut left, mut right) = (Map::new(), Map::new());
            for key in union(a, b) {
                let wanted = desired.and_then(|desired| desired.get(key));
                // Without them nobody could tell what they look at.
                if matches!(key.as_str(), "apiVersion" | "kind" | "name") && wanted.is_none() {
                    left.extend(a.get(key).map(|value| (key.clone(), value.clone())));
                    right.extend(b.get(key).map(|value| (key.clone(), value.clone())));
                    continue;
                }
                let (x, y) = prune(a.get(key), b.get(key), wanted);
                left.extend(x.map(|value| (key.clone(), value)));
                right.extend(y.map(|value| (key.clone(), value)));
            }
            (Some(Value::Object(left)), Some(Value::Object(right)))
        }
        (None, Some(Value::Object(b)), Some(wanted)) => {
            let kept: Map<String, Value> = b
                .iter()
                .filter_map(|(key, value)| {
                    let (_, kept) = prune(None, Some(value), wanted.get(key));
                    Some((key.clone(), kept?))
                })
                .collect();
            (None, Some(Value::Object(kept)))
        }
        (before, Some(Value::Array(b)), desired) => prune_list(before, b, desired),
        (before, after, _) => (before.cloned(), after.cloned()),
    }
}

fn prune_list(before: Option<&Value>, b: &[Value], desired: Option<&Value>) -> Pruned {
    let empty = Vec::new();
    let a = match before {
        Some(Value::Array(a)) => a,
        None => &empty,
        Some(other) => return (Some(other.clone()), Some(Value::Array(b.to_vec()))),
    };
    let Some(keys) = list_keys(a, b) else {
        return (before.cloned(), Some(Value::Array(b.to_vec())));
    };
    let wanted = desired.and_then(Value::as_array).unwrap_or(&empty);
    let find_wanted = |entry: &Value| {
        wanted.iter().find(|wanted| {
            // A key the manifest leaves to its default (a port's protocol) tells nothing.
            keys.iter()
                .all(|key| wanted.get(*key).is_none_or(|value| value == &entry[*key]))
        })
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (_, x, y) in align(a, b, keys) {
        let wanted = y.or(x).and_then(find_wanted);
        // An entry keeps its keys, or nothing could tell it.
        let (mut x2, mut y2) = match (x, y, wanted) {
            (Some(_), Some(_), _) | (None, Some(_), Some(_)) => prune(x, y, wanted),
            (x, y, _) => (x.cloned(), y.cloned()),
        };
        for (kept, whole) in [(&mut x2, x), (&mut y2, y)] {
            if let (Some(Value::Object(kept)), Some(whole)) = (kept, whole) {
                for (at, key) in keys.iter().enumerate() {
                    kept.shift_remove(*key);
                    kept.shift_insert(at, (*key).to_owned(), whole[*key].clone());
                }
            }
        }
        left.extend(x2);
        right.extend(y2);
    }
    let right = reorder(right, b, keys);
    let left = (before.is_some()).then_some(Value::Array(left));
    (left, Some(Value::Array(right)))
}

/// In the order the entries have in `like`.
fn reorder(mut list: Vec<Value>, like: &[Value], keys: &[&str]) -> Vec<Value> {
    list.sort_by_key(|entry| {
        like.iter()
            .position(|other| keys.iter().all(|key| entry[*key] == other[*key]))
    });
    list
}

#[cfg(test)]
mod tests {
    use super::super::diff::diff;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_keeps_for_itself_is_no_change() {
        let before = json!({"kind": "Deployment", "metadata": {"name": "a", "uid": "1", "resourceVersion": "5",
            "generation": 2, "managedFields": [{}], "annotations": {"deployment.kubernetes.io/revision": "2",
            "slipway.dev/revision": "1", LAST_APPLIED: "{}"}}, "status": {"replicas": 1}});
        let after = json!({"kind": "Deployment", "metadata": {"name": "a", "annotations": {"slipway.dev/applied-at": "x"}}});
        assert_eq!(essence(&before), essence(&after));
    }

    #[test]
    fn defaults_are_hidden_and_what_changes_is_not() {
        let desired = json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "app", "image": "a:2", "ports": [{"containerPort": 80}]},
            {"name": "side", "image": "s:1"}]}});
        let live = json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 3, "paused": true,
            "containers": [{"name": "app", "image": "a:1", "pull": "Always", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}});
        let after = json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1, "paused": true, "limit": 10,
            "containers": [{"name": "app", "image": "a:2", "pull": "Always", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                {"name": "side", "image": "s:1", "pull": "IfNotPresent"}]}});
        let (a, b) = meant(&live, &after, &desired);
        let found: Vec<String> = diff(&a, &b)
            .iter()
            .map(|found| found.path.to_string())
            .collect();
        assert_eq!(
            found,
            [
                ".spec.replicas",
                ".spec.containers[name=app].image",
                ".spec.containers[name=side]"
            ]
        );
        assert_eq!(
            b["spec"]["containers"][1],
            json!({"name": "side", "image": "s:1"})
        );
        assert!(b["spec"].get("paused").is_none() && b["spec"].get("limit").is_none());
    }

    #[test]
    fn a_secrets_string_data_is_meant() {
        let desired = json!({"kind": "Secret", "stringData": {"A": "x"}});
        let after = json!({"kind": "Secret", "data": {"A": "eA=="}, "type": "Opaque"});
        let (_, b) = meant(&Value::Null, &after, &desired);
        assert_eq!(b["data"]["A"], "eA==");
    }
}
