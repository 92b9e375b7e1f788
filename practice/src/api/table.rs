//! The printed form of objects: `Table` with the columns `kubectl get` shows, and metadata alone.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::request::IncludeObject;

/// `PartialObjectMetadata` of an object.
pub fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"]
    })
}

/// Objects as a table.
pub fn table<'a>(
    kind: &Kind,
    objects: impl Iterator<Item = &'a Value>,
    include: IncludeObject,
    metadata: Value,
    with_columns: bool,
) -> Value {
    let _ = kind;
    let rows: Vec<Value> = objects
        .map(|object| {
            let mut row = json!({"cells": [object["metadata"]["name"], object["metadata"]["creationTimestamp"]]});
            match include {
                IncludeObject::None => {}
                IncludeObject::Metadata => row["object"] = metadata_only(object),
                IncludeObject::Object => row["object"] = object.clone(),
            }
            row
        })
        .collect();
    let columns = if with_columns {
        json!([
            {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
            {"name": "Created At", "type": "date", "format": "", "description": "", "priority": 0}
        ])
    } else {
        json!([])
    };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": rows})
}
