//! Who keeps the Secret, by what its object says: owner references, labels, annotations and the
//! managers of its fields.

use app::model::SecretOwner;
use k8s_openapi::api::core::v1::Secret;

/// On the Secret: a person decided that Slipway may write into it, whoever else does.
pub const ADOPTED_ANNOTATION: &str = "slipway.dev/adopted";

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const HELM_RELEASE: &str = "meta.helm.sh/release-name";
const EXTERNAL_SECRETS: &str = "reconcile.external-secrets.io/managed";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Field managers that put things back by themselves.
const GITOPS: [(&str, &str); 4] = [
    ("argocd", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("fleet", "Fleet"),
];

/// The owner and whether a person has taken the Secret over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    who: Who,
    adopted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Who {
    #[default]
    Nobody,
    Helm(String),
    Controller(String, String),
    Applied(String),
}

impl Owner {
    pub fn of(secret: &Secret) -> Self {
        let meta = &secret.metadata;
        let text = |map: &Option<std::collections::BTreeMap<String, String>>, key: &str| {
            map.as_ref().and_then(|map| map.get(key)).cloned()
        };
        Self {
            adopted: text(&meta.annotations, ADOPTED_ANNOTATION).is_some(),
            who: who(secret, &text),
        }
    }

    pub fn view(&self) -> SecretOwner {
        let adopted = self.adopted;
        match &self.who {
            Who::Nobody => SecretOwner::Nobody,
            Who::Helm(release) => SecretOwner::Helm {
                release: release.clone(),
                adopted,
            },
            Who::Controller(kind, name) => SecretOwner::Controller {
                kind: kind.clone(),
                name: name.clone(),
                adopted,
            },
            Who::Applied(by) => SecretOwner::Applied {
                by: by.clone(),
                adopted,
            },
        }
    }
}

fn who(
    secret: &Secret,
    text: &impl Fn(&Option<std::collections::BTreeMap<String, String>>, &str) -> Option<String>,
) -> Who {
    let meta = &secret.metadata;
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let owner = owners
        .iter()
        .find(|owner| owner.controller == Some(true))
        .or(owners.first());
    if let Some(owner) = owner {
        return Who::Controller(owner.kind.clone(), owner.name.clone());
    }
    if text(&meta.labels, EXTERNAL_SECRETS).is_some() {
        let name = meta.name.clone().unwrap_or_default();
        return Who::Controller("ExternalSecret".to_owned(), name);
    }
    let managed_by = text(&meta.labels, MANAGED_BY);
    if let Some(release) = text(&meta.annotations, HELM_RELEASE) {
        return Who::Helm(release);
    }
    let managers = meta.managed_fields.iter().flatten();
    let gitops = managers
        .filter_map(|entry| entry.manager.as_deref())
        .find_map(|manager| GITOPS.iter().find(|(word, _)| manager.contains(word)));
    if let Some((_, title)) = gitops {
        return Who::Applied((*title).to_owned());
    }
    match managed_by {
        Some(by) if by != "slipway" && by != "Helm" => return Who::Applied(by),
        _ => {}
    }
    // Its text holds the values; that it is there is all that is taken from it.
    match text(&meta.annotations, LAST_APPLIED) {
        Some(_) => Who::Applied("kubectl apply".to_owned()),
        None => Who::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owner(metadata: Value) -> SecretOwner {
        let secret: Secret =
            serde_json::from_value(json!({ "metadata": metadata })).expect("a Secret");
        Owner::of(&secret).view()
    }

    #[test]
    fn every_usual_keeper_is_known_by_its_marks() {
        assert_eq!(owner(json!({"name": "s"})), SecretOwner::Nobody);
        let slipway = json!({"labels": {MANAGED_BY: "slipway"}, "managedFields": [{"manager": "slipway"}, {"manager": "kubectl-patch"}]});
        assert_eq!(owner(slipway), SecretOwner::Nobody);
        let helm = json!({"labels": {MANAGED_BY: "Helm"}, "annotations": {HELM_RELEASE: "todo"}});
        assert_eq!(
            owner(helm),
            SecretOwner::Helm {
                release: "todo".into(),
                adopted: false
            }
        );
        let external = json!({"name": "s", "ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "e", "uid": "1", "controller": true}], "annotations": {ADOPTED_ANNOTATION: "x"}});
        let external = owner(external);
        assert!(external.lets_slipway_write());
        assert!(
            matches!(external, SecretOwner::Controller { kind, .. } if kind == "ExternalSecret")
        );
        let flux = json!({"managedFields": [{"manager": "kustomize-controller"}]});
        assert_eq!(
            owner(flux),
            SecretOwner::Applied {
                by: "Flux".into(),
                adopted: false
            }
        );
        let applied =
            owner(json!({"annotations": {LAST_APPLIED: "{\"data\":{\"A\":\"aHVudGVyMg==\"}}"}}));
        assert!(!applied.lets_slipway_write());
        assert!(!format!("{applied:?}").contains("aHVudGVyMg"));
    }
}
