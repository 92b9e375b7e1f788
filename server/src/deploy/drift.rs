//! What is no longer as it was applied. After every apply the values of the fields that are ours
//! are written down, as keyed fingerprints and as they may be shown; later the live objects are
//! compared with them. No dry run is needed, so this is cheap enough to do all the time.

use std::collections::BTreeMap;

use app::model::{DriftedObject, FieldChange, FieldOwner, PanelEvent};
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DeployRoom;
use super::identity::{APPLIED_AT, REVISION};
use super::inventory::Owned;
use super::preview::key;
use super::preview::mask::Mask;
use super::preview::object_diff::shown;
use super::preview::owners::{Owners, known_key, values_at};
use super::preview::path::{Path, Step};
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::apply::{api, get};
use crate::adapters::kube::client::KubeError;
use crate::cluster::Connected;
use crate::engine::redact::Redactor;
use crate::secrets::fingerprint::{FINGERPRINT_ANNOTATION, FingerprintKey};

/// An object as it was applied last: the fields that were ours then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Applied {
    kind: String,
    name: String,
    fields: Vec<AppliedField>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AppliedField {
    path: Vec<Stored>,
    /// Masked where it could be a secret.
    shown: String,
    fingerprint: String,
}

/// A [`Step`] as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stored {
    Field(String),
    Entry(BTreeMap<String, Value>),
}

/// What was found at one reading of an object: good until it or what was applied changes.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    resource_version: String,
    fact: String,
    drifted: Option<DriftedObject>,
}

/// By object key.
pub(super) type SeenObjects = tokio::sync::Mutex<BTreeMap<String, Seen>>;

impl Applied {
    /// From the API server's answer to an apply; none when nothing of it is ours.
    fn from_answer(object: &Value, print: &FingerprintKey, redactor: &Redactor) -> Option<Self> {
        let owners = Owners::of(object);
        let mask = Mask::of(object);
        let fields = values_at(object, owners.applied_by(FIELD_MANAGER)?)
            .into_iter()
            // A restart for changed secrets writes the fingerprint anew.
            .filter(|(path, _)| {
                !matches!(
                    path.last_field(),
                    Some(REVISION | APPLIED_AT | FINGERPRINT_ANNOTATION)
                )
            })
            .filter_map(|(path, value)| {
                Some(AppliedField {
                    path: stored(&path)?,
                    shown: redactor.redact(&shown(mask, &path, &value)).into_owned(),
                    fingerprint: fingerprint(print, &path, &value),
                })
            })
            .collect();
        Some(Self {
            kind: text(&object["kind"]),
            name: text(&object["metadata"]["name"]),
            fields,
        })
    }

    /// None when everything is as it was applied. `live` is none when the object is gone.
    fn compare(
        &self,
        key: &str,
        live: Option<&Value>,
        print: &FingerprintKey,
        redactor: &Redactor,
    ) -> Option<DriftedObject> {
        let mut drifted = DriftedObject {
            key: key.to_owned(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            deleted: live.is_none(),
            fields: Vec::new(),
            more_fields: 0,
        };
        let Some(live) = live else {
            return Some(drifted);
        };
        let (owners, mask) = (Owners::of(live), Mask::of(live));
        for field in &self.fields {
            let path = path_of(&field.path);
            let now = find(live, &field.path);
            if now.is_some_and(|now| fingerprint(print, &path, now) == field.fingerprint) {
                continue;
            }
            if drifted.fields.len() >= DriftedObject::FIELDS {
                drifted.more_fields += 1;
                continue;
            }
            drifted.fields.push(FieldChange {
                path: path.to_string(),
                before: Some(field.shown.clone()),
                after: now.map(|now| redactor.redact(&shown(mask, &path, now)).into_owned()),
                owners: who(&owners, &path, now.is_some()),
            });
        }
        (!drifted.fields.is_empty()).then_some(drifted)
    }
}

/// A field that is gone has no owner: then it is whoever wrote last.
fn who(owners: &Owners, path: &Path, is_there: bool) -> Vec<FieldOwner> {
    let mut holding: Vec<FieldOwner> = if is_there {
        owners.holding(path)
    } else {
        Vec::new()
    };
    holding.retain(|owner| owner.manager != FIELD_MANAGER);
    if holding.is_empty() {
        holding.extend(owners.latest_but(FIELD_MANAGER));
    }
    holding
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn fingerprint(print: &FingerprintKey, path: &Path, value: &Value) -> String {
    print.of(&path.to_string(), value.to_string().as_bytes())
}

/// None for a path by places, which server-side apply never has.
fn stored(path: &Path) -> Option<Vec<Stored>> {
    path.0
        .iter()
        .map(|step| match step {
            Step::Field(name) => Some(Stored::Field(name.clone())),
            Step::Entry(keys) => Some(Stored::Entry(
                keys.iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone()))
                    .collect(),
            )),
            Step::Place(_) => None,
        })
        .collect()
}

fn path_of(steps: &[Stored]) -> Path {
    let steps = steps.iter().map(|step| match step {
        Stored::Field(name) => Step::Field(name.clone()),
        Stored::Entry(keys) => Step::Entry(
            keys.iter()
                .filter_map(|(key, value)| Some((known_key(key)?, value.clone())))
                .collect(),
        ),
    });
    Path(steps.collect())
}

fn find<'a>(value: &'a Value, path: &[Stored]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Stored::Field(name) => value.get(name),
        Stored::Entry(keys) => value.as_array()?.iter().find(|entry| {
            keys.iter()
                .all(|(key, wanted)| entry.get(key) == Some(wanted))
        }),
    })
}

impl DeployRoom {
    fn applied_scope(&self, connected: &Connected) -> String {
        format!("applied {}", self.place(connected))
    }

