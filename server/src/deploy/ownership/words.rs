//! The findings of the ownership guard.

use app::model::{DeployMode, Finding, NextAction, ObjectId, Owner, Remedy, StepId, Subject};

/// Objects that are in the way of a deploy by `mode` because `owner` has them.
pub(super) fn owned_by(mode: DeployMode, owner: &Owner, objects: &[&ObjectId]) -> Finding {
    let (things, belong) = match objects {
        [one] => (one.to_string(), "belongs"),
        many => (format!("{} objects", many.len()), "belong"),
    };
    let what = format!("{things} {belong} to {}", owner.title());
    let list = objects
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    let finding = match owner {
        Owner::Raw => Finding::new(
            "OWNED_BY_RAW",
            what,
            "Slipway's raw deploys keep them. A release over them would fight with every raw deploy.",
        )
        .next(take_over(mode, "Plan the switch to Helm"))
        .next(NextAction::Command {
            command: "slipway down".to_owned(),
            why: "Or deletes what the raw deploys applied, before the first release".to_owned(),
        }),
        Owner::Helm { release, namespace } => Finding::new(
            "OWNED_BY_HELM",
            what,
            match mode {
                DeployMode::Raw => "Its next upgrade or rollback would undo what is applied here, so nothing is applied.",
                DeployMode::Helm => "An object can be in one release only.",
            },
        )
        .next(match mode {
            DeployMode::Raw => take_over(mode, "Plan the switch to raw"),
            DeployMode::Helm => NextAction::advice(format!("Use the release name {release}, or uninstall that release first")),
        })
        .next(NextAction::Command {
            command: format!("helm uninstall {release} --namespace {namespace}"),
            why: "Or deletes the release with all its objects".to_owned(),
        }),
        Owner::KubectlApply | Owner::Other { .. } => Finding::new(
            "OWNED_BY_KUBECTL",
            what,
            "They were made another way. Fields you remove from the manifests stay as long as the former owner holds them too.",
        )
        .attention()
        .next(take_over(mode, "Plan to take them over")),
        Owner::OtherProject { project } => Finding::new(
            "OWNED_BY_PROJECT",
            what,
            "Two projects that apply the same object undo each other's work.",
        )
        .next(NextAction::advice(format!("Give this project another namespace in slipway.toml, or remove the objects from {project}"))),
        Owner::Controller { name } => Finding::new(
            "OWNED_BY_CONTROLLER",
            what,
            format!("{name} would put back what it knows within minutes."),
        )
        .next(NextAction::advice(format!("Deploy through {name}, or take these objects out of its hands there"))),
    };
    finding
        .about(Subject::Step {
            step: StepId::Deploy,
        })
        .evidence(format!("Objects of {}", owner.title()), list)
}

/// A change of hands that was broken off.
pub(super) fn unfinished(to: DeployMode) -> Finding {
    Finding::new(
        "HANDOVER_UNFINISHED",
        format!("The switch to {} was broken off", to.title()),
        "Some objects have changed hands and some have not.",
    )
    .about(Subject::Step {
        step: StepId::Deploy,
    })
    .next(take_over(to, "Plan the rest of it"))
}

fn take_over(to: DeployMode, label: &str) -> NextAction {
    NextAction::Do {
        action: Remedy::PlanHandover { to },
        label: label.to_owned(),
    }
}
