//! The schema of the served kinds: which fields a type has, how their lists and maps are merged
//! and their protobuf numbers. The table is generated (`generate.py`) and read once.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, PoisonError, RwLock};

use serde_json::Value;

use super::kinds::Kind;

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// Anything goes, and it is one value.
    Any,
    /// Another struct of the table.
    Struct(String),
    /// A list that is one value.
    AtomicList(Box<Type>),
    /// A list without order or repetition.
    Set(Box<Type>),
    /// A list of structs with these keys.
    KeyedList(Vec<String>, Box<Type>),
    Map(Box<Type>),
    /// A map that is one value.
    AtomicMap(Box<Type>),
}

/// One field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    /// Protobuf number; embedded messages count times 1000; 0 for none.
    pub number: u32,
}

/// One struct.
#[derive(Clone, Debug)]
pub struct Struct {
    pub fields: Vec<Field>,
    /// Applied as a whole.
    pub atomic: bool,
}

impl Struct {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

static TABLE: LazyLock<HashMap<String, Struct>> = LazyLock::new(|| {
    let table: Value =
        serde_json::from_str(include_str!("types.json")).expect("the generated table is JSON");
    let names = |value: &Value| -> HashSet<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let atomic = names(&table["atomic"]);
    let types = table["types"]
        .as_object()
        .expect("the generated table has types");
    types
        .iter()
        .map(|(name, fields)| {
            let fields = fields.as_array().into_iter().flatten().map(field).collect();
            (
                name.clone(),
                Struct {
                    fields,
                    atomic: atomic.contains(name),
                },
            )
        })
        .collect()
});

fn field(row: &Value) -> Field {
    Field {
        name: row[0].as_str().unwrap_or("").to_owned(),
        ty: parse(row[1].as_str().unwrap_or("")),
        number: row[2]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
    }
}

fn parse(text: &str) -> Type {
    let inner = |rest: &str| Box::new(parse(rest));
    match text.split_at_checked(1) {
        Some(("s", _)) => Type::String,
        Some(("i", _)) => Type::Integer,
        Some(("n", _)) => Type::Number,
        Some(("b", _)) => Type::Boolean,
        Some(("B", _)) => Type::Bytes,
        Some(("t", _)) => Type::Time,
        Some(("T", _)) => Type::MicroTime,
        Some(("q", _)) => Type::Quantity,
        Some(("o", _)) => Type::IntOrString,
        Some(("@", name)) => Type::Struct(name.to_owned()),
        Some(("[", rest)) => Type::AtomicList(inner(rest)),
        Some(("{", rest)) => Type::Set(inner(rest)),
        Some(("<", rest)) => {
            let (keys, rest) = rest.split_once('>').unwrap_or(("", rest));
            Type::KeyedList(keys.split(',').map(str::to_owned).collect(), inner(rest))
        }
        Some(("M", rest)) => Type::Map(inner(rest)),
        Some(("A", rest)) => Type::AtomicMap(inner(rest)),
        _ => Type::Any,
    }
}

/// The structs of custom kinds, by names that begin with `custom.`.
static CUSTOM: LazyLock<RwLock<HashMap<String, &'static Struct>>> = LazyLock::new(RwLock::default);

/// Adds a struct of a custom kind; one that is known already stays.
pub fn register(name: String, of: Struct) {
    let mut all = CUSTOM.write().unwrap_or_else(PoisonError::into_inner);
    all.entry(name).or_insert_with(|| Box::leak(Box::new(of)));
}

/// A struct of the table.
pub fn get(name: &str) -> Option<&'static Struct> {
    if name.starts_with("custom.") {
        let all = CUSTOM.read().unwrap_or_else(PoisonError::into_inner);
        return all.get(name).copied();
    }
    TABLE.get(name)
}

/// All structs, in no order.
#[cfg(test)]
fn all() -> impl Iterator<Item = (&'static String, &'static Struct)> {
    TABLE.iter()
}

/// The table's name of a kind's struct.
pub fn name_of(kind: &Kind) -> String {
    if let Some(custom) = kind.custom {
        return custom.type_name.clone();
    }
    of_group_version_kind(kind.group, kind.version, kind.kind)
}

/// The table's name of a struct by group, version and kind.
pub fn of_group_version_kind(group: &str, version: &str, kind: &str) -> String {
    let package = match group {
        "" => "core",
        other => other.split('.').next().unwrap_or(other),
    };
    format!("{package}.{version}.{kind}")
}

/// The type of a kind's stored objects.
pub fn type_of(kind: &Kind) -> Type {
    let stored = super::kinds::by_storage(kind.storage).filter(|_| kind.custom.is_none());
    Type::Struct(name_of(stored.unwrap_or(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::{KINDS, Serving};

    #[test]
    fn every_served_kind_has_a_struct_with_metadata() {
        // Nobody writes what is measured.
        let written = |kind: &&Kind| kind.serving != Serving::Measured;
        for kind in KINDS.iter().filter(written) {
            let found =
                get(&name_of(kind)).unwrap_or_else(|| panic!("{} is missing", name_of(kind)));
            assert!(found.field("metadata").is_some(), "{}", kind.kind);
        }
    }

    #[test]
    fn every_named_struct_exists_and_has_numbers() {
        fn names(ty: &Type, out: &mut Vec<String>) {
            match ty {
                Type::Struct(name) => out.push(name.clone()),
                Type::AtomicList(t)
                | Type::Set(t)
                | Type::KeyedList(_, t)
                | Type::Map(t)
                | Type::AtomicMap(t) => names(t, out),
                _ => {}
            }
        }
        for (name, found) in all() {
            for field in &found.fields {
                let mut used = Vec::new();
                names(&field.ty, &mut used);
                assert!(
                    used.iter().all(|n| get(n).is_some()),
                    "{name}.{}",
                    field.name
                );
                if !matches!(field.name.as_str(), "apiVersion" | "kind") {
                    assert_ne!(field.number, 0, "{name}.{}", field.name);
                }
            }
        }
    }

    #[test]
    fn lists_know_their_keys() {
        let container = get("core.v1.Container").expect("in the table");
        let ports = &container.field("ports").expect("a field").ty;
        assert!(
            matches!(ports, Type::KeyedList(keys, _) if *keys == ["containerPort", "protocol"])
        );
    }
}
