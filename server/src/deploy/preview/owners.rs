//! Who set which field: `metadata.managedFields`, read.

use app::model::FieldOwner;
use serde_json::Value;

use super::path::{Path, Step};
use crate::adapters::kube::times::parse_rfc3339;

/// The records of one object.
#[derive(Clone, Debug, Default)]
pub struct Owners(Vec<Record>);

#[derive(Clone, Debug)]
struct Record {
    owner: FieldOwner,
    fields: Value,
}

impl Owners {
    pub fn of(object: &Value) -> Self {
        let list = object["metadata"]["managedFields"].as_array();
        Self(
            list.into_iter()
                .flatten()
                .map(|record| Record {
                    owner: FieldOwner {
                        manager: record["manager"].as_str().unwrap_or_default().to_owned(),
                        operation: record["operation"].as_str().unwrap_or_default().to_owned(),
                        at: record["time"].as_str().and_then(parse_rfc3339),
                    },
                    fields: record["fieldsV1"].clone(),
                })
                .collect(),
        )
    }

    /// Everybody who set this field or a part of it.
    pub fn holding(&self, path: &Path) -> Vec<FieldOwner> {
        self.0
            .iter()
            .filter(|record| holds(&record.fields, &path.0))
            .map(|record| record.owner.clone())
            .collect()
    }

    /// Who wrote last, leaving one manager out; for fields that are gone and have no owner.
    pub fn latest_but(&self, manager: &str) -> Option<FieldOwner> {
        self.0
            .iter()
            .map(|record| &record.owner)
            .filter(|owner| owner.manager != manager)
            .max_by_key(|owner| owner.at)
            .cloned()
    }

    /// The fields one manager applied, as `fieldsV1`.
    pub fn applied_by(&self, manager: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|record| record.owner.manager == manager && record.owner.operation == "Apply")
            .map(|record| &record.fields)
    }
}

fn holds(fields: &Value, path: &[Step]) -> bool {
    let Some(map) = fields.as_object() else {
        return false;
    };
    let Some((step, rest)) = path.split_first() else {
        return true;
    };
    // A field that is owned as a whole (an atomic list, a scalar) ends here.
    if map.is_empty() {
        return true;
    }
    match step {
        Step::Field(name) => map
            .get(&format!("f:{name}"))
            .is_some_and(|inner| holds(inner, rest)),
        Step::Place(at) => map
            .get(&format!("i:{at}"))
            .is_some_and(|inner| holds(inner, rest)),
        Step::Entry(keys) => map.iter().any(|(text, inner)| {
            text.strip_prefix("k:")
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
                .is_some_and(|of| {
                    keys.iter()
                        .all(|(key, value)| of.get(*key).is_none_or(|other| other == value))
                        && keys.iter().any(|(key, _)| of.get(*key).is_some())
                })
                && holds(inner, rest)
        }),
    }
}

/// The values an object has at the fields of a `fieldsV1`, as (path, value).
pub fn values_at(object: &Value, fields: &Value) -> Vec<(Path, Value)> {
    let mut found = Vec::new();
    collect(&Path::default(), object, fields, &mut found);
    found
}

fn collect(path: &Path, value: &Value, fields: &Value, found: &mut Vec<(Path, Value)>) {
    let Some(map) = fields.as_object() else {
        return;
    };
    let inner = map.iter().filter(|(text, _)| *text != ".");
    let mut is_leaf = true;
    for (text, fields) in inner {
        if let Some(name) = text.strip_prefix("f:") {
            is_leaf = false;
            if let Some(value) = value.get(name) {
                collect(&path.field(name), value, fields, found);
            }
        } else if let Some(keys) = text.strip_prefix("k:") {
            is_leaf = false;
            let Ok(Value::Object(keys)) = serde_json::from_str::<Value>(keys) else {
                continue;
            };
            let entry = value.as_array().into_iter().flatten().find(|entry| {
                keys.iter()
                    .all(|(key, wanted)| &entry[key.as_str()] == wanted)
            });
            if let Some(entry) = entry {
                let keys: Vec<(&'static str, Value)> = keys
                    .into_iter()
                    .filter_map(|(key, value)| Some((known_key(&key)?, value)))
                    .collect();
                if !keys.is_empty() {
                    collect(&path.then(Step::Entry(keys)), entry, fields, found);
                }
            }
        }
    }
    if is_leaf {
        found.push((path.clone(), value.clone()));
    }
}

/// The keys the API's lists are merged by.
pub fn known_key(key: &str) -> Option<&'static str> {
    const KNOWN: [&str; 14] = [
        "name",
        "mountPath",
        "devicePath",
        "containerPort",
        "protocol",
        "port",
        "ip",
        "type",
        "topologyKey",
        "whenUnsatisfiable",
        "uid",
        "key",
        "hostname",
        "resourceName",
    ];
    KNOWN.into_iter().find(|known| *known == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::UnixMillis;
    use serde_json::json;

    fn object() -> Value {
        json!({"metadata": {"name": "a", "managedFields": [
            {"manager": "slipway", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1":
                {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:image": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1":
                {"f:spec": {"f:replicas": {}, "f:args": {}}}}
        ]}, "spec": {"replicas": 3, "containers": [{"name": "app", "image": "a:1",
            "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}})
    }

    #[test]
    fn a_field_knows_who_set_it_and_when() {
        let owners = Owners::of(&object());
        let replicas = Path::default().field("spec").field("replicas");
        let found = owners.holding(&replicas);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].manager, "kubectl-edit");
        assert_eq!(found[0].at, Some(UnixMillis(1_767_312_000_000)));
        let image = Path::default()
            .field("spec")
            .field("containers")
            .then(Step::Entry(vec![("name", json!("app"))]))
            .field("image");
        assert_eq!(owners.holding(&image)[0].manager, "slipway");
        let atomic = Path::default()
            .field("spec")
            .field("args")
            .then(Step::Place(1));
        assert_eq!(owners.holding(&atomic)[0].manager, "kubectl-edit");
    }

    #[test]
    fn what_was_applied_is_read_back_by_its_fields() {
        let object = object();
        let owners = Owners::of(&object);
        let fields = owners.applied_by("slipway").expect("applied");
        let found: Vec<String> = values_at(&object, fields)
            .into_iter()
            .map(|(path, value)| format!("{path} {value}"))
            .collect();
        let base = ".spec.containers[name=app]";
        assert_eq!(
            found,
            [
                format!("{base}.name \"app\""),
                format!("{base}.image \"a:1\""),
                format!("{base}.ports[containerPort=80,protocol=TCP].containerPort 80"),
            ]
        );
    }
}
