//! Field by field: what the server would make of an object, against the object as it is.
//! List entries are told by their names, as in `containers[name=backend]`, not by their places.

use app::model::{FieldChange, PlannedObject};
use serde_json::Value;

use super::identity::{APPLIED_AT, REVISION};

const LONGEST_VALUE: usize = 400;
/// The fields a list entry is told by, the best first.
const LIST_KEYS: [&str; 9] = [
    "name",
    "mountPath",
    "containerPort",
    "port",
    "key",
    "ip",
    "type",
    "topologyKey",
    "uid",
];

/// The object without what the server keeps for itself: what two readings are compared by.
pub fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    // `get_mut`, because indexing would put a `null` where nothing was.
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for noise in [
            "managedFields",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "uid",
            "selfLink",
        ] {
            metadata.remove(noise);
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| {
                key != REVISION
                    && key != APPLIED_AT
                    && !key.starts_with("deployment.kubernetes.io/")
            });
        }
        for empty in ["annotations", "labels"] {
            if metadata.get(empty).is_some_and(|map| {
                map.is_null() || map.as_object().is_some_and(serde_json::Map::is_empty)
            }) {
                metadata.remove(empty);
            }
        }
    }
    object
}

/// The changed fields and how many more there are than are shown.
pub fn changes(before: &Value, after: &Value) -> (Vec<FieldChange>, u32) {
    let masked = after["kind"] == "Secret" || before["kind"] == "Secret";
    let mut diff = Diff {
        masked,
        ..Diff::default()
    };
    diff.compare("", Some(&essence(before)), Some(&essence(after)));
    (diff.fields, diff.more)
}

/// Every field of an object that does not exist yet.
pub fn all_fields(object: &Value) -> (Vec<FieldChange>, u32) {
    let mut diff = Diff {
        masked: object["kind"] == "Secret",
        ..Diff::default()
    };
    let essence = essence(object);
    for (key, value) in essence.as_object().into_iter().flatten() {
        if key != "apiVersion" && key != "kind" {
            diff.compare(&format!(".{}", path_part(key)), None, Some(value));
        }
    }
    (diff.fields, diff.more)
}

#[derive(Default)]
struct Diff {
    fields: Vec<FieldChange>,
    more: u32,
    masked: bool,
}

impl Diff {
    fn compare(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        match (before, after) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    self.compare(
                        &format!("{path}.{}", path_part(key)),
                        a.get(key),
                        b.get(key),
                    );
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => self.compare_lists(path, a, b),
            (None, Some(Value::Object(b))) if !b.is_empty() => {
                for (key, value) in b {
                    self.compare(&format!("{path}.{}", path_part(key)), None, Some(value));
                }
            }
            (Some(Value::Object(a)), None) if !a.is_empty() => {
                for (key, value) in a {
                    self.compare(&format!("{path}.{}", path_part(key)), Some(value), None);
                }
            }
            (None, Some(Value::Array(b))) if b.iter().any(Value::is_object) => {
                self.compare_lists(path, &[], b);
            }
            (Some(Value::Array(a)), None) if a.iter().any(Value::is_object) => {
                self.compare_lists(path, a, &[]);
            }
            (before, after) => self.push(path, before, after),
        }
    }

    fn compare_lists(&mut self, path: &str, a: &[Value], b: &[Value]) {
        match list_key(a, b) {
            Some(key) => {
                let find = |list: &[Value], wanted: &Value| {
                    list.iter().find(|entry| &entry[key] == wanted).cloned()
                };
                let fresh = b.iter().filter(|entry| find(a, &entry[key]).is_none());
                for entry in a.iter().chain(fresh) {
                    let wanted = &entry[key];
                    let part = format!("{path}[{key}={}]", plain(wanted));
                    self.compare(&part, find(a, wanted).as_ref(), find(b, wanted).as_ref());
                }
            }
            None => {
                for index in 0..a.len().max(b.len()) {
                    self.compare(&format!("{path}[{index}]"), a.get(index), b.get(index));
                }
            }
        }
    }

    fn push(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.fields.len() >= PlannedObject::FIELDS {
            self.more += 1;
            return;
        }
        let secret = self.masked && (path.starts_with(".data") || path.starts_with(".stringData"));
        let show = |value: Option<&Value>| {
            value.map(|value| {
                if secret {
                    "•••".to_owned()
                } else {
                    shown(value)
                }
            })
        };
        self.fields.push(FieldChange {
            path: path.to_owned(),
            before: show(before),
            after: show(after),
        });
    }
}

