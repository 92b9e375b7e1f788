//! Walks over objects along their schema: which fields there are, what changed between two
//! states, merging an applied configuration and pruning what it no longer names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fieldset::{Element, FieldSet};
use super::schema::{self, Type};

/// How a value is taken apart.
enum Shape<'t> {
    /// One value.
    Whole,
    /// Named fields, each with its type.
    Fields(&'t Type),
    Keyed(&'t [String], &'t Type),
    Set,
}

fn shape(ty: &Type) -> Shape<'_> {
    match ty {
        Type::Struct(name) => match schema::get(name) {
            Some(found) if !found.atomic => Shape::Fields(ty),
            _ => Shape::Whole,
        },
        Type::Map(_) => Shape::Fields(ty),
        Type::KeyedList(keys, item) => Shape::Keyed(keys, item),
        Type::Set(_) => Shape::Set,
        _ => Shape::Whole,
    }
}

/// The type of a field of a struct or map; unknown fields are one value.
pub fn field_type<'t>(ty: &'t Type, name: &str) -> &'t Type {
    match ty {
        Type::Map(item) | Type::AtomicMap(item) => item,
        Type::Struct(of) => schema::get(of)
            .and_then(|s| s.field(name))
            .map_or(&Type::Any, |f| &f.ty),
        _ => &Type::Any,
    }
}

/// The path element of an item of a keyed list.
fn key_of(keys: &[String], item: &Value) -> Element {
    let value = |key: &String| match (key.as_str(), item.get(key)) {
        // The one key field with a default.
        ("protocol", None | Some(Value::Null)) => "\"TCP\"".to_owned(),
        (_, value) => value.unwrap_or(&Value::Null).to_string(),
    };
    Element::Key(keys.iter().map(|key| (key.clone(), value(key))).collect())
}

