//! Images: not there, not to be had, or not as they should be.

use app::model::{ContainerState, Finding, ImageState, NextAction, Remedy, StepId, humanize_bytes};

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
    NextAction::Open {
        step: StepId::Deploy,
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

/// IMAGE_PULL: the runtime tried to fetch the image and could not.
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
                    "IMAGE_PULL",
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

/// RUNS_AS_ROOT: the built image has no unprivileged user.
pub fn as_root(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .images
        .iter()
        .filter_map(|view| {
            let (ImageState::InCluster { image, .. } | ImageState::NotInCluster { image }) =
                &view.state
            else {
                return None;
            };
            docker::is_root(&image.user).then(|| {
                Finding::new(
                    "RUNS_AS_ROOT",
                    format!("The image of {} runs as root", view.component),
                    "It names no unprivileged user, so a flaw in the program has the whole container.",
                )
                .attention()
                .about(about(&view.component))
                .next(NextAction::Advice {
                    text: "Add a line like USER 10001:10001 to its Dockerfile, then build again"
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
            let (ImageState::InCluster { image, .. } | ImageState::NotInCluster { image }) =
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
