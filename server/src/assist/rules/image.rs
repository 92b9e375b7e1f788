//! Images: not there, not to be had, or not as they should be.

use app::model::{
    ComponentName, ContainerState, Finding, ImageState, NextAction, Remedy, Rollout, RunKind,
    StepId, humanize_bytes,
};

use crate::adapters::docker;
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

fn build() -> NextAction {
    NextAction::Do {
        action: Remedy::BuildImages,
        label: "Build images".to_owned(),
    }
}

fn deploy() -> NextAction {
    NextAction::Do {
        action: Remedy::Deploy,
        label: "Deploy the built image".to_owned(),
    }
}

/// IMAGE_NEVER_PULL: the pod may not pull, and its image is not on the node.
pub fn never_pull(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let ContainerState::Waiting { reason, message } = &container.state else {
                return None;
            };
            if reason != "ErrImageNeverPull" {
                return None;
            }
            let known = facts
                .state
                .images
                .iter()
                .find(|view| &view.component == component)
                .map(|view| &view.state);
            let wanted = &container.image;
            let (why, next) = match known {
                Some(ImageState::InCluster { image, .. }) if !same(&image.reference, wanted) => (
                    format!(
                        "Its pod asks for {wanted}, which is not on the node. The image in the cluster is {}.",
                        image.reference
                    ),
                    vec![deploy(), build()],
                ),
                Some(ImageState::InCluster { .. }) => (
                    format!("Its pod asked for {wanted} before it was on the node; the next try should find it."),
                    vec![NextAction::Do {
                        action: Remedy::RestartComponent {
                            component: component.clone(),
                        },
                        label: format!("Restart {component}"),
                    }],
                ),
                _ => (
                    format!("Its pod asks for {wanted}, which is not on the node, and its pull policy forbids fetching it."),
                    vec![build(), deploy()],
                ),
            };
            let mut finding = Finding::new(
                "IMAGE_NEVER_PULL",
                format!("{} cannot start without its image", capitalized(component)),
                why,
            )
            .about(about(component))
            .evidence(format!("Pod {}", pod.name), message.clone());
            finding.next = next;
            Some(finding)
        })
        .collect()
}

fn same(one: &str, other: &str) -> bool {
    practice::images::normalize(one) == practice::images::normalize(other)
}

/// IMAGE_PULL_FAILED: the runtime tried to fetch the image and could not.
pub fn pull(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let ContainerState::Waiting { reason, message } = &container.state else {
                return None;
            };
            let why = match reason.as_str() {
                "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => format!(
                    "The cluster tries to fetch {} and cannot. An image that was built here must not be fetched: its pull policy should be Never or IfNotPresent.",
                    container.image
                ),
                "InvalidImageName" => format!("`{}` is not a valid image name.", container.image),
                "ImageInspectError" => {
                    format!("The cluster cannot read the image {}.", container.image)
                }
                _ => return None,
            };
            Some(
                Finding::new(
                    "IMAGE_PULL_FAILED",
                    format!("{} cannot get its image", capitalized(component)),
                    why,
                )
                .about(about(component))
                .next(build())
                .next(deploy())
                .next(NextAction::Advice {
                    text: "Set imagePullPolicy: Never in the manifest, then deploy".to_owned(),
                })
                .evidence(format!("Pod {}, {reason}", pod.name), message.clone()),
            )
        })
        .collect()
}

fn is_deployed(facts: &Facts<'_>, component: &ComponentName) -> bool {
    facts
        .state
        .components
        .get(component)
        .is_some_and(|live| live.rollout != Rollout::Absent)
}

/// Images and pods differ on purpose while one of these goes.
fn is_in_motion(facts: &Facts<'_>) -> bool {
    facts.state.runs.values().any(|run| {
        run.is_going() && matches!(run.kind, RunKind::Build | RunKind::Deploy | RunKind::Down)
    })
}