fn element_of(shape: &Shape<'_>, item: &Value) -> Element {
    match shape {
        Shape::Keyed(keys, _) => key_of(keys, item),
        _ => Element::Value(item.to_string()),
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The fields an applied configuration names.
pub fn fields_of(ty: &Type, value: &Value) -> FieldSet {
    let mut out = FieldSet::default();
    match (shape(ty), value) {
        (Shape::Fields(ty), Value::Object(fields)) if !fields.is_empty() => {
            for (name, field) in fields {
                let set = fields_of(field_type(ty, name), field);
                out.children.insert(Element::Field(name.clone()), set);
            }
        }
        (Shape::Keyed(keys, item_type), Value::Array(list)) if !list.is_empty() => {
            for item in list {
                let mut set = fields_of(item_type, item);
                set.member = true;
                out.children.insert(key_of(keys, item), set);
            }
        }
        (Shape::Set, Value::Array(list)) if !list.is_empty() => {
            for item in list {
                out.children
                    .insert(Element::Value(item.to_string()), FieldSet::leaf());
            }
        }
        _ => out.member = true,
    }
    out
}

/// What changed from one state to another.
#[derive(Debug, Default)]
pub struct Changes {
    /// Fields that were added or got another value.
    pub written: FieldSet,
    pub removed: FieldSet,
}

/// Structs that are always there in the typed object, so that adding them is no change.
const ALWAYS_THERE: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "template",
    "strategy",
    "updateStrategy",
    "resources",
];

/// Compares two states.
pub fn compare(ty: &Type, old: Option<&Value>, new: Option<&Value>) -> Changes {
    let mut changes = Changes::default();
    walk(ty, old, new, &mut changes.written, &mut changes.removed);
    changes
}

fn walk(
    ty: &Type,
    old: Option<&Value>,
    new: Option<&Value>,
    written: &mut FieldSet,
    removed: &mut FieldSet,
) {
    if old == new {
        return;
    }
    let is_empty = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    let how = shape(ty);
    if matches!(how, Shape::Whole) || (is_empty(old) && is_empty(new)) {
        if new.is_none() {
            removed.member = true
        } else {
            written.member = true
        }
        return;
    }
    // A list or map that comes or goes is itself a field that comes or goes.
    if old.is_none() {
        written.member = true;
    } else if new.is_none() {
        removed.member = true;
    }
    match how {
        Shape::Whole => {}
        Shape::Fields(ty) => {
            let empty = Map::new();
            let fields = |value: Option<&Value>| -> BTreeSet<String> {
                value
                    .and_then(Value::as_object)
                    .unwrap_or(&empty)
                    .keys()
                    .cloned()
                    .collect()
            };
            for name in fields(old).union(&fields(new)) {
                let (before, after) =
                    (old.and_then(|v| v.get(name)), new.and_then(|v| v.get(name)));
                if before == after {
                    continue;
                }
                let element = Element::Field(name.clone());
                let (mut w, mut r) = (FieldSet::default(), FieldSet::default());
                let inner = field_type(ty, name);
                walk(inner, before, after, &mut w, &mut r);
                if ALWAYS_THERE.contains(&name.as_str())
                    && matches!(inner, Type::Struct(_))
                    && !w.children.is_empty()
                {
                    w.member = false;
                }
                keep(written, &element, w);
                keep(removed, &element, r);
            }
        }
        Shape::Keyed(..) | Shape::Set => {
            let item_type = if let Shape::Keyed(_, item) = how {
                item
            } else {
                &Type::Any
            };
            let index = |value: Option<&Value>| -> BTreeMap<Element, Value> {
                items(value)
                    .iter()
                    .map(|item| (element_of(&how, item), item.clone()))
                    .collect()
            };
            let (before, after) = (index(old), index(new));
            let all: BTreeSet<&Element> = before.keys().chain(after.keys()).collect();
            for element in all {
                let (mut w, mut r) = (FieldSet::default(), FieldSet::default());
                walk(
                    item_type,
                    before.get(element),
                    after.get(element),
                    &mut w,
                    &mut r,
                );
                keep(written, element, w);
                keep(removed, element, r);
            }
        }
    }
}

fn keep(into: &mut FieldSet, element: &Element, set: FieldSet) {
    if !set.is_empty() {
        into.children.insert(element.clone(), set);
    }
}

/// Lays an applied configuration over the live state.
pub fn merge(ty: &Type, live: Option<&Value>, applied: &Value) -> Value {
    match (shape(ty), live, applied) {
        (Shape::Fields(ty), Some(Value::Object(live)), Value::Object(applied)) => {
            let mut out = live.clone();
            for (name, value) in applied {
                let merged = merge(field_type(ty, name), live.get(name), value);
                out.insert(name.clone(), merged);
            }
            Value::Object(out)
        }
        (
            how @ (Shape::Keyed(..) | Shape::Set),
            Some(Value::Array(live)),
            Value::Array(applied),
        ) => Value::Array(merge_lists(&how, live, applied)),
        _ => applied.clone(),
    }
}

/// Items keep the order of the applied list; items only the live list has stay where they were.
fn merge_lists(how: &Shape<'_>, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let item_type = if let Shape::Keyed(_, item) = how {
        item
    } else {
        &Type::Any
    };
    let wanted: BTreeSet<Element> = applied.iter().map(|item| element_of(how, item)).collect();
    let current: BTreeMap<Element, &Value> = live
        .iter()
        .map(|item| (element_of(how, item), item))
        .collect();
    let mut out = Vec::with_capacity(live.len().max(applied.len()));
    let mut rest = live.iter().peekable();
    for item in applied {
        let element = element_of(how, item);
        while let Some(next) = rest.next_if(|next| !wanted.contains(&element_of(how, next))) {
            out.push(next.clone());
        }
        // The live item in step with this one was matched by some applied item.
        if current.contains_key(&element) {
            rest.next();
        }
        out.push(merge(item_type, current.get(&element).copied(), item));
    }
    out.extend(
        rest.filter(|next| !wanted.contains(&element_of(how, next)))
            .cloned(),
    );
    out
}

/// Removes what `last` named and nobody in `keep` names any more.
pub fn prune(ty: &Type, value: &mut Value, last: &FieldSet, keep: &FieldSet) {
    match (shape(ty), value) {
        (Shape::Fields(ty), Value::Object(fields)) => {
            for (element, below) in &last.children {
                let Element::Field(name) = element else {
                    continue;
                };
                match keep.children.get(element) {
                    None => {
                        fields.shift_remove(name);
                    }
                    Some(kept) => {
                        if let Some(field) = fields.get_mut(name) {
                            let had = !is_hollow(field);
                            prune(field_type(ty, name), field, below, kept);
                            if had && is_hollow(field) && !kept.member {
                                fields.shift_remove(name);
                            }
                        }
                    }
                }
            }
        }
        (how @ (Shape::Keyed(..) | Shape::Set), Value::Array(list)) => {
            let item_type = if let Shape::Keyed(_, item) = how {
                item
            } else {
                &Type::Any
            };
            list.retain_mut(|item| {
                let element = element_of(&how, item);
                let Some(below) = last.children.get(&element) else {
                    return true;
                };
                let Some(kept) = keep.children.get(&element) else {
                    return false;
                };
                prune(item_type, item, below, kept);
                true
            });
        }
        _ => {}
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Takes `null` fields out of a configuration: they name nothing.
pub fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
