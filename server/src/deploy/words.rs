//! The findings of planning and applying.

use app::model::{ComponentName, FieldConflict, Finding, NextAction, Remedy, StepId, Subject};
use serde_json::Value;

use super::inventory::Owned;
use super::manifests::Manifest;
use super::preview::object_diff::named_owner;
use crate::adapters::kube::apply::conflicts;
use crate::adapters::kube::client::KubeError;

pub(super) fn about_deploy(finding: Finding) -> Finding {
    finding.about(Subject::Step {
        step: StepId::Deploy,
    })
}

pub(super) fn about(finding: Finding, kind: &str, name: &str) -> Finding {
    finding.about(Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn no_manifests_named() -> Finding {
    about_deploy(Finding::new(
        "MANIFESTS_MISSING",
        "The project has no manifests",
        "slipway.toml names none, so there is nothing to apply.",
    ))
    .next(NextAction::advice(
        "Add [deploy] manifests = \"k8s\" to slipway.toml",
    ))
}

pub(super) fn image_not_proven(component: &ComponentName) -> Finding {
    Finding::new(
        "IMAGE_NOT_PROVEN",
        format!("The image of {component} is not in the cluster"),
        "It was not built yet, or the cluster's runtime does not list it any more; its pods could not start.",
    )
    .about(Subject::Component {
        component: component.clone(),
    })
    .next(NextAction::Do {
        action: Remedy::BuildImages,
        label: "Build the images".to_owned(),
    })
    .next(NextAction::Open {
        step: StepId::Images,
        label: "Open Images".to_owned(),
    })
}

pub(super) fn component_not_deployed(component: &ComponentName) -> Finding {
    Finding::new(
        "COMPONENT_NOT_IN_MANIFESTS",
        format!("Nothing in the manifests runs {component}"),
        "No container has its image or its name, so it will not be deployed.",
    )
    .attention()
    .about(Subject::Component {
        component: component.clone(),
    })
    .next(NextAction::advice(format!(
        "Add a Deployment named {component}, or take it out of slipway.toml"
    )))
}

pub(super) fn other_namespace(manifest: &Manifest, found: &str, wanted: &str) -> Finding {
    about(
        Finding::new(
            "OTHER_NAMESPACE",
            format!(
                "{} {} belongs to another namespace",
                manifest.kind(),
                manifest.name()
            ),
            format!(
                "{} says {found}; Slipway works in the project's namespace {wanted} only.",
                manifest.source
            ),
        ),
        manifest.kind(),
        manifest.name(),
    )
    .next(NextAction::advice(
        "Remove metadata.namespace there, or change namespace in slipway.toml",
    ))
}

pub(super) fn kind_unknown(manifest: &Manifest) -> Finding {
    about(
        Finding::new(
            "KIND_UNKNOWN",
            format!("This cluster knows no {}", manifest.kind()),
            format!(
                "{} uses {} {}, which the API server does not serve.",
                manifest.source,
                manifest.api_version(),
                manifest.kind()
            ),
        ),
        manifest.kind(),
        manifest.name(),
    )
    .next(NextAction::advice(
        "Check apiVersion and kind, or install what brings this kind",
    ))
}

pub(super) fn namespace_terminating(namespace: &str) -> Finding {
    about(
        Finding::new(
            "NAMESPACE_TERMINATING",
            format!("The namespace {namespace} is being deleted"),
            "Nothing new can be made in it until it is gone.",
        ),
        "Namespace",
        namespace,
    )
    .next(NextAction::advice("Wait a moment, then plan again"))
}

/// Somebody deleted it while the project was deployed into it.
pub(super) fn namespace_deleted(namespace: &str) -> Finding {
    about(
        Finding::new(
            "NAMESPACE_DELETED",
            format!("The namespace {namespace} was deleted during the deploy"),
            "Everything in it goes with it: what was applied, the secrets, and the records of earlier deploys.",
        ),
        "Namespace",
        namespace,
    )
    .next(NextAction::advice("Wait until it is gone, enter the secrets again, and deploy: the namespace is made anew"))
}

pub(super) fn kept(kind: &str, name: &str) -> Finding {
    about(
        Finding::new(
            "OBJECT_KEPT",
            format!("{kind} {name} is left in place"),
            "It is no longer in the manifests, but deleting it could destroy data, so that is up to you.",
        )
        .attention(),
        kind,
        name,
    )
}

pub(super) fn plan_outdated() -> Finding {
    about_deploy(
        Finding::new(
            "PLAN_OUTDATED",
            "The plan is out of date",
            "The manifests, an image, a secret or the cluster changed since it was made. Nothing was applied.",
        )
        .attention(),
    )
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Look at the new plan".to_owned(),
    })
}

pub(super) fn not_established(name: &str) -> Finding {
    about(
        Finding::new(
            "KIND_NOT_ESTABLISHED",
            format!("The definition {name} is not established"),
            "The API server did not take its names within a minute, so objects of its kind cannot be applied.",
        ),
        "CustomResourceDefinition",
        name,
    )
    .next(NextAction::Command {
        command: format!("kubectl describe customresourcedefinition {name}"),
        why: "Its conditions say why".to_owned(),
    })
}