/// IMAGE_NOT_IN_CLUSTER: it was there; pods run on until one of them has to start anew.
pub fn gone(facts: &Facts<'_>) -> Vec<Finding> {
    if is_in_motion(facts) {
        return Vec::new();
    }
    facts
        .state
        .images
        .iter()
        .filter(|view| is_deployed(facts, &view.component))
        .filter_map(|view| {
            let ImageState::NotInCluster { image, .. } = &view.state else {
                return None;
            };
            Some(
                Finding::new(
                    "IMAGE_NOT_IN_CLUSTER",
                    format!("The image of {} is not in the cluster", view.component),
                    format!(
                        "{} was built, and the cluster's runtime does not list it. Pods that run go on; a new one could not start.",
                        image.reference
                    ),
                )
                .attention()
                .about(about(&view.component))
                .next(build())
                .next(NextAction::Open {
                    step: StepId::Images,
                    label: "Look at the images".to_owned(),
                })
                .evidence("Image", format!("{} {}", image.reference, image.id)),
            )
        })
        .collect()
}

/// IMAGE_OUTDATED: the pods are well and run another image than the one that was built last.
pub fn outdated(facts: &Facts<'_>) -> Vec<Finding> {
    if is_in_motion(facts) {
        return Vec::new();
    }
    facts
        .state
        .images
        .iter()
        .filter_map(|view| {
            let ImageState::InCluster { image, .. } = &view.state else {
                return None;
            };
            let live = facts.state.components.get(&view.component)?;
            if live.rollout != Rollout::Complete || live.image_proved != Some(false) {
                return None;
            }
            let component = capitalized(&view.component);
            Some(
                Finding::new(
                    "IMAGE_OUTDATED",
                    format!("{component} runs another image than the one built"),
                    format!(
                        "Its pods run {}, and the newest image in the cluster is {}.",
                        live.image, image.reference
                    ),
                )
                .attention()
                .about(about(&view.component))
                .next(deploy())
                .evidence("Image", format!("{} {}", image.reference, image.id)),
            )
        })
        .collect()
}

/// RUNS_AS_ROOT: the built image has no unprivileged user, and its manifest names none either.
pub fn as_root(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .images
        .iter()
        .filter_map(|view| {
            let (ImageState::InCluster { image, .. } | ImageState::NotInCluster { image, .. }) =
                &view.state
            else {
                return None;
            };
            let deployment = facts.cluster.deployments.get(view.component.as_str())?;
            let is_root = deployment.containers.iter().any(|container| {
                practice::images::repository(&container.image)
                    == practice::images::repository(&image.reference)
                    && match container.user {
                        Some(user) => user == 0,
                        None => docker::is_root(&image.user),
                    }
            });
            is_root.then(|| {
                Finding::new(
                    "RUNS_AS_ROOT",
                    format!("{} runs as root", capitalized(&view.component)),
                    "Neither its image nor its manifest names an unprivileged user, so a flaw in the program has the whole container.",
                )
                .attention()
                .about(about(&view.component))
                .next(NextAction::Advice {
                    text: "Add a line like USER 10001:10001 to its Dockerfile, or runAsUser to its manifest, then build and deploy"
                        .to_owned(),
                })
                .evidence("Image", format!("{}, user `{}`", image.reference, image.user))
            })
        })
        .collect()
}

/// IMAGE_OVER_BUDGET: larger than slipway.toml allows.
pub fn over_budget(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(project) = facts.project() else {
        return Vec::new();
    };
    facts
        .state
        .images
        .iter()
        .filter_map(|view| {
            let (ImageState::InCluster { image, .. } | ImageState::NotInCluster { image, .. }) =
                &view.state
            else {
                return None;
            };
            let budget = project
                .components
                .iter()
                .find(|component| component.name == view.component)?
                .size_budget_bytes?;
            (image.size_bytes > budget).then(|| {
                Finding::new(
                    "IMAGE_OVER_BUDGET",
                    format!("The image of {} is larger than planned", view.component),
                    format!(
                        "It has {}, and slipway.toml allows {}.",
                        humanize_bytes(image.size_bytes),
                        humanize_bytes(budget)
                    ),
                )
                .attention()
                .about(about(&view.component))
                .next(NextAction::Advice {
                    text: "Leave out what the program does not need, or raise size_budget in slipway.toml".to_owned(),
                })
            })
        })
        .collect()
}
