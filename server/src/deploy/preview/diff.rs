//! What differs between two readings of an object, field by field.
//! Entries of lists are told by their keys, as in `containers[name=backend]`, not by their places.

use serde_json::{Map, Value};

use super::path::{Path, Step, align, entry_step, list_keys};

/// One difference. Whole subtrees that come or go are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub path: Path,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Entries are the same and stand in another order; `before` and `after` are whole lists.
    pub order: bool,
}

/// Everything that differs, in the order of the fields.
pub fn diff(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&Path::default(), Some(before), Some(after), &mut found);
    found
}

fn compare(
    path: &Path,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in union(a, b) {
                compare(&path.field(key), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if list_keys(a, b).is_some() => {
            compare_entries(path, a, b, found);
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for at in 0..a.len().max(b.len()) {
                compare(&path.then(Step::Place(at)), a.get(at), b.get(at), found);
            }
        }
        (before, after) => found.push(Difference {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            order: false,
        }),
    }
}

fn compare_entries(path: &Path, a: &[Value], b: &[Value], found: &mut Vec<Difference>) {
    let Some(keys) = list_keys(a, b) else { return };
    let aligned = align(a, b, keys);
    for (step, before, after) in &aligned {
        compare(&path.then(step.clone()), *before, *after, found);
    }
    // What comes is put at the end; when that is not where it stands, the order has changed too.
    let natural = aligned.iter().filter_map(|(_, _, after)| *after);
    if !natural.eq(b.iter()) {
        found.push(Difference {
            path: path.clone(),
            before: Some(Value::Array(a.to_vec())),
            after: Some(Value::Array(b.to_vec())),
            order: true,
        });
    }
}

/// The names of both, those of `a` first.
pub fn union<'a>(a: &'a Map<String, Value>, b: &'a Map<String, Value>) -> Vec<&'a String> {
    a.keys()
        .chain(b.keys().filter(|key| !a.contains_key(*key)))
        .collect()
}

/// Carries differences over: `apply(a, diff(a, b))` is `b`. Those of another object are put in as
/// far as they fit.
pub fn apply(object: &Value, differences: &[Difference]) -> Value {
    let mut object = object.clone();
    // From the end, so that places still mean what they meant; what is new goes in forwards.
    for difference in differences.iter().rev() {
        if difference.after.is_none() {
            set(&mut object, &difference.path.0, None);
        }
    }
    for difference in differences.iter().filter(|difference| !difference.order) {
        if let Some(after) = &difference.after {
            set(&mut object, &difference.path.0, Some(after));
        }
    }
    for difference in differences.iter().filter(|difference| difference.order) {
        if let Some(after) = &difference.after {
            set(&mut object, &difference.path.0, Some(after));
        }
    }
    object
}

fn set(value: &mut Value, path: &[Step], to: Option<&Value>) {
    let Some((step, rest)) = path.split_first() else {
        if let Some(to) = to {
            *value = to.clone();
        }
        return;
    };
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => match (map.get_mut(name), rest.is_empty(), to) {
            (Some(_), true, None) => drop(map.shift_remove(name)),
            (Some(inner), _, _) => set(inner, rest, to),
            (None, true, Some(to)) => drop(map.insert(name.clone(), to.clone())),
            (None, _, _) => {}
        },
        (Step::Place(at), Value::Array(list)) => match (list.get_mut(*at), rest.is_empty(), to) {
            (Some(_), true, None) => drop(list.remove(*at)),
            (Some(inner), _, _) => set(inner, rest, to),
            (None, true, Some(to)) => list.push(to.clone()),
            (None, _, _) => {}
        },
        (Step::Entry(keys), Value::Array(list)) => {
            let at = list
                .iter()
                .position(|entry| keys.iter().all(|(key, wanted)| &entry[*key] == wanted));
            match (at, rest.is_empty(), to) {
                (Some(at), true, None) => drop(list.remove(at)),
                (Some(at), _, _) => set(&mut list[at], rest, to),
                (None, true, Some(to)) => list.push(to.clone()),
                (None, _, _) => {}
            }
        }
        _ => {}
    }
}

/// Every field below a subtree, as (path, value); empty maps and lists count as fields.
pub fn leaves(path: &Path, value: &Value, each: &mut impl FnMut(Path, &Value)) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(&path.field(key), value, each);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => match list_keys(list, &[]) {
            Some(keys) => {
                for entry in list {
                    leaves(&path.then(entry_step(entry, keys)), entry, each);
                }
            }
            None => {
                for (at, entry) in list.iter().enumerate() {
                    leaves(&path.then(Step::Place(at)), entry, each);
                }
            }
        },
        value => each(path.clone(), value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        diff(before, after)
            .into_iter()
            .map(|found| format!("{}{}", found.path, if found.order { " order" } else { "" }))
            .collect()
    }

    #[test]
    fn list_entries_are_told_by_their_names() {
        let object = |image: &str, env: Value| {
            json!({"spec": {"containers": [
                {"name": "proxy", "image": "envoy:1"}, {"name": "backend", "image": image, "env": env}
            ]}})
        };
        let before = object("a:1", json!([{"name": "X", "value": "1"}]));
        let after = object(
            "a:2",
            json!([{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]),
        );
        let base = ".spec.containers[name=backend]";
        assert_eq!(
            paths(&before, &after),
            [format!("{base}.image"), format!("{base}.env[name=Y]")]
        );
        let mut turned = after.clone();
        turned["spec"]["containers"]
            .as_array_mut()
            .expect("a list")
            .reverse();
        assert_eq!(paths(&after, &turned), [".spec.containers order"]);
    }

    #[test]
    fn ports_are_told_by_number_and_protocol() {
        let port = |number: u16, protocol: &str, name: Option<&str>| match name {
            Some(name) => json!({"containerPort": number, "protocol": protocol, "name": name}),
            None => json!({"containerPort": number, "protocol": protocol}),
        };
        let before = json!({"ports": [port(53, "TCP", None), port(53, "UDP", None)]});
        let after = json!({"ports": [port(53, "TCP", None), port(53, "UDP", Some("dns"))]});
        assert_eq!(
            paths(&before, &after),
            [".ports[containerPort=53,protocol=UDP].name"]
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..4u8).prop_map(Value::from),
            "[ab\n]{0,3}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("[a-d]", inner.clone(), 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                proptest::collection::vec(("[a-e]", inner), 0..5).prop_map(|entries| {
                    entries
                        .into_iter()
                        .map(|(name, value)| json!({"name": name, "value": value}))
                        .collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn carrying_the_difference_over_gives_the_other(a in any_json(), b in any_json()) {
            let differences = diff(&a, &b);
            prop_assert_eq!(apply(&a, &differences), b.clone());
            prop_assert_eq!(differences.is_empty(), a == b);
        }
    }
}
