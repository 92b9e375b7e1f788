//! One store, several views: kinds that are served in more than one API version are kept in one of
//! them, and shown in the one that was asked for.

mod autoscaling_v1;
mod events_v1;

use std::borrow::Cow;

use serde_json::Value;

use super::kinds::Kind;

/// The stored object as this kind shows it.
pub fn outward<'a>(kind: &Kind, object: &'a Value) -> Cow<'a, Value> {
    match (kind.group, kind.version) {
        ("events.k8s.io", _) => Cow::Owned(events_v1::outward(object)),
        ("autoscaling", "v1") => Cow::Owned(autoscaling_v1::outward(object)),
        _ if kind.custom.is_some() && object["apiVersion"] != kind.api_version() => {
            // Versions of a custom kind differ in their name alone: nobody converts them.
            let mut shown = object.clone();
            shown["apiVersion"] = kind.api_version().into();
            Cow::Owned(shown)
        }
        _ => Cow::Borrowed(object),
    }
}

/// What was sent to this kind, in the stored shape.
pub fn inward(kind: &Kind, object: Value) -> Value {
    match (kind.group, kind.version) {
        ("events.k8s.io", _) => events_v1::inward(&object),
        ("autoscaling", "v1") => autoscaling_v1::inward(object),
        _ => object,
    }
}