pub(super) fn prune_unconfirmed(deletions: &[Owned]) -> Finding {
    let list: Vec<String> = deletions
        .iter()
        .map(|owned| format!("{} {}", owned.kind(), owned.name()))
        .collect();
    about_deploy(
        Finding::new(
            "PRUNE_UNCONFIRMED",
            "The plan deletes objects",
            "They were applied by an earlier deploy and are no longer in the manifests; that needs a yes of its own. Nothing was applied.",
        )
        .attention(),
    )
    .evidence("To be deleted", list.join("\n"))
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Review the plan".to_owned(),
    })
    .next(NextAction::Command {
        command: "slipway up --prune".to_owned(),
        why: "Says yes beforehand".to_owned(),
    })
}

/// What the API server said about an object, in planning or applying.
pub(super) fn refused(kind: &str, name: &str, source: &str, error: &KubeError) -> Finding {
    if let Some(conflicts) = conflicts(error) {
        let conflicts: Vec<FieldConflict> = conflicts
            .into_iter()
            .map(|conflict| FieldConflict {
                path: conflict.field,
                theirs: None,
                ours: None,
                owner: named_owner(&conflict.manager),
            })
            .collect();
        return held_by_others(kind, name, &conflicts);
    }
    let finding = if error.is_unreachable() {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("It is not known what became of {kind} {name}"),
            format!("The API server did not answer: {error}."),
        )
        .next(NextAction::Do {
            action: Remedy::Recheck,
            label: "Check again".to_owned(),
        })
    } else if is_policy(error) {
        Finding::new(
            "QUOTA_OR_ADMISSION",
            format!("The cluster's rules do not let {kind} {name} in"),
            format!("{source}: {error}."),
        )
        .next(NextAction::advice(
            "Ask for less, remove what is not needed any more, or give the manifest what the rule asks for",
        ))
    } else if error.is_forbidden() {
        Finding::new(
            "FORBIDDEN",
            format!("You may not change {kind} {name}"),
            format!("The cluster refused: {error}."),
        )
        .next(NextAction::advice(
            "Ask for the right in this namespace, or use another cluster",
        ))
    } else {
        Finding::new(
            "OBJECT_INVALID",
            format!("{kind} {name} is not accepted"),
            format!("{source}: {error}."),
        )
        .next(NextAction::advice(
            "Mend the manifest; deleting the object helps where a field cannot be changed",
        ))
    };
    about(finding, kind, name)
}

/// Quotas, limit ranges, pod security, webhooks and admission policies all answer 403, as a missing
/// right does.
fn is_policy(error: &KubeError) -> bool {
    const WORDS: [&str; 7] = [
        "exceeded quota",
        "failed quota",
        "denied the request",
        "violates podsecurity",
        "validatingadmissionpolicy",
        "usage per ",
        "denied request",
    ];
    let text = error.to_string().to_lowercase();
    error.is_forbidden() && WORDS.iter().any(|words| text.contains(words))
}

/// Fields of this object are held by other managers.
pub(super) fn conflict(object: &Value, conflicts: &[FieldConflict]) -> Finding {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    held_by_others(&kind, &name, conflicts)
}

fn held_by_others(kind: &str, name: &str, conflicts: &[FieldConflict]) -> Finding {
    let mut managers: Vec<&str> = conflicts
        .iter()
        .map(|conflict| conflict.owner.manager.as_str())
        .collect();
    managers.sort_unstable();
    managers.dedup();
    let fields: Vec<String> = conflicts
        .iter()
        .map(|conflict| {
            let held = format!("{} (held by {})", conflict.path, conflict.owner.manager);
            match (&conflict.theirs, &conflict.ours) {
                (Some(theirs), Some(ours)) => format!("{held}: {theirs}, the manifest says {ours}"),
                _ => held,
            }
        })
        .collect();
    about(
        Finding::new(
            "APPLY_CONFLICT",
            format!("{kind} {name} is also managed by {}", managers.join(" and ")),
            "It has set fields that the manifest sets differently; taking them over could undo its work.",
        )
        .evidence(format!("{kind} {name}, fields in conflict"), fields.join("\n")),
        kind,
        name,
    )
    .next(NextAction::advice(
        "Choose Force in the plan to take the fields over, take them out of the manifest, or give them the value they have",
    ))
}

/// The object goes into a namespace that is not there and that nothing in the plan makes.
pub(super) fn namespace_missing(object: &Value, namespace: &str) -> Finding {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    about(
        Finding::new(
            "NAMESPACE_MISSING",
            format!("{kind} {name} has nowhere to go"),
            format!("The namespace {namespace} is not there, and nothing in this plan makes it."),
        ),
        &kind,
        &name,
    )
    .next(NextAction::Command {
        command: format!("kubectl create namespace {namespace}"),
        why: "Or add the Namespace to the manifests".to_owned(),
    })
}

/// A person stopped the making of the plan.
pub(super) fn planning_stopped() -> Finding {
    about_deploy(
        Finding::new(
            "PLANNING_STOPPED",
            "The plan was not finished",
            "It was stopped before every object was looked at. Nothing was applied.",
        )
        .attention(),
    )
    .next(NextAction::advice("Make the plan again when you like"))
}

pub(super) fn cluster_says_no(what: &str, error: &KubeError) -> Finding {
    let finding = if error.is_unreachable() {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("{what} is not possible now"),
            format!("The API server did not answer: {error}."),
        )
    } else if error.is_forbidden() {
        Finding::new(
            "FORBIDDEN",
            format!("{what} is not allowed"),
            format!("The cluster refused: {error}."),
        )
    } else {
        Finding::new(
            "CLUSTER_REFUSED",
            format!("{what} did not work"),
            format!("The API server said: {error}."),
        )
    };
    about_deploy(finding).next(NextAction::Do {
        action: Remedy::Recheck,
        label: "Check again".to_owned(),
    })
}
