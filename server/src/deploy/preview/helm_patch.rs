//! The patch Helm 3 sends: a three-way merge of the old manifest, the live object and the new
//! manifest. Fields the chart does not change keep what was set by hand.
//! After `CreateThreeWayMergePatch` of apimachinery's `strategicpatch` and `jsonmergepatch`.

use serde_json::{Map, Value, json};

/// Whether the API server merges this kind's lists by their keys; custom kinds have lists replaced.
pub fn has_strategic_merge(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    match version.split_once('/') {
        None => true,
        Some((group, _)) => {
            !group.contains('.')
                || (group.ends_with(".k8s.io")
                    && !matches!(
                        group,
                        "apiextensions.k8s.io"
                            | "gateway.networking.k8s.io"
                            | "snapshot.storage.k8s.io"
                    ))
        }
    }
}

/// What leads from `live` to `new`, and takes out what only `old` had. Empty when nothing does.
pub fn three_way(old: &Value, live: &Value, new: &Value, strategic: bool) -> Value {
    let mut patch = patch(old, live, new, strategic).unwrap_or_else(|| json!({}));
    if let Some(map) = patch.as_object_mut() {
        map.shift_remove("status");
    }
    patch
}

fn patch(old: &Value, live: &Value, new: &Value, strategic: bool) -> Option<Value> {
    let (Some(have), Some(want)) = (live.as_object(), new.as_object()) else {
        return (live != new).then(|| new.clone());
    };
    let mut out = Map::new();
    for (key, wanted) in want {
        if wanted.is_null() {
            continue;
        }
        let was = old.get(key).unwrap_or(&Value::Null);
        match have.get(key) {
            None => drop(out.insert(key.clone(), wanted.clone())),
            Some(is) if is == wanted => {}
            Some(Value::Array(is)) if strategic && wanted.is_array() => {
                if let Some(list) = list_patch(key, was, is, wanted) {
                    out.insert(key.clone(), list);
                }
            }
            Some(is) => {
                if let Some(inner) = patch(was, is, wanted, strategic) {
                    out.insert(key.clone(), inner);
                }
            }
        }
    }
    for key in old.as_object().into_iter().flat_map(Map::keys) {
        if !want.contains_key(key) && have.contains_key(key) {
            out.insert(key.clone(), Value::Null);
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// What the API server merges a list by (`patchMergeKey` of k8s.io/api); the rest is replaced whole.
fn merge_key(field: &str, entries: &[Value]) -> Option<&'static str> {
    let key = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "hostAliases" => "ip",
        "ports"
            if entries
                .iter()
                .any(|entry| !entry["containerPort"].is_null()) =>
        {
            "containerPort"
        }
        "ports" => "port",
        _ => return None,
    };
    let has_it = |entry: &Value| entry[key].is_string() || entry[key].is_number();
    entries.iter().all(has_it).then_some(key)
}

fn list_patch(field: &str, old: &Value, live: &[Value], new: &Value) -> Option<Value> {
    let wanted = new.as_array()?;
    let Some(key) = merge_key(field, wanted).filter(|_| merge_key(field, live).is_some()) else {
        return Some(new.clone());
    };
    let none = Vec::new();
    let before = old.as_array().unwrap_or(&none);
    let by =
        |list: &[Value], like: &Value| list.iter().find(|entry| entry[key] == like[key]).cloned();
    let mut out = Vec::new();
    for entry in wanted {
        match by(live, entry) {
            None => out.push(entry.clone()),
            Some(is) => {
                let was = by(before, entry).unwrap_or(Value::Null);
                if let Some(mut inner) = patch(&was, &is, entry, true) {
                    inner[key] = entry[key].clone();
                    out.push(inner);
                }
            }
        }
    }
    for gone in before {
        if by(wanted, gone).is_none() && by(live, gone).is_some() {
            out.push(json!({"$patch": "delete", key: gone[key]}));
        }
    }
    (!out.is_empty()).then_some(Value::Array(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(replicas: Option<u8>, containers: Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"containers": containers}});
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = replicas.into();
        }
        object
    }

    #[test]
    fn what_the_chart_does_not_change_keeps_its_hand_made_value() {
        let old = deployment(
            None,
            json!([{"name": "app", "image": "a:1"}, {"name": "old", "image": "o"}]),
        );
        let live = deployment(
            Some(5),
            json!([{"name": "app", "image": "a:1", "pull": "Always"}, {"name": "old", "image": "o"}, {"name": "injected", "image": "i"}]),
        );
        let new = deployment(None, json!([{"name": "app", "image": "a:2"}]));
        assert_eq!(
            three_way(&old, &live, &new, true),
            json!({"spec": {"containers": [{"image": "a:2", "name": "app"}, {"$patch": "delete", "name": "old"}]}})
        );
        assert_eq!(three_way(&new, &new, &new, true), json!({}));
    }

    #[test]
    fn what_left_the_chart_is_taken_out() {
        let old = json!({"data": {"a": "1", "b": "2"}});
        let live = json!({"data": {"a": "1", "b": "2", "by-hand": "3"}});
        let new = json!({"data": {"a": "1"}});
        assert_eq!(
            three_way(&old, &live, &new, true),
            json!({"data": {"b": null}})
        );
    }

    #[test]
    fn custom_kinds_have_their_lists_replaced() {
        assert!(has_strategic_merge(&json!({"apiVersion": "apps/v1"})));
        assert!(has_strategic_merge(
            &json!({"apiVersion": "networking.k8s.io/v1"})
        ));
        assert!(!has_strategic_merge(&json!({"apiVersion": "acme.dev/v1"})));
        let list = |image: &str| json!({"spec": {"things": [{"name": "a", "image": image}, {"name": "b", "image": "x"}]}});
        assert_eq!(
            three_way(&list("1"), &list("1"), &list("2"), false),
            list("2")
        );
    }
}
