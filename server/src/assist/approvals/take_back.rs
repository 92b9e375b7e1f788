//! The stored undo of an approved change: what was there before, put back only over what the change
//! itself left.

use app::model::Finding;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::look::{collection, read};
use super::words;
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::assist::command::{Kind, MANAGER, Target};
use crate::cluster::Connected;
use crate::deploy::merge_patch::{difference, merged};
use crate::deploy::preview::mask::Mask;
use crate::deploy::preview::noise::essence;
use crate::deploy::preview::object_diff::masked;
use crate::deploy::preview::path::Path;
use crate::engine::redact::Redactor;

/// The way back for one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reversal {
    kind: String,
    name: String,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Merge patches there and back, and whose.
    Merge {
        uid: String,
        forward: Value,
        backward: Value,
    },
    Recreate {
        object: Value,
    },
}

/// These are made again as they were; of pods and jobs the controllers' own marks are a part.
const CAN_BE_MADE_AGAIN: [&str; 6] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Service",
    "ConfigMap",
    "PodDisruptionBudget",
];

impl Reversal {
    /// From how it was to how it is (`Null`: gone) and back; none when there is no way back.
    pub fn between(target: &Target, before: &Value, after: &Value) -> Option<Self> {
        let how = if after.is_null() {
            if !CAN_BE_MADE_AGAIN.contains(&target.kind.kind) {
                return None;
            }
            let mut object = essence(before);
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                // The address may have been given to another Service meanwhile.
                spec.shift_remove("clusterIP");
                spec.shift_remove("clusterIPs");
            }
            How::Recreate { object }
        } else {
            let (before, now) = (essence(before), essence(after));
            How::Merge {
                uid: after["metadata"]["uid"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                forward: difference(&before, &now).unwrap_or_else(|| json!({})),
                backward: difference(&now, &before).unwrap_or_else(|| json!({})),
            }
        };
        Some(Self {
            kind: target.kind.kind.to_owned(),
            name: target.name.clone(),
            how,
        })
    }

    /// Whether it would put anything back at all.
    pub fn is_empty(&self) -> bool {
        matches!(&self.how, How::Merge { backward, .. } if backward.as_object().is_some_and(serde_json::Map::is_empty))
    }

    /// Whether it may be written to a file: nothing in it is, or looks like, a secret.
    pub fn is_clean(&self, redactor: &Redactor) -> bool {
        let is_clean = |value: &Value| {
            let mut object = value.clone();
            object["kind"] = json!(self.kind);
            let shown = masked(Mask::of(&object), &Path::default(), &object);
            let text = value.to_string();
            shown == object && redactor.redact(&text) == text.as_str()
        };
        match &self.how {
            How::Merge {
                forward, backward, ..
            } => is_clean(forward) && is_clean(backward),
            How::Recreate { object } => is_clean(object),
        }
    }

    pub fn target(&self) -> Option<Target> {
        Some(Target {
            kind: Kind::named(&self.kind)?,
            name: self.name.clone(),
        })
    }

    /// Puts it back; the answer is the object as it is then.
    pub async fn carry_out(
        &self,
        connected: &Connected,
        namespace: &str,
    ) -> Result<Value, Finding> {
        let target = self.target().ok_or_else(words::nothing_to_undo)?;
        let api: Api<DynamicObject> = collection(connected, &target, namespace);
        let refused = |error: crate::adapters::kube::client::KubeError| {
            words::refused(&target.to_string(), &error.to_string())
        };
        match &self.how {
            How::Recreate { object } => {
                let now = read(connected, &target, namespace).await?;
                if !now.is_null() {
                    let bare = essence(&now);
                    // An undo that was broken off may have made it already.
                    return match merged(&bare, object) == bare {
                        true => Ok(now),
                        false => Err(words::undo_outdated(&target.to_string())),
                    };
                }
                let object: DynamicObject = serde_json::from_value(object.clone())
                    .map_err(|error| words::refused(&target.to_string(), &error.to_string()))?;
                let params = PostParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PostParams::default()
                };
                let made = within(REQUEST_LIMIT, api.create(&params, &object))
                    .await
                    .map_err(refused)?;
                Ok(serde_json::to_value(made).unwrap_or_default())
            }
            How::Merge {
                uid,
                forward,
                backward,
            } => {
                let params = PatchParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                for _ in 0..TRIES {
                    let now = read(connected, &target, namespace).await?;
                    let bare = essence(&now);
                    let is_it = now["metadata"]["uid"] == uid.as_str();
                    // An undo that was broken off may have put it back already.
                    if is_it && merged(&bare, backward) == bare {
                        return Ok(now);
                    }
                    if !is_it || merged(&bare, forward) != bare {
                        return Err(words::undo_outdated(&target.to_string()));
                    }
                    let mut patch = backward.clone();
                    // Whoever writes in between makes the patch fail, and it is looked at again.
                    patch["metadata"]["resourceVersion"] =
                        now["metadata"]["resourceVersion"].clone();
                    let patched = within(
                        REQUEST_LIMIT,
                        api.patch(&target.name, &params, &Patch::Merge(&patch)),
                    )
                    .await;
                    match patched {
                        Ok(object) => return Ok(serde_json::to_value(object).unwrap_or_default()),
                        Err(error) if error.code() == Some(409) => {}
                        Err(error) => return Err(refused(error)),
                    }
                }
                Err(words::undo_outdated(&target.to_string()))
            }
        }
    }
}

const TRIES: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: &str) -> Target {
        Target {
            kind: Kind::named(kind).expect("on the list"),
            name: "a".into(),
        }
    }

    fn deployment(replicas: u32, value: &str) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "a", "uid": "u", "resourceVersion": "7"},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [
                {"name": "c", "env": [{"name": "API_TOKEN", "value": value}]}]}}},
            "status": {"replicas": replicas}})
    }

    #[test]
    fn the_way_back_leads_to_what_was() {
        let (before, after) = (deployment(1, "x"), deployment(3, "x"));
        let back = Reversal::between(&target("Deployment"), &before, &after).expect("a way back");
        let How::Merge { backward, .. } = &back.how else {
            panic!("{back:?}");
        };
        assert_eq!(backward, &json!({"spec": {"replicas": 1}}));
        assert!(!back.is_empty() && back.is_clean(&Redactor::default()));
        let same = Reversal::between(&target("Deployment"), &before, &before).expect("a way back");
        assert!(same.is_empty());
    }

    #[test]
    fn what_could_be_a_secret_is_kept_from_files() {
        let (before, after) = (
            deployment(1, "kept-apart-0815"),
            deployment(1, "another-0815"),
        );
        let back = Reversal::between(&target("Deployment"), &before, &after).expect("a way back");
        assert!(!back.is_clean(&Redactor::default()));
        let redactor = Redactor::default();
        redactor.learn("a-known-value");
        let named =
            json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "a-known-value"}});
        let back =
            Reversal::between(&target("ConfigMap"), &named, &Value::Null).expect("made again");
        assert!(!back.is_clean(&redactor) && back.is_clean(&Redactor::default()));
    }

    #[test]
    fn a_pod_that_was_deleted_does_not_come_back() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "a"}});
        assert!(Reversal::between(&target("Pod"), &pod, &Value::Null).is_none());
    }
}
