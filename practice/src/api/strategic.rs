//! Strategic merge patch: a merge patch that knows which lists are merged by a key.

use serde_json::{Map, Value};

use super::schema::Type;
use super::typed::field_type;

/// Applies a strategic merge patch to a value of this type.
pub fn merge(ty: &Type, current: &mut Value, patch: &Value) -> Result<(), String> {
    let Some(patch) = patch.as_object() else {
        *current = patch.clone();
        return Ok(());
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let mut fresh = patch.clone();
            fresh.shift_remove("$patch");
            *current = Value::Object(fresh);
            return Ok(());
        }
        Some("delete") => {
            *current = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("unexpected value for $patch: {other}")),
    }
    if !current.is_object() {
        *current = Value::Object(Map::new());
    }
    let Some(object) = current.as_object_mut() else {
        return Ok(());
    };
    if let Some(keys) = patch.get("$retainKeys").and_then(Value::as_array) {
        object.retain(|name, _| keys.iter().any(|key| key == name.as_str()));
    }
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix("$deleteFromPrimitiveList/") {
            remove_values(object.get_mut(field), value);
        }
    }
    for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        if value.is_null() {
            object.shift_remove(name);
            continue;
        }
        let inner = field_type(ty, name);
        let order = patch
            .get(&format!("$setElementOrder/{name}"))
            .and_then(Value::as_array);
        match value {
            Value::Object(_) => {
                merge(
                    inner,
                    object.entry(name.clone()).or_insert(Value::Null),
                    value,
                )?;
            }
            Value::Array(list) => {
                let live = object
                    .get(name)
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default();
                let merged = merge_list(inner, live, list, order)?;
                object.insert(name.clone(), Value::Array(merged));
            }
            _ => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
    // An order may come alone, when no item changed but their places did.
    for (name, value) in patch {
        if let (Some(field), Some(order)) =
            (name.strip_prefix("$setElementOrder/"), value.as_array())
            && !patch.contains_key(field)
            && let Some(list) = object.get_mut(field).and_then(Value::as_array_mut)
        {
            sort(field_type(ty, field), list, order);
        }
    }
    Ok(())
}

fn remove_values(list: Option<&mut Value>, values: &Value) {
    if let (Some(list), Some(values)) = (list.and_then(Value::as_array_mut), values.as_array()) {
        list.retain(|item| !values.contains(item));
    }
}

fn merge_list(
    ty: &Type,
    live: Vec<Value>,
    patch: &[Value],
    order: Option<&Vec<Value>>,
) -> Result<Vec<Value>, String> {
    let mut out = match ty {
        Type::KeyedList(keys, item) => merge_keyed(merge_key(keys), item, live, patch)?,
        Type::Set(_) => {
            let mut out = live;
            for value in patch {
                if !out.contains(value) {
                    out.push(value.clone());
                }
            }
            out
        }
        _ => return Ok(patch.to_vec()),
    };
    if let Some(order) = order {
        sort(ty, &mut out, order);
    }
    Ok(out)
}

/// Strategic merge uses the first of the keys that server-side apply uses.
fn merge_key(keys: &[String]) -> &str {
    keys.first().map_or("name", String::as_str)
}

fn merge_keyed(
    key: &str,
    item_type: &Type,
    live: Vec<Value>,
    patch: &[Value],
) -> Result<Vec<Value>, String> {
    let replaces = patch
        .iter()
        .any(|item| item["$patch"] == "replace" && item.get(key).is_none());
    let mut out = if replaces { Vec::new() } else { live };
    for item in patch {
        if item.get(key).is_none_or(Value::is_null) {
            if item["$patch"] == "replace" {
                continue;
            }
            return Err(format!(
                "map: {item} does not contain declared merge key: {key}"
            ));
        }
        let at = out.iter().position(|found| found[key] == item[key]);
        match (item["$patch"].as_str(), at) {
            (Some("delete"), _) => out.retain(|found| found[key] != item[key]),
            (_, Some(at)) => merge(item_type, &mut out[at], item)?,
            (_, None) => {
                let mut fresh = Value::Object(Map::new());
                merge(item_type, &mut fresh, item)?;
                out.push(fresh);
            }
        }
    }
    Ok(out)
}

/// Puts the items named in `order` into that order; the others keep their place between them.
fn sort(ty: &Type, list: &mut [Value], order: &[Value]) {
    let place = |item: &Value| match ty {
        Type::KeyedList(keys, _) => {
            let key = merge_key(keys);
            order.iter().position(|o| o[key] == item[key])
        }
        _ => order.iter().position(|o| o == item),
    };
    let mut named: Vec<(usize, Value)> = list
        .iter()
        .filter_map(|item| Some((place(item)?, item.clone())))
        .collect();
    named.sort_by_key(|(at, _)| *at);
    let mut named = named.into_iter().map(|(_, item)| item);
    for slot in list.iter_mut() {
        if place(slot).is_some()
            && let Some(next) = named.next()
        {
            *slot = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Type {
        Type::Struct("core.v1.PodSpec".to_owned())
    }

    fn patched(current: Value, patch: Value) -> Value {
        let mut current = current;
        merge(&pod(), &mut current, &patch).expect("applies");
        current
    }

    #[test]
    fn keyed_lists_are_merged_and_others_replaced() {
        let live = json!({"containers": [{"name": "a", "image": "x", "args": ["1"]}, {"name": "b"}], "tolerations": [{"key": "k"}]});
        let out = patched(
            live,
            json!({"containers": [{"name": "a", "args": ["2"]}, {"name": "c", "image": "y"}], "tolerations": [{"key": "z"}]}),
        );
        assert_eq!(
            out,
            json!({
                "containers": [{"name": "a", "image": "x", "args": ["2"]}, {"name": "b"}, {"name": "c", "image": "y"}],
                "tolerations": [{"key": "z"}]
            })
        );
    }

    #[test]
    fn directives_delete_replace_retain_and_order() {
        let live = json!({"containers": [{"name": "a"}, {"name": "b"}], "volumes": [{"name": "v", "emptyDir": {}}]});
        let out = patched(
            live.clone(),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
        );
        assert_eq!(out["containers"], json!([{"name": "b"}]));
        let out = patched(
            live.clone(),
            json!({"containers": [{"name": "z"}, {"$patch": "replace"}]}),
        );
        assert_eq!(out["containers"], json!([{"name": "z"}]));
        let out = patched(
            live.clone(),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}),
        );
        assert_eq!(
            out["volumes"],
            json!([{"name": "v", "secret": {"secretName": "s"}}])
        );
        let out = patched(
            live,
            json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "containers": [{"name": "c"}]}),
        );
        assert_eq!(
            out["containers"],
            json!([{"name": "c"}, {"name": "b"}, {"name": "a"}])
        );
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let mut live = json!({"containers": []});
        assert!(merge(&pod(), &mut live, &json!({"containers": [{"image": "x"}]})).is_err());
    }
}
