//! The marks a deploy leaves on objects: whose they are, and which deploy set them last.

use app::model::UnixMillis;
use serde_json::{Map, Value, json};

use crate::adapters::kube::times::{parse_rfc3339, rfc3339};

/// Label: the project an object belongs to. What carries it and is no longer in the manifests goes.
pub const APPLY_SET: &str = "slipway.dev/apply-set";
/// Annotation: the number of the deploy that applied the object last.
pub const REVISION: &str = "slipway.dev/revision";
/// Annotation: when that was.
pub const APPLIED_AT: &str = "slipway.dev/applied-at";

/// Label of the objects Slipway keeps its books in: the project they are about. They belong to no
/// deploy, so none removes them.
pub const RECORD_OF: &str = "slipway.dev/record-of";

/// Puts the project's label on an object.
pub fn label(object: &mut Value, project: &str) {
    set(object, "labels", APPLY_SET, project);
}

/// Puts number and time of a deploy on an object.
pub fn stamp(object: &mut Value, revision: u64, at: UnixMillis) {
    set(object, "annotations", REVISION, &revision.to_string());
    set(object, "annotations", APPLIED_AT, &rfc3339(at));
}

/// The number and time an object carries.
pub fn stamped(object: &Value) -> Option<(u64, UnixMillis)> {
    let annotations = &object["metadata"]["annotations"];
    let revision = annotations[REVISION].as_str()?.parse().ok()?;
    let at = parse_rfc3339(annotations[APPLIED_AT].as_str()?)?;
    Some((revision, at))
}

/// Whether the object belongs to the project.
pub fn belongs_to(object: &Value, project: &str) -> bool {
    object["metadata"]["labels"][APPLY_SET].as_str() == Some(project)
}

fn set(object: &mut Value, map: &str, key: &str, value: &str) {
    let metadata = as_map(&mut object["metadata"]);
    let entries = as_map(metadata.entry(map).or_insert_with(|| json!({})));
    entries.insert(key.to_owned(), Value::String(value.to_owned()));
}

/// The value as a mapping; anything else (a missing or `null` one) becomes an empty one.
pub fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was just made an object")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_can_be_read_back_and_leave_other_marks_alone() {
        let mut object =
            json!({"metadata": {"name": "a", "labels": {"app": "a"}, "annotations": null}});
        label(&mut object, "todo");
        stamp(&mut object, 3, UnixMillis(1_000));
        assert_eq!(stamped(&object), Some((3, UnixMillis(1_000))));
        assert!(belongs_to(&object, "todo") && !belongs_to(&object, "other"));
        assert_eq!(object["metadata"]["labels"]["app"], "a");
        assert_eq!(stamped(&json!({"metadata": {}})), None);
    }
}
