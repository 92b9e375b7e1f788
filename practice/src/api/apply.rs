//! Server-side apply: an applied configuration is merged with the live object, fields it no longer
//! names are given up, and what others own is a conflict unless it is forced.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fieldset::FieldSet;
use super::managed::{self, AppliedSet, Entry};
use super::objects::{self, WriteContext};
use super::request::Target;
use super::schema;
use super::status::StatusError;
use super::store::Transaction;
use super::typed;

/// Applies a configuration that was already accepted for the kind; the flag says whether the object was created.
pub fn apply(
    txn: &mut Transaction<'_>,
    target: &Target,
    mut config: Value,
    ctx: &WriteContext,
    force: bool,
) -> Result<(Arc<Value>, bool), StatusError> {
    let kind = target.kind;
    let name = target.name()?.to_owned();
    let metadata = &config["metadata"];
    if metadata["managedFields"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
    {
        return Err(StatusError::bad_request(
            "metadata.managedFields must be nil",
        ));
    }
    if let Some(other) = metadata["name"]
        .as_str()
        .filter(|n| !n.is_empty() && *n != name)
    {
        return Err(StatusError::bad_request(format!(
            "the name of the object ({other}) does not match the name on the URL ({name})"
        )));
    }
    config["metadata"]["name"] = name.clone().into();
    objects::settle_namespace(target, &mut config)?;
    typed::without_nulls(&mut config);
    reset(target, &mut config);

    let ty = schema::type_of(kind);
    let mut set = typed::fields_of(&ty, &config);
    managed::strip(&mut set);
    let mine = |entry: &Entry| {
        entry.manager == ctx.manager
            && entry.operation == "Apply"
            && entry.subresource.as_deref() == target.subresource.as_deref()
    };
    let own = |time: String, fields: FieldSet| Entry {
        manager: ctx.manager.clone(),
        operation: "Apply",
        api_version: kind.api_version(),
        time,
        subresource: target.subresource.clone(),
        fields,
    };
    let Some(live) = txn.get(kind, target.ns(), &name) else {
        if target.subresource.is_some() {
            return Err(StatusError::not_found(&kind.resource(), &name));
        }
        if config["metadata"]["uid"].is_string() {
            return Err(StatusError::conflict(
                &kind.resource(),
                &name,
                "uid mismatch: the provided object specified uid, and no existing object was found",
            ));
        }
        let create = Target {
            name: None,
            ..target.clone()
        };
        let entries = AppliedSet(vec![own(ctx.now_text(), set)]);
        let created = objects::create(txn, &create, config, ctx, Some(entries))?;
        return Ok((created, true));
    };

    let before = managed::entries(&live);
    let mut merged = typed::merge(&ty, Some(&live), &config);
    let changed = managed::changes(kind, Some(&live), &merged);
    let conflicts: Vec<(&Entry, FieldSet)> = before
        .iter()
        .filter(|entry| !mine(entry))
        .map(|entry| (entry, entry.fields.intersection(&changed.written)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflict_error(&conflicts));
    }

    let mut others: Vec<Entry> = before
        .iter()
        .filter(|entry| !mine(entry))
        .cloned()
        .collect();
    for entry in &mut others {
        entry.fields.subtract(&changed.written);
    }
    let last = before.iter().find(|entry| mine(entry));
    if let Some(last) = last {
        let mut keep = set.clone();
        for entry in &others {
            keep.union(&entry.fields);
        }
        typed::prune(&ty, &mut merged, &last.fields, &keep);
    }
    let gone = managed::changes(kind, Some(&live), &merged).removed;
    for entry in &mut others {
        entry.fields.subtract(&gone);
    }
    let time = match last {
        Some(last) if last.fields == set => last.time.clone(),
        _ => ctx.now_text(),
    };
    let mut entries = others;
    entries.push(own(time, set));
    let updated = objects::update(txn, target, &live, merged, ctx, Some(AppliedSet(entries)))?;
    Ok((updated, false))
}

/// Leaves only what this endpoint writes.
fn reset(target: &Target, config: &mut Value) {
    if target.subresource.as_deref() == Some("status") {
        let status = config["status"].take();
        let metadata = json!({
            "name": config["metadata"]["name"], "namespace": config["metadata"]["namespace"]
        });
        *config = json!({"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": metadata});
        typed::without_nulls(config);
        if !status.is_null() {
            config["status"] = status;
        }
    } else if target.kind.has(super::kinds::Sub::Status)
        && let Some(fields) = config.as_object_mut()
    {
        fields.shift_remove("status");
    }
}

fn conflict_error(conflicts: &[(&Entry, FieldSet)]) -> StatusError {
    let mut causes = Vec::new();
    let mut grouped: Vec<(String, Vec<String>)> = Vec::new();
    for (entry, fields) in conflicts {
        let manager = describe(entry);
        let paths = fields.paths();
        for path in &paths {
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {manager}"),
                "field": path
            }));
        }
        grouped.push((manager, paths));
    }
    grouped.sort();
    let message = match grouped.as_slice() {
        [(manager, paths)] if paths.len() == 1 => {
            format!(
                "Apply failed with 1 conflict: conflict with {manager}: {}",
                paths[0]
            )
        }
        groups => {
            let mut lines = Vec::new();
            for (manager, paths) in groups {
                lines.push(format!("conflicts with {manager}:"));
                lines.extend(paths.iter().map(|path| format!("- {path}")));
            }
            format!(
                "Apply failed with {} conflicts: {}",
                causes.len(),
                lines.join("\n")
            )
        }
    };
    let details = Some(json!({"causes": causes}));
    StatusError {
        details,
        ..StatusError::new(409, "Conflict", message)
    }
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("\"{}\"", entry.manager);
    if let Some(subresource) = &entry.subresource {
        text.push_str(&format!(" with subresource \"{subresource}\""));
    }
    if entry.operation == "Update" {
        text.push_str(&format!(" using {}", entry.api_version));
        if !entry.time.is_empty() {
            text.push_str(&format!(" at {}", entry.time));
        }
    }
    text
}
