//! Who owns what is in the cluster. One project, one owner: what belongs to somebody else is not
//! touched before it has changed hands.

mod handover;
mod marks;
mod words;

use app::model::{DeployMode, Finding, ObjectId, OwnedObject, Owner};
use serde_json::Value;

use super::identity::APPLY_SET;

pub(super) use handover::stages;
pub use handover::{Handing, hand_over, unfinished};
pub use marks::{HELM_NAME, HELM_NAMESPACE, MANAGED_BY, hand_to_helm, hand_to_raw};

/// What `kubectl apply` keeps on objects it applied from the client side.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Marks of tools that put an object back to what they know: (label or annotation, the tool).
const CONTROLLERS: [(&str, &str); 5] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("fleet.cattle.io/bundle-id", "Fleet"),
];

/// Field managers of the control plane: they write status and defaults, and own nothing.
const CONTROL_PLANE: [&str; 5] = [
    "kube-controller-manager",
    "kubelet",
    "kube-scheduler",
    "kube-apiserver",
    "cluster-autoscaler",
];

/// The API version, kind, namespace and name of an object.
pub fn id(object: &Value) -> ObjectId {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ObjectId {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
        namespace: text(&object["metadata"]["namespace"]),
        name: text(&object["metadata"]["name"]),
    }
}

