//! CustomResourceDefinitions: what they define is served like a built-in kind, from a schema of
//! its own. A definition that was seen once is kept for the life of the process, so that a kind is
//! always a plain reference; there are as many as there are different definitions.

mod columns;
mod fields;
mod validate;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::kinds::{Kind, Serving, Sub};
use super::status::FieldError;

pub use columns::Columns;
pub use validate::{default, validate};

/// What only a custom kind has.
#[derive(Debug, PartialEq, Eq)]
pub struct Custom {
    /// The name of its struct in the schema table.
    pub type_name: String,
    /// Its OpenAPI schema.
    pub schema: Value,
    pub columns: Columns,
    pub scale: Option<ScalePaths>,
}

/// Where a custom kind keeps what its scale shows, as JSON pointers.
#[derive(Debug, PartialEq, Eq)]
pub struct ScalePaths {
    pub spec: String,
    pub status: String,
    pub selector: Option<String>,
}

static KNOWN: LazyLock<Mutex<HashMap<String, &'static Kind>>> = LazyLock::new(Mutex::default);

/// The kinds a definition serves, one for each of its versions.
pub fn kinds_of(definition: &Value) -> Vec<&'static Kind> {
    if !definition["metadata"]["deletionTimestamp"].is_null() {
        return Vec::new();
    }
    let spec = &definition["spec"];
    let versions = spec["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| kind_of(spec, version))
        .collect()
}

/// One of the kinds of a definition, served or not, going or not: all share their objects.
pub fn defined_by(definition: &Value) -> Option<&'static Kind> {
    let spec = &definition["spec"];
    spec["versions"]
        .as_array()?
        .first()
        .map(|version| kind_of(spec, version))
}

/// The storage all versions of a definition share.
fn storage_of(spec: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    format!(
        "{}.{}",
        text(&spec["names"]["plural"]),
        text(&spec["group"])
    )
}

fn kind_of(spec: &Value, version: &Value) -> &'static Kind {
    let identity = json!([spec["group"], spec["scope"], spec["names"], version]).to_string();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kind) = known.get(&identity) {
        return kind;
    }
    let kind = define(spec, version, &identity);
    known.insert(identity, kind);
    kind
}

fn keep(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn text_of(value: &Value) -> &'static str {
    keep(value.as_str().unwrap_or(""))
}

fn list_of(list: &Value) -> &'static [&'static str] {
    let list = list.as_array().into_iter().flatten();
    Box::leak(list.map(text_of).collect::<Vec<_>>().into_boxed_slice())
}

fn define(spec: &Value, version: &Value, identity: &str) -> &'static Kind {
    let hash = hex::encode(Sha256::digest(identity.as_bytes()));
    let schema = version["schema"]["openAPIV3Schema"].clone();
    let names = &spec["names"];
    let paths = &version["subresources"]["scale"];
    let pointer = |field: &str| paths[field].as_str().map(|path| path.replace('.', "/"));
    let scale = pointer("specReplicasPath")
        .zip(pointer("statusReplicasPath"))
        .map(|(spec, status)| ScalePaths {
            spec,
            status,
            selector: pointer("labelSelectorPath"),
        });
    let mut subresources = Vec::new();
    if version["subresources"]["status"].is_object() {
        subresources.push(Sub::Status);
    }
    if scale.is_some() {
        subresources.push(Sub::Scale);
    }
    let custom = Custom {
        type_name: fields::register(&format!("custom.{}", &hash[..16]), &schema),
        columns: Columns::of(&version["additionalPrinterColumns"]),
        schema,
        scale,
    };
    Box::leak(Box::new(Kind {
        group: text_of(&spec["group"]),
        version: text_of(&version["name"]),
        kind: text_of(&names["kind"]),
        plural: text_of(&names["plural"]),
        singular: text_of(&names["singular"]),
        short_names: list_of(&names["shortNames"]),
        namespaced: spec["scope"] == "Namespaced",
        categories: list_of(&names["categories"]),
        subresources: Box::leak(subresources.into_boxed_slice()),
        storage: keep(&storage_of(spec)),
        serving: Serving::Stored,
        custom: Some(Box::leak(Box::new(custom))),
    }))
}

/// Completes a definition: names that follow from others, and the conditions of one whose names
/// nobody else has.
pub fn complete(definition: &mut Value, now: &str) {
    let spec = &mut definition["spec"];
    let kind = spec["names"]["kind"].as_str().unwrap_or("").to_owned();
    let missing = |value: &Value| value.as_str().unwrap_or("").is_empty();
    if missing(&spec["names"]["singular"]) {
        spec["names"]["singular"] = kind.to_lowercase().into();
    }
    if missing(&spec["names"]["listKind"]) {
        spec["names"]["listKind"] = format!("{kind}List").into();
    }
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({"strategy": "None"});
    }
    let names = spec["names"].clone();
    let versions = spec["versions"].as_array().into_iter().flatten();
    let storage = versions
        .clone()
        .find(|version| version["storage"] == true)
        .map_or(Value::Null, |version| version["name"].clone());
    if definition["status"]["conditions"].is_null() {
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": now
            })
        };
        definition["status"] = json!({
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "storedVersions": [storage]
        });
    } else if let Some(stored) = definition["status"]["storedVersions"].as_array_mut()
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
    definition["status"]["acceptedNames"] = names;
}

/// What is wrong with a definition.
pub fn check(definition: &Value, errors: &mut Vec<FieldError>) {
    let spec = &definition["spec"];
    let name = &definition["metadata"]["name"];
    if name.as_str() != Some(storage_of(spec).as_str()) {
        errors.push(FieldError::invalid(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    if !spec["group"]
        .as_str()
        .is_some_and(|group| group.contains('.'))
    {
        errors.push(FieldError::invalid(
            "spec.group",
            &spec["group"],
            "should be a domain with at least one dot",
        ));
    }
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    if versions
        .iter()
        .filter(|version| version["storage"] == true)
        .count()
        != 1
    {
        errors.push(FieldError::invalid(
            "spec.versions",
            &spec["versions"],
            "must have exactly one version marked as storage version",
        ));
    }
    for (at, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            errors.push(FieldError::required(
                format!("spec.versions[{at}].schema.openAPIV3Schema"),
                "schemas are required",
            ));
        }
    }
    if !matches!(spec["scope"].as_str(), Some("Namespaced" | "Cluster")) {
        errors.push(FieldError::not_supported(
            "spec.scope",
            &spec["scope"],
            &["Cluster", "Namespaced"],
        ));
    }
}
