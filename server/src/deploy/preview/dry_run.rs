//! Asks the API server about one object: as it is, and as it would be.

use std::collections::BTreeMap;

use app::model::{FieldConflict, FieldOwner, PlanChoices, PlannedObject};
use kube::Client;
use serde_json::Value;

use super::diff::leaves;
use super::helm_patch::{has_strategic_merge, three_way};
use super::mask::Mask;
use super::object_diff::{named_owner, shown};
use super::owners::Owners;
use super::path::Path;
use super::refusal::{Refusal, refusal};
use super::{Applier, Desired, NamespaceState, key, kind_unknown};
use crate::adapters::kube::apply::{
    Applying, Conflict, api, apply_as, conflicts, dry_run_create, dry_run_patch, get,
};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Served;
use crate::deploy::words;

/// A namespace that is always there: objects of one that is not are tried in it.
const STAND_IN: &str = "default";

/// What was found out about an object.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// `Null` when it is not there.
    pub live: Value,
    /// None when nobody could be asked.
    pub after: Option<Value>,
    pub conflicts: Vec<FieldConflict>,
    pub chosen: bool,
    /// A person chose to have it deleted and made anew.
    pub replaced: bool,
    pub refusal: Option<Refusal>,
}

pub(super) struct Asker<'a, F> {
    pub client: &'a Client,
    pub applier: &'a Applier,
    pub choices: &'a PlanChoices,
    pub rooms: &'a BTreeMap<String, NamespaceState>,
    /// Whether the same plan brings a kind (given the object) or a namespace (given its name).
    pub made_here: F,
}

