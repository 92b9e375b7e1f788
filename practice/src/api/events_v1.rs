//! One store, two views: events are kept in their core shape and shown to `events.k8s.io/v1` in
//! its own.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::kinds::Kind;

/// Core field and the name `events.k8s.io/v1` has for it.
const FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn is_new_style(kind: &Kind) -> bool {
    kind.group == "events.k8s.io"
}

/// The stored object as this kind shows it.
pub fn outward<'a>(kind: &Kind, object: &'a Value) -> Cow<'a, Value> {
    if !is_new_style(kind) {
        return Cow::Borrowed(object);
    }
    Cow::Owned(renamed(
        object,
        |key| {
            FIELDS
                .iter()
                .find(|(core, _)| *core == key)
                .map(|(_, new)| *new)
        },
        "events.k8s.io/v1",
    ))
}

/// What was sent to this kind, in the stored shape.
pub fn inward(kind: &Kind, object: Value) -> Value {
    if !is_new_style(kind) {
        return object;
    }
    renamed(
        &object,
        |key| {
            FIELDS
                .iter()
                .find(|(_, new)| *new == key)
                .map(|(core, _)| *core)
        },
        "v1",
    )
}

fn renamed<'n>(object: &Value, name: impl Fn(&str) -> Option<&'n str>, api_version: &str) -> Value {
    let mut out = Map::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        out.insert(name(key).unwrap_or(key).to_owned(), value.clone());
    }
    out.insert("apiVersion".into(), api_version.into());
    Value::Object(out)
}
