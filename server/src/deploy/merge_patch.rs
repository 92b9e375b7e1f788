//! JSON merge patches (RFC 7396): from one value to another, and what one makes of a value.

use serde_json::{Map, Value};

/// The JSON merge patch from one value to another; none when they are equal.
pub fn difference(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (from, to) else {
        return Some(to.clone());
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        let change = match before.get(key) {
            Some(old) => difference(old, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

/// The value with the patch in it.
pub fn merged(value: &Value, patch: &Value) -> Value {
    let Some(changes) = patch.as_object() else {
        return patch.clone();
    };
    let mut merged_map = value.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        if change.is_null() {
            merged_map.shift_remove(key);
        } else {
            let inner = merged(merged_map.get(key).unwrap_or(&Value::Null), change);
            merged_map.insert(key.clone(), inner);
        }
    }
    Value::Object(merged_map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_way_back_is_a_patch_that_takes_away_too() {
        let now = json!({"metadata": {"labels": {"app": "a"}, "annotations": {"x": "1"}},
            "spec": {"containers": [{"name": "a", "image": "a:2"}], "hostNetwork": true}});
        let before = json!({"metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
        assert_eq!(
            difference(&now, &before),
            Some(json!({"metadata": {"annotations": null},
                "spec": {"hostNetwork": null, "containers": [{"name": "a", "image": "a:1"}]}}))
        );
        assert_eq!(difference(&now, &now), None);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_leads_from_one_value_to_the_other(from in values(), to in values()) {
            let patch = difference(&from, &to);
            let reached = patch.map_or_else(|| from.clone(), |patch| merged(&from, &patch));
            // An object given whole loses its nulls; these values have none.
            prop_assert_eq!(reached, to);
        }
    }
}