impl<F: Fn(&Value) -> bool> Asker<'_, F> {
    pub async fn look(
        &self,
        desired: &Desired,
        served: Option<&Served>,
        namespace: &str,
    ) -> Result<Seen, KubeError> {
        let Some(served) = served else {
            let known_soon = (self.made_here)(&desired.object);
            return Ok(Seen {
                refusal: (!known_soon).then(|| Refusal::plain(kind_unknown(desired))),
                ..Seen::default()
            });
        };
        match self.rooms.get(namespace) {
            Some(NamespaceState::Missing) => self.try_elsewhere(desired, served, namespace).await,
            Some(NamespaceState::Terminating) => Ok(Seen {
                refusal: Some(Refusal::plain(words::namespace_terminating(namespace))),
                ..Seen::default()
            }),
            Some(NamespaceState::Active) | None => self.ask(desired, served, namespace).await,
        }
    }

    /// Its namespace is not there yet, so it is tried as a new object in one that is: what is wrong
    /// with the object itself shows there too.
    async fn try_elsewhere(
        &self,
        desired: &Desired,
        served: &Served,
        namespace: &str,
    ) -> Result<Seen, KubeError> {
        if !(self.made_here)(&Value::from(namespace)) {
            return Ok(Seen {
                refusal: Some(Refusal::plain(words::namespace_missing(
                    &desired.object,
                    namespace,
                ))),
                ..Seen::default()
            });
        }
        let mut object = desired.object.clone();
        object["metadata"]["namespace"] = STAND_IN.into();
        let api = api(self.client, served, STAND_IN);
        match dry_run_create(&api, &object, self.applier.manager()).await {
            Err(error) if error.is_unreachable() => Err(error),
            // Only what is wrong with the object itself holds for its own namespace as well.
            Err(error) if matches!(error.code(), Some(400 | 422)) => Ok(Seen {
                refusal: Some(refusal(desired, &error)),
                ..Seen::default()
            }),
            Ok(mut after) => {
                after["metadata"]["namespace"] = namespace.into();
                Ok(Seen {
                    after: Some(after),
                    ..Seen::default()
                })
            }
            Err(_) => Ok(Seen::default()),
        }
    }

    async fn ask(
        &self,
        desired: &Desired,
        served: &Served,
        namespace: &str,
    ) -> Result<Seen, KubeError> {
        let api = api(self.client, served, namespace);
        let name = desired.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default();
        let key = key(&desired.object, namespace);
        let forced = self.choices.force.contains(&key);
        // A three-way merge needs the live object first; an apply does not.
        let (live, answer) = match self.applier {
            Applier::HelmClientSide { previous } => {
                let live = get(&api, name).await?;
                let answer = self
                    .merged(&api, desired, live.as_ref(), previous, namespace)
                    .await;
                (live, answer)
            }
            _ => {
                let (live, answer) = tokio::join!(
                    get(&api, name),
                    apply_as(&api, name, &desired.object, self.how(forced))
                );
                (live?, answer)
            }
        };
        let mut seen = Seen {
            live: live.unwrap_or(Value::Null),
            ..Seen::default()
        };
        let error = match answer {
            Ok(after) => {
                seen.after = Some(after);
                if forced {
                    self.note_forced(&mut seen, &api, desired).await?;
                }
                return Ok(seen);
            }
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => error,
        };
        if let Some(found) = conflicts(&error) {
            // What forcing would do is what the difference shows.
            seen.after = match apply_as(&api, name, &desired.object, self.how(true)).await {
                Ok(after) => Some(after),
                Err(error) if error.is_unreachable() => return Err(error),
                Err(_) => None,
            };
            seen.conflicts = described(&found, &seen);
            seen.refusal = Some(Refusal::plain(words::conflict(
                &desired.object,
                &seen.conflicts,
            )));
            return Ok(seen);
        }
        let refusal = refusal(desired, &error);
        if refusal.needs_replacing && self.choices.replace.contains(&key) {
            seen.chosen = true;
            seen.replaced = true;
        } else {
            seen.refusal = Some(refusal);
        }
        Ok(seen)
    }

    /// Which fields the choice takes, so that the plan keeps saying so.
    async fn note_forced(
        &self,
        seen: &mut Seen,
        api: &kube::Api<kube::api::DynamicObject>,
        desired: &Desired,
    ) -> Result<(), KubeError> {
        let name = desired.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default();
        match apply_as(api, name, &desired.object, self.how(false)).await {
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => {
                if let Some(found) = conflicts(&error) {
                    seen.conflicts = described(&found, seen);
                    seen.chosen = true;
                }
            }
            // Nothing to force any more.
            Ok(_) => {}
        }
        Ok(())
    }

    fn how(&self, force: bool) -> Applying<'static> {
        let always = matches!(
            self.applier,
            Applier::HelmServerSide {
                force_conflicts: true
            }
        );
        Applying {
            manager: self.applier.manager(),
            force: force || always,
            dry_run: true,
        }
    }

    async fn merged(
        &self,
        api: &kube::Api<kube::api::DynamicObject>,
        desired: &Desired,
        live: Option<&Value>,
        previous: &[Value],
        namespace: &str,
    ) -> Result<Value, KubeError> {
        let Some(live) = live else {
            return dry_run_create(api, &desired.object, self.applier.manager()).await;
        };
        let wanted = key(&desired.object, namespace);
        let before = previous.iter().find(|object| {
            let own = object["metadata"]["namespace"]
                .as_str()
                .unwrap_or(namespace);
            key(object, own) == wanted || key(object, "") == wanted
        });
        let strategic = has_strategic_merge(&desired.object);
        let patch = three_way(
            before.unwrap_or(&Value::Null),
            live,
            &desired.object,
            strategic,
        );
        if patch.as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(live.clone());
        }
        let name = desired.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default();
        dry_run_patch(api, name, &patch, self.applier.manager(), strategic).await
    }
}

/// The conflicts with the values on both sides and who holds them since when.
fn described(found: &[Conflict], seen: &Seen) -> Vec<FieldConflict> {
    let owners = Owners::of(&seen.live);
    let after = seen.after.as_ref().unwrap_or(&Value::Null);
    let index = |object: &Value| -> BTreeMap<String, (Path, Value)> {
        let mut all = BTreeMap::new();
        leaves(&Path::default(), object, &mut |path, value| {
            all.insert(path.to_string(), (path, value.clone()));
        });
        all
    };
    let mask = Mask::of(&seen.live);
    let (theirs, ours) = (index(&seen.live), index(after));
    let show = |value: Option<&(Path, Value)>| value.map(|(path, value)| shown(mask, path, value));
    found
        .iter()
        .take(PlannedObject::CONFLICTS)
        .map(|conflict| {
            // The server quotes the values of keys.
            let path = conflict.field.replace('"', "");
            let (a, b) = (theirs.get(&path), ours.get(&path));
            let owner: Option<FieldOwner> = a.and_then(|(path, _)| {
                let holding = owners.holding(path);
                holding
                    .into_iter()
                    .find(|owner| owner.manager == conflict.manager)
            });
            FieldConflict {
                theirs: show(a),
                ours: show(b),
                owner: owner.unwrap_or_else(|| named_owner(&conflict.manager)),
                path,
            }
        })
        .collect()
}
