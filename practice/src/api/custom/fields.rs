//! The fields of a custom kind, from its structural schema into the table all kinds share. What a
//! schema does not name is no field: it is pruned.

use serde_json::Value;

use crate::api::schema::{self, Field, Struct, Type};

/// Registers the struct of a kind and those inside it; answers the kind's.
pub fn register(name: &str, schema: &Value) -> String {
    let mut fields: Vec<Field> = properties(name, schema)
        .filter(|field| !matches!(field.name.as_str(), "apiVersion" | "kind" | "metadata"))
        .collect();
    let own = |name: &str, ty: Type| Field {
        name: name.to_owned(),
        ty,
        number: 0,
    };
    fields.insert(0, own("apiVersion", Type::String));
    fields.insert(1, own("kind", Type::String));
    fields.insert(
        2,
        own("metadata", Type::Struct("meta.v1.ObjectMeta".to_owned())),
    );
    if keeps_unknown(schema) {
        // Without names for them, the two fields every kind of ours has are kept as they are.
        for free in ["spec", "status"] {
            if !fields.iter().any(|field| field.name == free) {
                fields.push(own(free, Type::Any));
            }
        }
    }
    add(name, fields, false)
}

fn add(name: &str, fields: Vec<Field>, atomic: bool) -> String {
    schema::register(name.to_owned(), Struct { fields, atomic });
    name.to_owned()
}

fn keeps_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["x-kubernetes-embedded-resource"] == true
}

fn properties<'a>(name: &'a str, schema: &'a Value) -> impl Iterator<Item = Field> + 'a {
    let all = schema["properties"].as_object().into_iter().flatten();
    all.map(move |(field, inner)| Field {
        name: field.clone(),
        ty: type_of(&format!("{name}.{field}"), inner),
        number: 0,
    })
}

fn type_of(name: &str, schema: &Value) -> Type {
    if keeps_unknown(schema) {
        return Type::Any;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return Type::IntOrString;
    }
    match schema["type"].as_str() {
        Some("string") => Type::String,
        Some("integer") => Type::Integer,
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some("array") => {
            let item = Box::new(type_of(&format!("{name}.items"), &schema["items"]));
            match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array();
                    let keys = keys.into_iter().flatten();
                    let keys = keys.filter_map(Value::as_str).map(str::to_owned).collect();
                    Type::KeyedList(keys, item)
                }
                Some("set") => Type::Set(item),
                _ => Type::AtomicList(item),
            }
        }
        Some("object") => object(name, schema),
        _ => Type::Any,
    }
}

fn object(name: &str, schema: &Value) -> Type {
    let atomic = schema["x-kubernetes-map-type"] == "atomic";
    match &schema["additionalProperties"] {
        Value::Bool(true) => return Type::Any,
        inner @ Value::Object(_) => {
            let item = Box::new(type_of(&format!("{name}.values"), inner));
            return if atomic {
                Type::AtomicMap(item)
            } else {
                Type::Map(item)
            };
        }
        _ => {}
    }
    let fields = properties(name, schema).collect();
    Type::Struct(add(name, fields, atomic))
}
