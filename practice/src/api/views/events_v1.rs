//! One store, two views: events are kept in their core shape and shown to `events.k8s.io/v1` in
//! its own.

use serde_json::{Map, Value};

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

/// The stored event in the new style.
pub fn outward(object: &Value) -> Value {
    let new = |key: &str| FIELDS.iter().find(|(core, _)| *core == key);
    renamed(
        object,
        |key| new(key).map(|(_, new)| *new),
        "events.k8s.io/v1",
    )
}

/// An event of the new style, as it is stored.
pub fn inward(object: &Value) -> Value {
    let core = |key: &str| FIELDS.iter().find(|(_, new)| *new == key);
    renamed(object, |key| core(key).map(|(core, _)| *core), "v1")
}

fn renamed<'n>(object: &Value, name: impl Fn(&str) -> Option<&'n str>, api_version: &str) -> Value {
    let mut out = Map::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        out.insert(name(key).unwrap_or(key).to_owned(), value.clone());
    }
    out.insert("apiVersion".into(), api_version.into());
    Value::Object(out)
}
