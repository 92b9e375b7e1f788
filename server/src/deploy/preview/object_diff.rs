//! The difference of one object as a person reads it: what the manifest means, or everything.

use app::model::{DiffRow, FieldChange, FieldOwner, ObjectDiff};
use serde_json::Value;

use super::diff::{Difference, diff, leaves};
use super::mask::Mask;
use super::noise::{essence, meant};
use super::owners::Owners;
use super::path::Path;
use super::rows::rows;
use crate::engine::redact::{MASK, Redactor};

const LONGEST_VALUE: usize = 400;

/// Between the object as it is and as it would be (`Null` where there is none). `desired` is the
/// manifest: without it nothing is hidden as a default.
pub fn object_diff(
    live: &Value,
    after: &Value,
    desired: Option<&Value>,
    redactor: &Redactor,
) -> ObjectDiff {
    let (a, b) = match desired {
        Some(desired) => meant(&essence(live), &essence(after), desired),
        None => (live.clone(), after.clone()),
    };
    let (rows, more_rows) = rows(&a, &b);
    let (fields, more_fields) = fields(&a, &b, &Owners::of(live));
    let mut found = ObjectDiff {
        fields,
        more_fields,
        rows,
        more_rows,
    };
    redact(&mut found, redactor);
    found
}

/// How many lines are new and how many go.
pub fn counted(rows: &[DiffRow]) -> (u32, u32) {
    let count = |wanted: fn(&DiffRow) -> bool| {
        u32::try_from(rows.iter().filter(|row| wanted(row)).count()).unwrap_or(u32::MAX)
    };
    (
        count(|row| matches!(row, DiffRow::Added(_) | DiffRow::Changed(..))),
        count(|row| matches!(row, DiffRow::Removed(_) | DiffRow::Changed(..))),
    )
}

fn fields(a: &Value, b: &Value, owners: &Owners) -> (Vec<FieldChange>, u32) {
    let mask = Mask::of(if b.is_null() { a } else { b });
    let (mut fields, mut more) = (Vec::new(), 0);
    let mut push = |path: &Path, before: Option<&Value>, after: Option<&Value>| {
        if fields.len() >= ObjectDiff::FIELDS {
            more += 1;
            return;
        }
        fields.push(FieldChange {
            path: path.to_string(),
            before: before.map(|value| shown(mask, path, value)),
            after: after.map(|value| shown(mask, path, value)),
            owners: if before.is_some() {
                owners.holding(path)
            } else {
                Vec::new()
            },
        });
    };
    let differences = if a.is_null() || b.is_null() {
        vec![Difference {
            path: Path::default(),
            before: (!a.is_null()).then(|| a.clone()),
            after: (!b.is_null()).then(|| b.clone()),
            order: false,
        }]
    } else {
        diff(a, b)
    };
    for found in differences {
        match (&found.before, &found.after) {
            (Some(before), None) => {
                leaves(&found.path, before, &mut |path, value| {
                    push(&path, Some(value), None)
                });
            }
            (None, Some(after)) => {
                leaves(&found.path, after, &mut |path, value| {
                    push(&path, None, Some(value))
                });
            }
            (before, after) if found.order => {
                let order = |list: &Option<Value>| list.as_ref().map(names);
                push(&found.path, order(before).as_ref(), order(after).as_ref());
            }
            (before, after) => push(&found.path, before.as_ref(), after.as_ref()),
        }
    }
    (fields, more)
}

/// The first key of every entry: enough to show an order.
fn names(list: &Value) -> Value {
    let entries = list.as_array().into_iter().flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.as_object()?.values().next())
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    Value::String(names.join(", "))
}

