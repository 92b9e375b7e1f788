//! What is said about proposals and approvals.

use app::model::{ApprovalId, Finding, NextAction};

use crate::adapters::kube::client::KubeError;
use crate::assist::command::Target;

pub fn unknown(id: &ApprovalId) -> Finding {
    Finding::new(
        "APPROVAL_UNKNOWN",
        "There is no such proposal",
        format!("Nothing is known of {id} on the cluster in use. Cards of another cluster come back with it."),
    )
    .next(NextAction::advice("Make the proposal again"))
}

pub fn spent() -> Finding {
    Finding::new(
        "APPROVAL_SPENT",
        "This proposal was decided already",
        "A yes is for one time: what was approved, declined or denied is not asked again.",
    )
    .attention()
    .next(NextAction::advice(
        "Make the proposal again if it is still wanted",
    ))
}

pub fn expired() -> Finding {
    Finding::new(
        "APPROVAL_EXPIRED",
        "The time for this yes is over",
        "The card shows the world as it was some minutes ago.",
    )
    .attention()
    .next(NextAction::advice("Look again, then decide"))
}

pub fn outdated() -> Finding {
    Finding::new(
        "APPROVAL_OUTDATED",
        "What the card showed has changed since",
        "An object is not as it was when the dry run was made. Nothing was run; the card shows how it is now.",
    )
    .attention()
    .next(NextAction::advice("Read the card again, then decide"))
}

pub fn too_many() -> Finding {
    Finding::new(
        "TOO_MANY_PROPOSALS",
        "Too many proposals wait for an answer",
        "Nobody reads so many cards with care.",
    )
    .attention()
    .next(NextAction::advice("Decide about those that wait"))
}

pub fn missing(target: &Target) -> Finding {
    Finding::new(
        "PROPOSAL_OBJECT_MISSING",
        format!("There is no {target}"),
        "The proposal is about an object that is not in the project's namespace.",
    )
    .next(NextAction::advice(
        "Look again when it is there, or decline",
    ))
}

pub fn no_revision(target: &Target) -> Finding {
    Finding::new(
        "PROPOSAL_REFUSED",
        format!("{target} has no such revision"),
        "The Deployment does not keep the revision it is meant to go back to.",
    )
    .next(NextAction::advice(
        "Choose a revision in its history on the Deploy page",
    ))
}

pub fn refused(what: &str, why: &str) -> Finding {
    Finding::new(
        "PROPOSAL_REFUSED",
        "The dry run was refused",
        format!("{what} would not go through as it is."),
    )
    .evidence("Dry run", why.to_owned())
    .next(NextAction::advice(
        "Decline it, or look again after what it says is mended",
    ))
}

pub fn not_asked(error: &KubeError) -> Finding {
    refused("It could not be tried: the change", &error.to_string())
}

pub fn no_kubectl() -> Finding {
    Finding::new(
        "KUBECTL_MISSING",
        "kubectl is not installed",
        "Approved changes are run by kubectl, exactly as the card shows them.",
    )
    .next(NextAction::Command {
        command: "kubectl version --client".to_owned(),
        why: "Install kubectl so that this prints a version".to_owned(),
    })
}

pub fn run_failed(ending: &str, said: &str) -> Finding {
    Finding::new(
        "APPROVED_CHANGE_FAILED",
        "kubectl did not do it",
        format!("It ended with {ending}."),
    )
    .evidence("kubectl", said.to_owned())
    .next(NextAction::advice(
        "Look at what it says; nothing else was run",
    ))
}

pub fn not_healed(code: &str, what: &str) -> Finding {
    Finding::new(
        "FINDING_NOT_HEALED",
        "It was done, and the problem is still there",
        format!("{code} was looked for again and found: {what}."),
    )
    .next(NextAction::advice(
        "Undo the change, or go on from what the diagnosis says now",
    ))
}

pub fn nothing_to_undo() -> Finding {
    Finding::new(
        "NOTHING_TO_UNDO",
        "There is nothing to put back",
        "The change was not made here, was taken back already, or cannot be taken back.",
    )
    .attention()
    .next(NextAction::advice(
        "Look at the card: it says what became of it",
    ))
}

pub fn undo_outdated(what: &str) -> Finding {
    Finding::new(
        "UNDO_OUTDATED",
        "Somebody has changed it since",
        format!("{what} is not as the approved change left it, so putting back the old values could take back more than that."),
    )
    .attention()
    .next(NextAction::advice("Make a new proposal from how it is now"))
}
