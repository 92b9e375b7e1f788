//! Images a pod waits for: not on the node, not to be had from a registry, or not nameable.

use app::model::{ContainerState, Finding, ImageState, NextAction, PodRow, Remedy};

use super::code::{Code, START};
use super::image::{build, deploy};
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const IMAGE_NEVER_PULL: Code = Code {
    code: "IMAGE_NEVER_PULL",
    what: "A pod's image is not on the node, or nobody has shown that it is, and its pull policy is Never.",
    why: "The image was not built for this cluster, or the manifest names another tag than the one that was built.",
    next: "Build the images, or deploy the one that is in the cluster. The pod heals by itself when the image appears.",
    ..START
};

pub const IMAGE_NAME_INVALID: Code = Code {
    code: "IMAGE_NAME_INVALID",
    what: "The image a pod asks for cannot be the name of an image.",
    why: "Repositories are written in lower case, and a tag comes after one colon; often a variable was left unreplaced or stayed empty.",
    next: "Correct `image` in the manifest or in the chart's values, then deploy.",
    ..START
};

pub const IMAGE_NOT_FOUND: Code = Code {
    code: "IMAGE_NOT_FOUND",
    what: "The registry answers that it has no such image.",
    why: "The tag was never pushed, or the name is misspelt. An image that was built here is in no registry at all.",
    next: "For an image that is built here: build it, and set `imagePullPolicy: Never`. Else push it, or correct its name.",
    ..START
};

pub const REGISTRY_REFUSES: Code = Code {
    code: "REGISTRY_REFUSES",
    what: "The registry does not give the image to this cluster.",
    why: "It has no such repository, or asks for a login that the pod does not bring: registries answer both alike.",
    next: "For an image that is built here: build it, and set `imagePullPolicy: Never`. Else make a pull secret with `kubectl create secret docker-registry` and name it in `imagePullSecrets`.",
    ..START
};

pub const REGISTRY_LIMIT: Code = Code {
    code: "REGISTRY_LIMIT",
    what: "The registry has given this address too many images for now.",
    why: "Public registries count what is fetched without a login.",
    next: "Wait until the limit is over, log in, or load the image into the cluster and set `imagePullPolicy: IfNotPresent`.",
    ..START
};

pub const REGISTRY_UNREACHABLE: Code = Code {
    code: "REGISTRY_UNREACHABLE",
    what: "The cluster cannot reach the registry.",
    why: "The node has no way out, its name server does not know the registry, or a proxy is missing.",
    next: "See whether the node is online (`minikube ssh -- curl -I` the registry), or load the image into the cluster and set `imagePullPolicy: IfNotPresent`.",
    ..START
};

pub const IMAGE_PULL_FAILED: Code = Code {
    code: "IMAGE_PULL_FAILED",
    what: "The cluster tries to fetch an image and cannot.",
    why: "The pull policy allows or demands fetching, and the evidence has the runtime's own words.",
    next: "Set `imagePullPolicy: Never` for images that are built here, then deploy.",
    ..START
};

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
            let mut finding = IMAGE_NEVER_PULL.finding(format!("{} cannot start without its image", capitalized(component)),
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

/// Why an image does not come.
pub fn pull(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let ContainerState::Waiting { reason, message } = &container.state else {
                return None;
            };
            let told = told(facts, pod, message);
            let code = code(reason, &told)?;
            let image = &container.image;
            let why = match code.code {
                "IMAGE_NAME_INVALID" => format!("`{image}` is not a valid image name."),
                "IMAGE_NOT_FOUND" => format!("The registry has no {image}."),
                "REGISTRY_REFUSES" => {
                    format!("The registry has no {image}, or gives it only after a login.")
                }
                "REGISTRY_LIMIT" => format!(
                    "The registry refuses {image} for now: too much was fetched from it without a login."
                ),
                "REGISTRY_UNREACHABLE" => {
                    format!("The node cannot reach the registry of {image}.")
                }
                _ if reason == "ImageInspectError" => {
                    format!("The cluster cannot read the image {image}.")
                }
                _ => format!("The cluster tries to fetch {image} and cannot."),
            };
            let finding = code
                .finding(
                    format!("{} cannot get its image", capitalized(component)),
                    why,
                )
                .about(about(component))
                .evidence(format!("Pod {}, {reason}", pod.name), told);
            Some(match code.code {
                "IMAGE_NAME_INVALID" => finding.next(deploy()).next(NextAction::advice("Correct the image in the manifest or in the chart's values")),
                _ => finding.next(build()).next(deploy()).next(NextAction::advice("An image that was built here must not be fetched: set imagePullPolicy: Never in the manifest, then deploy")),
            })
        })
        .collect()
}

/// What the runtime said. While it waits for the next try, older kubelets tell that in an event only.
fn told(facts: &Facts<'_>, pod: &PodRow, message: &str) -> String {
    if message.contains(": ") {
        return message.to_owned();
    }
    facts
        .events_of(pod, "Failed")
        .find(|event| event.message.starts_with("Failed to pull image"))
        .map_or_else(|| message.to_owned(), |event| event.message.clone())
}

fn code(reason: &str, told: &str) -> Option<&'static Code> {
    let lower = told.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    let code = match reason {
        "InvalidImageName" => &IMAGE_NAME_INVALID,
        "ImageInspectError" if has(&["invalid reference format", "couldn't parse image"]) => {
            &IMAGE_NAME_INVALID
        }
        "ImageInspectError" => &IMAGE_PULL_FAILED,
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => {
            if has(&["toomanyrequests", "too many requests", "rate limit"]) {
                &REGISTRY_LIMIT
            } else if has(&[
                "no such host",
                "i/o timeout",
                "connection refused",
                "deadline exceeded",
                "network is unreachable",
                "no route to host",
                "connection reset",
            ]) {
                &REGISTRY_UNREACHABLE
            } else if has(&[
                "access denied",
                "unauthorized",
                "authentication required",
                "authorization failed",
                "403 forbidden",
            ]) {
                &REGISTRY_REFUSES
            } else if has(&["not found", "manifest unknown", "name unknown"]) {
                &IMAGE_NOT_FOUND
            } else {
                &IMAGE_PULL_FAILED
            }
        }
        _ => return None,
    };
    Some(code)
}
