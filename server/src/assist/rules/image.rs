//! Built images: gone, older than the newest, larger than planned, or of root.

use app::model::{
    ComponentName, Finding, ImageState, NextAction, Remedy, Rollout, RunKind, StepId,
    humanize_bytes,
};

use super::code::{Code, NOT_STARTED, UPKEEP};
use super::config::RUNS_AS_ROOT;
use crate::adapters::docker;
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const IMAGE_NOT_IN_CLUSTER: Code = Code {
    code: "IMAGE_NOT_IN_CLUSTER",
    follows: NOT_STARTED,
    what: "A built image is not in the cluster's runtime.",
    why: "It was removed, the cluster was made anew, or handing it over did not work. Pods that run go on; a new one cannot start.",
    next: "Build again. If it happens again, see whether the node has space.",
    ..UPKEEP
};

pub const IMAGE_OUTDATED: Code = Code {
    code: "IMAGE_OUTDATED",
    follows: NOT_STARTED,
    what: "The pods run another image than the one that was built last.",
    why: "The image was built after the last deploy.",
    next: "Deploy.",
    ..UPKEEP
};

pub const IMAGE_OVER_BUDGET: Code = Code {
    code: "IMAGE_OVER_BUDGET",
    what: "An image is larger than `size_budget` allows.",
    why: "It carries more than the program needs.",
    next: "Leave out what is not needed, or raise `size_budget` in `slipway.toml`.",
    ..UPKEEP
};

pub fn build() -> NextAction {
    NextAction::Do {
        action: Remedy::BuildImages,
        label: "Build images".to_owned(),
    }
}

pub fn deploy() -> NextAction {
    NextAction::Do {
        action: Remedy::Deploy,
        label: "Deploy the built image".to_owned(),
    }
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
                IMAGE_NOT_IN_CLUSTER.finding(format!("The image of {} is not in the cluster", view.component),
                    format!(
                        "{} was built, and the cluster's runtime does not list it. Pods that run go on; a new one could not start.",
                        image.reference
                    ),
                )
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
                IMAGE_OUTDATED
                    .finding(
                        format!("{component} runs another image than the one built"),
                        format!(
                            "Its pods run {}, and the newest image in the cluster is {}.",
                            live.image, image.reference
                        ),
                    )
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
                RUNS_AS_ROOT.finding(format!("{} runs as root", capitalized(&view.component)),
                    "Neither its image nor its manifest names an unprivileged user, so a flaw in the program has the whole container.",
                )
                .attention()
                .about(about(&view.component))
                .next(NextAction::advice("Add a line like USER 10001:10001 to its Dockerfile, or runAsUser to its manifest, then build and deploy"))
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
                IMAGE_OVER_BUDGET.finding(format!("The image of {} is larger than planned", view.component),
                    format!(
                        "It has {}, and slipway.toml allows {}.",
                        humanize_bytes(image.size_bytes),
                        humanize_bytes(budget)
                    ),
                )
                .about(about(&view.component))
                .next(NextAction::advice("Leave out what the program does not need, or raise size_budget in slipway.toml"))
            })
        })
        .collect()
}