    /// Writes down what was applied, from the API server's answer.
    pub(super) fn remember_applied(&self, connected: &Connected, answer: &Value) {
        let print = self.secrets.fingerprint_key();
        let Some(applied) = Applied::from_answer(answer, print, &self.core.redactor) else {
            return;
        };
        let key = key(answer, &text(&answer["metadata"]["namespace"]));
        // Serializing a plain structure cannot fail.
        let fact = serde_json::to_string(&applied).unwrap_or_default();
        let scope = self.applied_scope(connected);
        self.core.journal.put_fact(&scope, &key, &fact);
    }

    /// An object that was removed on purpose is not missed.
    pub(super) fn forget_applied(&self, connected: &Connected, owned: &Owned) {
        let namespace = text(&owned.object["metadata"]["namespace"]);
        let scope = self.applied_scope(connected);
        let version = &owned.served.resource.api_version;
        let parts = [version.as_str(), owned.kind(), &namespace, owned.name()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.core.journal.delete_fact(&scope, &parts.join("/"));
    }

    /// Compares what was applied with what is there, and says so. `there` is what the namespace has.
    pub(super) async fn look_for_drift(
        &self,
        connected: &Connected,
        there: &[Owned],
    ) -> Result<(), KubeError> {
        let facts = self.core.journal.facts_of(&self.applied_scope(connected));
        // Nothing was applied from here: nobody can tell.
        if facts.is_empty() {
            return Ok(());
        }
        let mut seen = self.seen.lock().await;
        seen.retain(|key, _| facts.contains_key(key));
        let mut all = Vec::new();
        for (key, fact) in facts {
            let Ok(applied) = serde_json::from_str::<Applied>(&fact) else {
                continue;
            };
            let owned = there
                .iter()
                .find(|owned| owned.kind() == applied.kind && owned.name() == applied.name);
            let version = owned
                .map(|owned| text(&owned.object["metadata"]["resourceVersion"]))
                .unwrap_or_default();
            let known = seen
                .get(&key)
                .filter(|seen| seen.resource_version == version && seen.fact == fact);
            let drifted = match known {
                Some(seen) => seen.drifted.clone(),
                None => {
                    let live = match owned {
                        Some(owned) => read(&connected.client, owned).await?,
                        // Kinds outside the namespace are not in the inventory.
                        None if !key.contains(&format!("/{}/", self.project.spec().namespace)) => {
                            continue;
                        }
                        None => None,
                    };
                    let print = self.secrets.fingerprint_key();
                    applied.compare(&key, live.as_ref(), print, &self.core.redactor)
                }
            };
            all.extend(drifted.clone());
            let found = Seen {
                resource_version: version,
                fact,
                drifted,
            };
            seen.insert(key, found);
        }
        connected.voice.publish(PanelEvent::Drift(all));
        Ok(())
    }
}

async fn read(client: &Client, owned: &Owned) -> Result<Option<Value>, KubeError> {
    let namespace = text(&owned.object["metadata"]["namespace"]);
    get(&api(client, &owned.served, &namespace), owned.name()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n",
            "annotations": {REVISION: "3"}, "managedFields": [
            {"manager": "slipway", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1":
                {"f:metadata": {"f:annotations": {"f:slipway.dev/revision": {}}},
                 "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:image": {},
                    "f:env": {"k:{\"name\":\"API_TOKEN\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}]},
            "spec": {"replicas": 2, "containers": [{"name": "app", "image": "a:1", "env": [{"name": "API_TOKEN", "value": "hunter2-hunter2"}]}]}})
    }

    fn compare(change: impl FnOnce(&mut Value)) -> Option<DriftedObject> {
        let print = FingerprintKey::random();
        let redactor = Redactor::default();
        let applied = Applied::from_answer(&object(), &print, &redactor).expect("ours");
        let fact = serde_json::to_string(&applied).expect("JSON");
        assert!(
            !fact.contains("hunter2"),
            "no value that looks like a secret is written down"
        );
        let applied: Applied = serde_json::from_str(&fact).expect("it can be read back");
        let mut live = object();
        change(&mut live);
        applied.compare("k", Some(&live), &print, &redactor)
    }

    #[test]
    fn a_field_changed_behind_our_back_is_told_with_who_did_it() {
        assert_eq!(compare(|_| {}), None);
        let drifted = compare(|live| {
            live["spec"]["replicas"] = json!(5);
            let edit = json!({"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:replicas": {}}}});
            live["metadata"]["managedFields"].as_array_mut().expect("a list").push(edit);
        })
        .expect("it drifted");
        let [field] = drifted.fields.as_slice() else {
            panic!("one field: {drifted:?}");
        };
        assert_eq!(field.path, ".spec.replicas");
        assert_eq!(
            (field.before.as_deref(), field.after.as_deref()),
            (Some("2"), Some("5"))
        );
        assert_eq!(field.owners[0].manager, "kubectl-edit");
    }

    #[test]
    fn what_is_gone_and_what_is_secret_are_told_without_the_value() {
        let gone = compare(|live| {
            live["spec"]["containers"][0]
                .as_object_mut()
                .expect("a map")
                .remove("image");
        })
        .expect("it drifted");
        assert_eq!(gone.fields[0].after, None);
        let secret = compare(|live| {
            live["spec"]["containers"][0]["env"][0]["value"] = json!("another-secret-1");
        })
        .expect("it drifted");
        let shown = format!("{secret:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("another-secret"),
            "{shown}"
        );
    }

    #[test]
    fn fields_nobody_applied_are_no_drift() {
        assert_eq!(compare(|live| live["spec"]["paused"] = json!(true)), None);
        assert_eq!(
            compare(|live| live["metadata"]["annotations"][REVISION] = json!("9")),
            None
        );
    }
}