/// Whose an object is, for a Slipway that works on `project`. Needs its metadata only.
pub fn owner(object: &Value, project: &str) -> Owner {
    let metadata = &object["metadata"];
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    // Helm's own check asks for all of it; half of it is what a careless copy leaves behind.
    if labels[MANAGED_BY] == "Helm"
        && let Some(release) = annotations[HELM_NAME].as_str()
    {
        return Owner::Helm {
            release: release.to_owned(),
            namespace: annotations[HELM_NAMESPACE]
                .as_str()
                .or(metadata["namespace"].as_str())
                .unwrap_or_default()
                .to_owned(),
        };
    }
    let controller = CONTROLLERS
        .iter()
        .find(|(mark, _)| labels[*mark].is_string() || annotations[*mark].is_string());
    if let Some((_, name)) = controller {
        return Owner::Controller {
            name: (*name).to_owned(),
        };
    }
    match labels[APPLY_SET].as_str() {
        Some(of) if of == project => return Owner::Raw,
        Some(of) => {
            return Owner::OtherProject {
                project: of.to_owned(),
            };
        }
        None => {}
    }
    if annotations[LAST_APPLIED].is_string() {
        return Owner::KubectlApply;
    }
    Owner::Other {
        manager: last_manager(metadata).unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// The manager that applied last; else the one that updated last, without the control plane.
fn last_manager(metadata: &Value) -> Option<String> {
    metadata["managedFields"]
        .as_array()?
        .iter()
        .filter(|entry| entry["subresource"].as_str().is_none_or(str::is_empty))
        .filter_map(|entry| {
            let manager = entry["manager"].as_str()?;
            let is_apply = entry["operation"] == "Apply";
            (!CONTROL_PLANE.contains(&manager)).then(|| {
                let at = entry["time"].as_str().unwrap_or_default();
                ((is_apply, at), manager)
            })
        })
        .max_by_key(|(when, _)| *when)
        .map(|(_, manager)| manager.to_owned())
}

/// What stands in the way of deploying by `mode` onto these live objects: those that belong to
/// somebody who would undo it, or whose work it would undo. One finding for each owner.
/// For [`DeployMode::Helm`], `release` is the release that may own them.
pub fn guard(mode: DeployMode, release: Option<&str>, live: &[OwnedObject]) -> Vec<Finding> {
    let mut by_owner: Vec<(&Owner, Vec<&ObjectId>)> = Vec::new();
    for object in live {
        let is_own = match (mode, &object.owner) {
            (DeployMode::Raw, Owner::Raw) => true,
            (DeployMode::Helm, Owner::Helm { release: of, .. }) => Some(of.as_str()) == release,
            // Made by hand, such as a namespace: applying makes it a shared object, which is fine.
            (_, Owner::Other { .. }) => true,
            _ => false,
        };
        if is_own {
            continue;
        }
        match by_owner
            .iter_mut()
            .find(|(owner, _)| **owner == object.owner)
        {
            Some((_, objects)) => objects.push(&object.id),
            None => by_owner.push((&object.owner, vec![&object.id])),
        }
    }
    by_owner
        .into_iter()
        .map(|(owner, objects)| words::owned_by(mode, owner, &objects))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::Severity;
    use serde_json::json;

    fn object(labels: Value, annotations: Value, managers: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "name": "web", "namespace": "todo", "labels": labels, "annotations": annotations,
            "managedFields": managers}})
    }

    fn helm(release: &str) -> Owner {
        Owner::Helm {
            release: release.into(),
            namespace: "todo".into(),
        }
    }

    #[test]
    fn an_owner_is_known_by_its_marks() {
        let none = || json!({});
        let release = json!({HELM_NAME: "web", HELM_NAMESPACE: "todo"});
        let slipway = |project: &str| json!({APPLY_SET: project});
        let other = |manager: &str| Owner::Other {
            manager: manager.into(),
        };
        for (object, expected) in [
            (
                object(json!({MANAGED_BY: "Helm"}), release.clone(), json!([])),
                helm("web"),
            ),
            // A label alone, as charts copied into manifests have it, makes no release.
            (
                object(json!({MANAGED_BY: "Helm"}), none(), json!([])),
                other("unknown"),
            ),
            (object(slipway("t"), none(), json!([])), Owner::Raw),
            (
                object(slipway("x"), none(), json!([])),
                Owner::OtherProject {
                    project: "x".into(),
                },
            ),
            (
                object(
                    json!({APPLY_SET: "t", MANAGED_BY: "Helm"}),
                    release,
                    json!([]),
                ),
                helm("web"),
            ),
            (
                object(none(), json!({LAST_APPLIED: "{}"}), json!([])),
                Owner::KubectlApply,
            ),
            (
                object(
                    none(),
                    json!({"argocd.argoproj.io/tracking-id": "a"}),
                    json!([]),
                ),
                Owner::Controller {
                    name: "Argo CD".into(),
                },
            ),
            (
                object(
                    none(),
                    none(),
                    json!([
                        {"manager": "kubectl-create", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
                        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
                        {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-01-03T00:00:00Z"},
                        {"manager": "hpa", "operation": "Update", "subresource": "scale", "time": "2026-01-04T00:00:00Z"},
                    ]),
                ),
                other("kubectl-edit"),
            ),
            (
                object(
                    none(),
                    none(),
                    json!([
                        {"manager": "my-tool", "operation": "Apply", "time": "2026-01-01T00:00:00Z"},
                        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
                    ]),
                ),
                other("my-tool"),
            ),
            (
                json!({"metadata": {"name": "x", "labels": null}}),
                other("unknown"),
            ),
        ] {
            assert_eq!(owner(&object, "t"), expected, "{object}");
        }
    }

    #[test]
    fn the_guard_names_each_owner_once_and_lets_its_own_pass() {
        let owned = |name: &str, owner: Owner| OwnedObject {
            id: ObjectId {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "todo".into(),
                name: name.into(),
            },
            owner,
        };
        let live = [
            owned("a", Owner::Raw),
            owned("b", helm("web")),
            owned("c", helm("web")),
            owned("d", Owner::KubectlApply),
            owned(
                "e",
                Owner::Other {
                    manager: "kubectl-create".into(),
                },
            ),
        ];
        let found = guard(DeployMode::Raw, None, &live);
        let codes: Vec<(&str, Severity)> = found
            .iter()
            .map(|finding| (finding.code.as_str(), finding.severity))
            .collect();
        assert_eq!(
            codes,
            [
                ("OWNED_BY_HELM", Severity::Failed),
                ("OWNED_BY_KUBECTL", Severity::Attention)
            ]
        );
        assert!(found[0].what.contains('2') && found[0].what.contains("web"));
        let found = guard(DeployMode::Helm, Some("web"), &live[..3]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "OWNED_BY_RAW");
        let found = guard(DeployMode::Helm, Some("other"), &live[1..2]);
        assert_eq!(found[0].code, "OWNED_BY_HELM");
    }
}