/// A field every entry of both lists has and none shares with another of its list.
fn list_key(a: &[Value], b: &[Value]) -> Option<&'static str> {
    let tells_apart = |list: &[Value], key: &str| {
        let mut seen: Vec<&Value> = Vec::new();
        list.iter().all(|entry| {
            let value = &entry[key];
            let new = (value.is_string() || value.is_number()) && !seen.contains(&value);
            seen.push(value);
            new
        })
    };
    if a.iter().chain(b).any(|entry| !entry.is_object()) {
        return None;
    }
    LIST_KEYS
        .into_iter()
        .find(|key| tells_apart(a, key) && tells_apart(b, key))
}

fn path_part(key: &str) -> String {
    if key.contains(['.', '/', '[', ']', ' ']) {
        format!("[{key}]")
    } else {
        key.to_owned()
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(value: &Value) -> String {
    let text = plain(value);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        changes(before, after)
            .0
            .into_iter()
            .map(|change| {
                format!(
                    "{} {}→{}",
                    change.path,
                    change.before.unwrap_or_default(),
                    change.after.unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn list_entries_are_told_by_their_names() {
        let object = |image: &str, env: Value| {
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
                {"name": "proxy", "image": "envoy:1"}, {"name": "backend", "image": image, "env": env}
            ]}}}})
        };
        let before = object("a:1", json!([{"name": "X", "value": "1"}]));
        let mut after = object(
            "a:2",
            json!([{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]),
        );
        after["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .expect("a list")
            .reverse();
        let base = ".spec.template.spec.containers[name=backend]";
        assert_eq!(
            paths(&before, &after),
            [
                format!("{base}.env[name=Y].name →Y"),
                format!("{base}.env[name=Y].value →2"),
                format!("{base}.image a:1→a:2"),
            ]
        );
    }

    #[test]
    fn what_the_server_keeps_for_itself_is_no_change() {
        let before = json!({"kind": "Deployment", "metadata": {"name": "a", "uid": "1", "resourceVersion": "5",
            "generation": 2, "managedFields": [{}], "annotations": {"deployment.kubernetes.io/revision": "2", "slipway.dev/revision": "1"}},
            "status": {"replicas": 1}});
        let after = json!({"kind": "Deployment", "metadata": {"name": "a", "annotations": {"slipway.dev/applied-at": "x"}}});
        assert!(paths(&before, &after).is_empty());
        assert_eq!(essence(&before), essence(&after));
    }

    #[test]
    fn secret_data_is_masked() {
        let before = json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"A": "b2xk"}});
        let after = json!({"kind": "Secret", "metadata": {"name": "s", "labels": {"x": "y"}}, "data": {"A": "bmV3"}});
        assert_eq!(
            paths(&before, &after),
            [".data.A •••→•••", ".metadata.labels.x →y"]
        );
        let (fields, _) = all_fields(&after);
        assert!(!format!("{fields:?}").contains("bmV3"));
    }

    #[test]
    fn keys_with_dots_and_plain_lists_stay_readable() {
        let before =
            json!({"metadata": {"labels": {"app.kubernetes.io/name": "a"}}, "args": ["x", "y"]});
        let after = json!({"metadata": {"labels": {"app.kubernetes.io/name": "b"}}, "args": ["x", "z", "w"]});
        assert_eq!(
            paths(&before, &after),
            [
                ".args[1] y→z",
                ".args[2] →w",
                ".metadata.labels.[app.kubernetes.io/name] a→b"
            ]
        );
    }

    #[test]
    fn more_fields_than_fit_are_counted() {
        let many: serde_json::Map<String, Value> = (0..PlannedObject::FIELDS + 7)
            .map(|number| (format!("k{number}"), json!("v")))
            .collect();
        let (fields, more) = all_fields(&json!({"kind": "ConfigMap", "data": many}));
        assert_eq!((fields.len(), more), (PlannedObject::FIELDS, 7));
    }
}
