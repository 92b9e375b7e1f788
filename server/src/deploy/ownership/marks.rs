//! The marks of an owner, and the one patch that changes them on an object.
//! Each patch is whole: an object belongs to the one or to the other, never to both.

use serde_json::{Map, Value, json};

use super::LAST_APPLIED;
use crate::adapters::kube::FIELD_MANAGER;
use crate::deploy::identity::{APPLIED_AT, APPLY_SET, REVISION};

/// Label; `Helm` on everything in a release.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation: the release's name.
pub const HELM_NAME: &str = "meta.helm.sh/release-name";
/// Annotation: the release's namespace.
pub const HELM_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Both versions of Helm write as this field manager.
const HELM_MANAGER: &str = "helm";

/// Managers that `kubectl apply` has written as, client-side and server-side.
const KUBECTL: [&str; 3] = ["kubectl-client-side-apply", "kubectl", "before-first-apply"];

/// The merge patch that gives a live object to the raw deploys of `project`: its label, no other
/// owner's marks, and the fields the former owner set belong to Slipway's field manager, so that
/// what is removed from the manifests is removed in the cluster.
pub fn hand_to_raw(live: &Value, project: &str) -> Value {
    let mut labels = json!({ APPLY_SET: project });
    if live["metadata"]["labels"][MANAGED_BY] == "Helm" {
        labels[MANAGED_BY] = Value::Null;
    }
    let annotations = json!({
        HELM_NAME: null, HELM_NAMESPACE: null, "helm.sh/resource-policy": null, LAST_APPLIED: null,
    });
    let from: Vec<&str> = KUBECTL.into_iter().chain([HELM_MANAGER]).collect();
    patch(live, &labels, &annotations, &from, FIELD_MANAGER)
}

/// The merge patch that gives a live object to a Helm release. The three marks are what both Helm
/// versions ask for before they adopt an object, so no `--take-ownership` is needed.
pub fn hand_to_helm(live: &Value, release: &str, namespace: &str) -> Value {
    let labels = json!({ APPLY_SET: null, MANAGED_BY: "Helm" });
    let annotations = json!({
        HELM_NAME: release, HELM_NAMESPACE: namespace,
        REVISION: null, APPLIED_AT: null, LAST_APPLIED: null,
    });
    let from: Vec<&str> = KUBECTL.into_iter().chain([FIELD_MANAGER]).collect();
    patch(live, &labels, &annotations, &from, HELM_MANAGER)
}

/// Whether the object already has what the patch would give it.
pub(super) fn is_done(live: &Value, patch: &Value) -> bool {
    ["labels", "annotations"].iter().all(|part| {
        patch["metadata"][part]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(key, wanted)| live["metadata"][part][key.as_str()] == *wanted)
    })
}

fn patch(live: &Value, labels: &Value, annotations: &Value, from: &[&str], to: &str) -> Value {
    let metadata = &live["metadata"];
    let mut changed = json!({"labels": labels, "annotations": annotations});
    if let Some(entries) = moved(&metadata["managedFields"], from, to) {
        changed["managedFields"] = entries;
    }
    // Whoever writes in between makes the patch fail, and it is made anew.
    if let Some(version) = metadata["resourceVersion"].as_str() {
        changed["resourceVersion"] = json!(version);
    }
    json!({ "metadata": changed })
}

/// The records of `from` joined into one record of `to`, as client-go's `csaupgrade` does it.
/// None when there is nothing to move.
fn moved(entries: &Value, from: &[&str], to: &str) -> Option<Value> {
    let entries = entries.as_array()?;
    let is_of = |entry: &Value, managers: &[&str]| {
        entry["manager"]
            .as_str()
            .is_some_and(|manager| managers.contains(&manager))
            && entry["subresource"].as_str().is_none_or(str::is_empty)
    };
    if !entries.iter().any(|entry| is_of(entry, from)) {
        return None;
    }
    let mut joined: Option<Value> = None;
    let mut rest = Vec::new();
    for entry in entries {
        let is_target = is_of(entry, &[to]) && entry["operation"] == "Apply";
        if !is_target && !is_of(entry, from) {
            rest.push(entry.clone());
            continue;
        }
        match &mut joined {
            Some(joined) => union(&mut joined["fieldsV1"], &entry["fieldsV1"]),
            None => joined = Some(entry.clone()),
        }
    }
    if let Some(mut joined) = joined {
        joined["manager"] = json!(to);
        joined["operation"] = json!("Apply");
        rest.push(joined);
    }
    Some(Value::Array(rest))
}

/// Field sets are nested maps: their union is the union of the maps.
fn union(into: &mut Value, other: &Value) {
    let Some(other) = other.as_object() else {
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in other {
        match into.get_mut(key) {
            Some(mine) => union(mine, value),
            None => into[key.as_str()] = value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::ownership::owner;
    use app::model::Owner;

    fn merged(mut object: Value, patch: &Value) -> Value {
        for part in ["labels", "annotations"] {
            let into = object["metadata"][part].as_object_mut().expect("a map");
            for (key, value) in patch["metadata"][part].as_object().expect("a map") {
                match value {
                    Value::Null => drop(into.shift_remove(key)),
                    value => drop(into.insert(key.clone(), value.clone())),
                }
            }
        }
        object
    }

    fn live() -> Value {
        json!({"metadata": {"name": "web", "namespace": "todo", "resourceVersion": "7",
        "labels": {"app": "web", MANAGED_BY: "Helm"},
        "annotations": {HELM_NAME: "web", HELM_NAMESPACE: "todo"},
        "managedFields": [
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "slipway", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ]}})
    }

    #[test]
    fn one_patch_moves_an_object_there_and_back() {
        let live = live();
        let patch = hand_to_raw(&live, "t");
        assert!(!is_done(&live, &patch));
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let raw = merged(live, &patch);
        assert_eq!(owner(&raw, "t"), Owner::Raw);
        assert!(is_done(&raw, &hand_to_raw(&raw, "t")));
        assert_eq!(raw["metadata"]["labels"]["app"], "web");
        let helm = merged(raw.clone(), &hand_to_helm(&raw, "other", "ns"));
        assert_eq!(
            owner(&helm, "t"),
            Owner::Helm {
                release: "other".into(),
                namespace: "ns".into()
            }
        );
    }

    #[test]
    fn the_former_owner_s_fields_go_with_the_object() {
        let patch = hand_to_raw(&live(), "t");
        let entries = patch["metadata"]["managedFields"]
            .as_array()
            .expect("records");
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0]["manager"], "kubelet");
        assert_eq!(entries[1]["manager"], "slipway");
        assert_eq!(entries[1]["operation"], "Apply");
        assert_eq!(
            entries[1]["fieldsV1"],
            json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})
        );
        let nobody = json!({"metadata": {"managedFields": []}});
        assert_eq!(
            hand_to_raw(&nobody, "t")["metadata"]["managedFields"],
            Value::Null
        );
    }

    #[test]
    fn a_managed_by_label_of_one_s_own_stays() {
        let own = json!({"metadata": {"labels": {MANAGED_BY: "my-team"}}});
        let labels = hand_to_raw(&own, "t")["metadata"]["labels"].clone();
        assert_eq!(labels.get(MANAGED_BY), None);
    }
}