/// A value at its path, as it may be shown: masked and not too long.
pub fn shown(mask: Mask, path: &Path, value: &Value) -> String {
    let text = match value {
        Value::String(text) => match mask.lines(path, text) {
            Some(lines) => lines.text(beginning(text)).into_owned(),
            None => MASK.to_owned(),
        },
        value @ (Value::Object(_) | Value::Array(_)) => compound(mask, path, value),
        scalar => mask.text(path, &scalar.to_string()).into_owned(),
    };
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The first lines of a text, far more than are shown: a large one need not be looked through.
fn beginning(text: &str) -> &str {
    let enough = 16 * LONGEST_VALUE;
    let mut bytes = text.bytes().skip(enough);
    match bytes.position(|byte| byte == b'\n') {
        Some(at) => &text[..enough + at],
        None => text,
    }
}

fn compound(mask: Mask, path: &Path, value: &Value) -> String {
    masked(mask, path, value).to_string()
}

/// The value with every text in it masked.
pub fn masked(mask: Mask, path: &Path, value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), masked(mask, &path.field(key), value)))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(at, entry)| {
                let step = match entry["name"].as_str() {
                    Some(_) => super::path::entry_step(entry, &["name"]),
                    None => super::path::Step::Place(at),
                };
                masked(mask, &path.then(step), entry)
            })
            .collect(),
        Value::String(text) => Value::from(mask.text(path, text).into_owned()),
        other => other.clone(),
    }
}

/// Values the panel knows are hidden wherever they stand.
fn redact(found: &mut ObjectDiff, redactor: &Redactor) {
    let hide = |text: &mut String| {
        if let std::borrow::Cow::Owned(hidden) = redactor.redact(text) {
            *text = hidden;
        }
    };
    for row in &mut found.rows {
        match row {
            DiffRow::Same(text) | DiffRow::Removed(text) | DiffRow::Added(text) => hide(text),
            DiffRow::Changed(before, after) => {
                hide(before);
                hide(after);
            }
        }
    }
    for field in &mut found.fields {
        field
            .before
            .iter_mut()
            .chain(&mut field.after)
            .for_each(hide);
    }
}

/// The owner a conflict message names, where the object itself does not tell more.
pub fn named_owner(manager: &str) -> FieldOwner {
    FieldOwner {
        manager: manager.to_owned(),
        operation: String::new(),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn fields_are_told_with_who_set_them() {
        let live = json!({"kind": "Deployment", "metadata": {"name": "a", "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}, "spec": {"replicas": 3}});
        let after =
            json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}});
        let found = object_diff(&live, &after, Some(&after), &Redactor::default());
        let [field] = found.fields.as_slice() else {
            panic!("one field changes: {:?}", found.fields);
        };
        assert_eq!(field.path, ".spec.replicas");
        assert_eq!(field.owners[0].manager, "kubectl-edit");
        assert_eq!(
            (field.before.as_deref(), field.after.as_deref()),
            (Some("3"), Some("1"))
        );
        assert_eq!(counted(&found.rows), (1, 1));
    }

    #[test]
    fn more_fields_than_fit_are_counted() {
        let many: serde_json::Map<String, Value> = (0..ObjectDiff::FIELDS + 7)
            .map(|number| (format!("k{number}"), json!("v")))
            .collect();
        let object = json!({"kind": "ConfigMap", "data": many});
        let found = object_diff(&Value::Null, &object, Some(&object), &Redactor::default());
        assert_eq!(found.fields.len(), ObjectDiff::FIELDS);
        assert_eq!(found.more_fields, 8, "the kind is a field too");
    }

    proptest! {
        #[test]
        fn masked_values_never_leak(value in "[A-Za-z0-9]{8,30}", everything in any::<bool>()) {
            let value = format!("Zq{value}");
            let secret = json!({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"A": value}, "data": {"B": value}});
            let env = json!({"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": [
                {"name": "c", "env": [{"name": "API_TOKEN", "value": value}, {"name": "U", "value": format!("redis://:{value}@host/0")}]}]}}}});
            let config = json!({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"password": value, "f.yaml": format!("a: 1\nclientSecret: {value}\n")}});
            let empty = json!({"kind": "Deployment", "metadata": {"name": "d"}});
            for object in [&secret, &env, &config] {
                for (a, b) in [(&Value::Null, object), (object, &Value::Null), (&empty, object)] {
                    let desired = (!everything).then_some(b);
                    let found = object_diff(a, b, desired, &Redactor::default());
                    let text = serde_json::to_string(&found).expect("JSON");
                    prop_assert!(!text.contains(&value), "{}", text);
                }
            }
        }
    }
}
