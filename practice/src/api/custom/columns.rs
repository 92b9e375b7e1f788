//! The printed columns of a custom kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::columns::age;

/// Column definitions; without any there is the age.
#[derive(Debug, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

#[derive(Debug, PartialEq, Eq)]
struct Column {
    name: String,
    ty: String,
    priority: i64,
    path: String,
}

impl Columns {
    /// From a version's `additionalPrinterColumns`.
    pub fn of(list: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let list = list.as_array().into_iter().flatten();
        let mut columns: Vec<Column> = list
            .map(|column| Column {
                name: text(&column["name"]),
                ty: text(&column["type"]),
                priority: column["priority"].as_i64().unwrap_or(0),
                path: text(&column["jsonPath"]),
            })
            .collect();
        if columns.is_empty() {
            columns.push(Column {
                name: "Age".to_owned(),
                ty: "date".to_owned(),
                priority: 0,
                path: ".metadata.creationTimestamp".to_owned(),
            });
        }
        Self(columns)
    }

    /// The definitions a table begins with.
    pub fn definitions(&self) -> Vec<Value> {
        let name = json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0});
        let own = self.0.iter().map(|column| {
            json!({
                "name": column.name, "type": column.ty, "format": "", "description": "",
                "priority": column.priority
            })
        });
        std::iter::once(name).chain(own).collect()
    }

    /// One object's row.
    pub fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let own = self.0.iter().map(|column| {
            let value = cell(object, &column.path);
            match value {
                Some(value) if column.ty == "date" => age(&value, now).into(),
                Some(Value::Bool(flag)) => flag.into(),
                Some(Value::Number(number)) => number.into(),
                Some(Value::String(text)) => text.into(),
                Some(other) if column.ty == "string" => other.to_string().into(),
                Some(other) => other,
                None => Value::Null,
            }
        });
        std::iter::once(object["metadata"]["name"].clone())
            .chain(own)
            .collect()
    }
}

/// The value a simple JSON path leads to: fields, indexes and one comparison of a filter.
fn cell(object: &Value, path: &str) -> Option<Value> {
    let mut current = object.clone();
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            rest = after;
            current = match index.strip_prefix("?(@.").and_then(|f| f.strip_suffix(')')) {
                Some(filter) => {
                    let (field, wanted) = filter.split_once("==")?;
                    let wanted = wanted.trim().trim_matches(['"', '\'']);
                    let items = current.as_array()?;
                    items
                        .iter()
                        .find(|item| item[field.trim()].as_str() == Some(wanted))?
                        .clone()
                }
                None => match index.parse::<usize>() {
                    Ok(number) => current.get(number)?.clone(),
                    Err(_) => current.get(index.trim_matches(['"', '\'']))?.clone(),
                },
            };
            continue;
        }
        let name = rest.strip_prefix('.').unwrap_or(rest);
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (field, after) = name.split_at(end);
        rest = after;
        current = current.get(field)?.clone();
    }
    Some(current).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_fields_indexes_and_conditions() {
        let object = json!({
            "spec": {"size": 3, "hosts": ["a", "b"]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}
        });
        assert_eq!(cell(&object, ".spec.size"), Some(json!(3)));
        assert_eq!(cell(&object, ".spec.hosts[1]"), Some(json!("b")));
        let ready = ".status.conditions[?(@.type==\"Ready\")].status";
        assert_eq!(cell(&object, ready), Some(json!("True")));
        assert_eq!(cell(&object, ".spec.nothing.here"), None);
        assert_eq!(cell(&object, "[[["), None);
    }
}
