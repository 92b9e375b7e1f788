//! Who owns which field: `metadata.managedFields`, kept for every kind of write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fieldset::FieldSet;
use super::kinds::Kind;
use super::objects::WriteContext;
use super::schema;
use super::typed::{self, Changes};

/// One manager's record.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub manager: String,
    pub operation: &'static str,
    pub api_version: String,
    pub time: String,
    pub subresource: Option<String>,
    pub fields: FieldSet,
}

/// The records an apply leads to, worked out before the object was completed.
#[derive(Clone, Debug, Default)]
pub struct AppliedSet(pub Vec<Entry>);

/// Fields that nobody owns: the server writes them.
const NOBODYS: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "deletionGracePeriodSeconds"],
];

/// Takes the fields nobody owns out of a set.
pub fn strip(set: &mut FieldSet) {
    for path in NOBODYS {
        set.remove_fields(path);
    }
    if let Some(metadata) = set
        .children
        .get_mut(&super::fieldset::Element::Field("metadata".into()))
    {
        metadata.member = false;
        if metadata.is_empty() {
            set.remove_fields(&["metadata"]);
        }
    }
}

/// What changed, as far as somebody can own it.
pub fn changes(kind: &Kind, old: Option<&Value>, new: &Value) -> Changes {
    let nothing = json!({});
    let mut changes = typed::compare(&schema::type_of(kind), old.or(Some(&nothing)), Some(new));
    strip(&mut changes.written);
    strip(&mut changes.removed);
    changes
}

/// The records of an object.
pub fn entries(object: &Value) -> Vec<Entry> {
    let list = object["metadata"]["managedFields"].as_array();
    list.into_iter()
        .flatten()
        .map(|entry| Entry {
            manager: entry["manager"].as_str().unwrap_or("").to_owned(),
            operation: if entry["operation"] == "Apply" {
                "Apply"
            } else {
                "Update"
            },
            api_version: entry["apiVersion"].as_str().unwrap_or("").to_owned(),
            time: entry["time"].as_str().unwrap_or("").to_owned(),
            subresource: entry["subresource"]
                .as_str()
                .filter(|s| !s.is_empty())
                .map(str::to_owned),
            fields: FieldSet::from_fields_v1(&entry["fieldsV1"]),
        })
        .collect()
}

fn encode(entries: Vec<Entry>) -> Value {
    let mut entries: Vec<Entry> = entries
        .into_iter()
        .filter(|e| !e.fields.is_empty())
        .collect();
    entries.sort_by(|a, b| {
        (a.operation, &a.time, &a.manager).cmp(&(b.operation, &b.time, &b.manager))
    });
    entries
        .into_iter()
        .map(|entry| {
            let mut out = json!({
                "manager": entry.manager, "operation": entry.operation,
                "apiVersion": entry.api_version, "time": entry.time,
                "fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_fields_v1()
            });
            if let Some(subresource) = entry.subresource {
                out["subresource"] = subresource.into();
            }
            out
        })
        .collect()
}

/// Records a write in `metadata.managedFields`: what it changed belongs to its manager now, and
/// nobody owns what is gone. An apply brings its own records.
pub fn track(
    kind: &Kind,
    object: &mut Value,
    existing: Option<&Arc<Value>>,
    ctx: &WriteContext,
    subresource: Option<&str>,
    applied: Option<AppliedSet>,
) {
    let entries = match applied {
        Some(applied) => applied.0,
        None => {
            let changes = changes(kind, existing.map(|e| &**e), object);
            if changes.written.is_empty() && changes.removed.is_empty() {
                return;
            }
            updated(entries(object), &changes, kind, ctx, subresource)
        }
    };
    if let Some(metadata) = object["metadata"].as_object_mut() {
        let list = encode(entries);
        if list.as_array().is_none_or(Vec::is_empty) {
            metadata.shift_remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), list);
        }
    }
}

fn updated(
    mut entries: Vec<Entry>,
    changes: &Changes,
    kind: &Kind,
    ctx: &WriteContext,
    subresource: Option<&str>,
) -> Vec<Entry> {
    let api_version = kind.api_version();
    let mine = |entry: &Entry| {
        entry.manager == ctx.manager
            && entry.operation == "Update"
            && entry.api_version == api_version
            && entry.subresource.as_deref() == subresource
    };
    for entry in &mut entries {
        entry.fields.subtract(&changes.removed);
        if !mine(entry) {
            entry.fields.subtract(&changes.written);
        }
    }
    match entries.iter_mut().find(|entry| mine(entry)) {
        Some(entry) => {
            entry.fields.union(&changes.written);
            // Also when it only gave a field it owns another value.
            entry.time = ctx.now_text();
        }
        None => entries.push(Entry {
            manager: ctx.manager.clone(),
            operation: "Update",
            api_version,
            time: ctx.now_text(),
            subresource: subresource.map(str::to_owned),
            fields: changes.written.clone(),
        }),
    }
    entries
}
