//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

/// Applies a merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(object) = target.as_object_mut() else {
        return;
    };
    for (key, value) in fields {
        if value.is_null() {
            object.shift_remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Applies a JSON patch; on an error the target may be half changed and must be thrown away.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), String> {
    let operations = patch
        .as_array()
        .ok_or("a JSON patch is a list of operations")?;
    for operation in operations {
        apply_operation(target, operation)?;
    }
    Ok(())
}

fn apply_operation(target: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |field: &str| operation[field].as_str().map(str::to_owned);
    let op = text("op").ok_or("an operation needs an op")?;
    let path = text("path").ok_or("an operation needs a path")?;
    let value = || {
        operation
            .get("value")
            .cloned()
            .ok_or_else(|| format!("{op} operation needs a value"))
    };
    let from = || text("from").ok_or_else(|| format!("{op} operation needs a from"));
    match op.as_str() {
        "add" => add(target, &path, value()?),
        "remove" => remove(target, &path).map(drop),
        "replace" => {
            let slot = find(target, &path)?;
            *slot = value()?;
            Ok(())
        }
        "move" => {
            let from = from()?;
            if path.starts_with(&format!("{from}/")) {
                return Err("cannot move a value into itself".to_owned());
            }
            let moved = remove(target, &from)?;
            add(target, &path, moved)
        }
        "copy" => {
            let copied = find(target, &from()?)?.clone();
            add(target, &path, copied)
        }
        "test" => {
            let wanted = value()?;
            match find(target, &path) {
                Ok(found) if *found == wanted => Ok(()),
                Err(_) if wanted.is_null() => Ok(()),
                _ => Err(format!("testing value {path} failed")),
            }
        }
        other => Err(format!("unexpected kind: {other}")),
    }
}

fn tokens(path: &str) -> Result<Vec<String>, String> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let rest = path
        .strip_prefix('/')
        .ok_or_else(|| format!("path {path} does not start with '/'"))?;
    Ok(rest
        .split('/')
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect())
}

fn find<'a>(target: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    let mut value = target;
    for token in tokens(path)? {
        value = match value {
            Value::Object(object) => object.get_mut(&token),
            Value::Array(list) => token.parse::<usize>().ok().and_then(|at| list.get_mut(at)),
            _ => None,
        }
        .ok_or_else(|| format!("path {path} is missing: the value does not exist"))?;
    }
    Ok(value)
}

fn split(path: &str) -> Result<(String, String), String> {
    let all = tokens(path)?;
    let last = all
        .last()
        .cloned()
        .ok_or("the whole document cannot be the target here")?;
    let cut = path.rfind('/').unwrap_or(0);
    Ok((path[..cut].to_owned(), last))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match find(target, &parent)? {
        Value::Object(object) => {
            object.insert(last, value);
            Ok(())
        }
        Value::Array(list) if last == "-" => {
            list.push(value);
            Ok(())
        }
        Value::Array(list) => {
            let at: usize = last
                .parse()
                .map_err(|_| format!("{last} is no list index"))?;
            if at > list.len() {
                return Err(format!("unable to access invalid index: {at}"));
            }
            list.insert(at, value);
            Ok(())
        }
        _ => Err(format!("path {path} leads into a value that has no fields")),
    }
}

fn remove(target: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = split(path)?;
    let missing = || format!("unable to remove nonexistent key: {last}");
    match find(target, &parent)? {
        Value::Object(object) => object.shift_remove(&last).ok_or_else(missing),
        Value::Array(list) => {
            let at: usize = last.parse().map_err(|_| missing())?;
            if at < list.len() {
                Ok(list.remove(at))
            } else {
                Err(missing())
            }
        }
        _ => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn a_merge_patch_removes_with_null_and_replaces_lists() {
        let mut target = json!({"a": {"b": 1, "c": [1, 2]}, "d": 3});
        merge(
            &mut target,
            &json!({"a": {"b": null, "c": [9]}, "e": {"f": null}}),
        );
        assert_eq!(target, json!({"a": {"c": [9]}, "d": 3, "e": {}}));
    }

    #[test]
    fn a_json_patch_does_its_six_operations() {
        let mut target = json!({"a": [1, 2], "b": {"c/d": 1}});
        let patch = json!([
            {"op": "test", "path": "/b/c~1d", "value": 1},
            {"op": "add", "path": "/a/1", "value": 9},
            {"op": "add", "path": "/a/-", "value": 8},
            {"op": "copy", "from": "/a/0", "path": "/x"},
            {"op": "move", "from": "/x", "path": "/y"},
            {"op": "replace", "path": "/b/c~1d", "value": 2},
            {"op": "remove", "path": "/a/0"}
        ]);
        json_patch(&mut target, &patch).expect("applies");
        assert_eq!(target, json!({"a": [9, 2, 8], "b": {"c/d": 2}, "y": 1}));
        assert!(
            json_patch(
                &mut target,
                &json!([{"op": "test", "path": "/y", "value": 5}])
            )
            .is_err()
        );
        assert!(json_patch(&mut target, &json!([{"op": "remove", "path": "/nope"}])).is_err());
    }

    proptest! {
        #[test]
        fn merging_twice_changes_nothing_more(mut target in any_json(), patch in any_json()) {
            merge(&mut target, &patch);
            let once = target.clone();
            merge(&mut target, &patch);
            prop_assert_eq!(once, target);
        }

        #[test]
        fn json_patches_never_panic(mut target in any_json(), op in "add|remove|replace|move|copy|test", path in "(/[a-z0-9~-]{0,2}){0,3}", value in any_json()) {
            let _ = json_patch(&mut target, &json!([{"op": op, "path": path, "from": path, "value": value}]));
        }
    }
}
