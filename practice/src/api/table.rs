//! The printed form of objects: `Table` with the columns `kubectl get` shows, and metadata alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::columns::{Column, columns_of};
use super::kinds::Kind;
use super::request::IncludeObject;
use super::views;

/// `PartialObjectMetadata` of an object.
pub fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"]
    })
}

/// Objects as a table. A watch sends the column definitions with its first table only.
pub fn table<'a>(
    kind: &Kind,
    objects: impl Iterator<Item = &'a Value>,
    include: IncludeObject,
    metadata: Value,
    with_columns: bool,
) -> Value {
    let columns = columns_of(kind);
    let own = kind.custom.map(|custom| &custom.columns);
    let now = Timestamp::now();
    let rows: Vec<Value> = objects
        .map(|object| {
            let cells: Vec<Value> = match own {
                Some(own) => own.cells(object, now),
                None => {
                    let cells = columns.iter().map(|column| (column.cell)(object, now));
                    cells.collect()
                }
            };
            let mut row = json!({"cells": cells});
            match include {
                IncludeObject::None => {}
                IncludeObject::Metadata => row["object"] = metadata_only(object),
                IncludeObject::Object => row["object"] = views::outward(kind, object).into_owned(),
            }
            row
        })
        .collect();
    let definitions: Vec<Value> = match own {
        _ if !with_columns => Vec::new(),
        Some(own) => own.definitions(),
        None => columns.iter().map(definition).collect(),
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows
    })
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name, "type": column.ty,
        "format": if column.name == "Name" { "name" } else { "" },
        "description": "", "priority": i32::from(column.wide)
    })
}
