//! What is said about kagent.

use std::time::Duration;

use app::model::{Finding, NextAction};

use crate::setup::{OsFamily, install};

fn with_reason(finding: Finding, reason: &str) -> Finding {
    match reason.trim() {
        "" => finding,
        reason => finding.evidence("kagent", reason),
    }
}

/// `has_cli`: whether its command-line tool is on this machine.
pub fn not_installed(has_cli: bool) -> Finding {
    let mut finding = Finding::new(
        "KAGENT_MISSING",
        "kagent is not in this cluster",
        "The cluster has no kind agents.kagent.dev in version v1alpha2, which kagent 0.9 and 0.10 bring.",
    )
    .attention();
    if !has_cli {
        finding.next = install("kagent", OsFamily::detect());
    }
    finding.next(NextAction::Command {
        command: "kagent install --profile minimal".to_owned(),
        why: "Installs it with helm and without agents; it wants the key of a model in its variable, such as OPENAI_API_KEY".to_owned(),
    })
}

pub fn only_looked_at(refused: &Finding) -> Finding {
    let mut finding = Finding::new(
        "KAGENT_NOT_ALLOWED",
        "kagent cannot be asked on this cluster",
        "Its agents act in the cluster, and this one may only be looked at.",
    )
    .attention();
    finding.next.clone_from(&refused.next);
    finding.next(NextAction::advice("Ask the plain assistant: it only looks"))
}

pub fn unreadable(why: &str) -> Finding {
    Finding::new(
        "KAGENT_UNREADABLE",
        "Whether kagent is there cannot be told",
        "The API server did not list its agents and services.",
    )
    .attention()
    .next(NextAction::advice(
        "Ask for the right to list agents.kagent.dev and services in all namespaces",
    ))
    .evidence("API server", why)
}

pub fn no_controller() -> Finding {
    Finding::new(
        "KAGENT_NO_CONTROLLER",
        "kagent's controller is not there",
        "Its kinds are installed, but no namespace has a Service named kagent-controller.",
    )
    .attention()
    .next(NextAction::Command {
        command: "kagent install --profile minimal".to_owned(),
        why: "Installs the rest of it".to_owned(),
    })
}

pub fn unreachable(why: &str) -> Finding {
    with_reason(
        Finding::new(
            "KAGENT_UNREACHABLE",
            "kagent's controller does not answer",
            "It is asked through the API server's proxy to its Service.",
        )
        .next(NextAction::Command {
            command: "kubectl --namespace kagent get pods".to_owned(),
            why: "Shows whether the controller and the agent run".to_owned(),
        }),
        why,
    )
}

pub fn no_such_agent(name: &str, said: &str) -> Finding {
    with_reason(
        Finding::new(
            "KAGENT_NO_SUCH_AGENT",
            format!("kagent has no agent {name}"),
            "It was removed, or its name is another one.",
        )
        .attention()
        .next(NextAction::advice("Choose one of those that are listed")),
        said,
    )
}

pub fn not_ready(name: &str) -> Finding {
    Finding::new(
        "KAGENT_NOT_READY",
        format!("The agent {name} is not ready"),
        "An agent can be asked once it is accepted and its deployment is ready.",
    )
    .attention()
    .next(NextAction::advice("Wait for it, or choose another one"))
}

pub fn no_ready_agent() -> Finding {
    Finding::new(
        "KAGENT_NO_READY_AGENT",
        "None of kagent's agents is ready",
        "An agent can be asked once it is accepted and its deployment is ready.",
    )
    .attention()
    .next(NextAction::Command {
        command: "kubectl get agents.kagent.dev --all-namespaces".to_owned(),
        why: "Shows them with what is missing".to_owned(),
    })
}

pub fn failed(why: &str) -> Finding {
    with_reason(
        Finding::new(
            "KAGENT_FAILED",
            "kagent's agent could not answer",
            "It reported a failure; a wrong key of its model looks like this, too.",
        )
        .next(NextAction::advice(
            "Read what it says, and check its model and key",
        )),
        why,
    )
}

pub fn wants_login(why: &str) -> Finding {
    with_reason(
        Finding::new(
            "KAGENT_WANTS_LOGIN",
            "kagent's agent wants a login",
            "One of its tools needs credentials that Slipway does not have.",
        )
        .next(NextAction::advice("Ask it in kagent's own page")),
        why,
    )
}

pub fn cancelled() -> Finding {
    Finding::new(
        "KAGENT_CANCELLED",
        "Somebody ended the agent's task",
        "It was cancelled in the cluster.",
    )
    .attention()
    .next(NextAction::advice("Ask again"))
}

pub fn broke_off() -> Finding {
    Finding::new(
        "KAGENT_BROKE_OFF",
        "kagent's answer broke off",
        "Its stream ended before its task did; the task was cancelled.",
    )
    .next(NextAction::advice("Ask again"))
}

pub fn stuck(after: Duration) -> Finding {
    Finding::new(
        "KAGENT_STUCK",
        "kagent's agent does not go on",
        format!(
            "Nothing was heard of it for {} s, so its task was cancelled.",
            after.as_secs()
        ),
    )
    .next(NextAction::advice("Ask again, or ask something smaller"))
}

pub fn silent() -> Finding {
    Finding::new(
        "KAGENT_SILENT",
        "kagent's agent ended without an answer",
        "It says that it is done and gives no reason.",
    )
    .next(NextAction::advice("Ask again, or choose another agent"))
}

pub fn asks_otherwise() -> Finding {
    Finding::new(
        "KAGENT_ASKS",
        "kagent's agent asks in a way that is not known",
        "It waits for a person, but names no call that could be refused; its task was cancelled.",
    )
    .next(NextAction::advice("Ask it in kagent's own page"))
}

pub fn too_many_pauses(most: usize) -> Finding {
    Finding::new(
        "KAGENT_INSISTS",
        "kagent's agent insists on changes",
        format!("It was told No {most} times in one answer, so its task was cancelled."),
    )
    .next(NextAction::advice("Decide about the cards that are there"))
}

pub fn agent_not_shown(name: &str) -> Finding {
    Finding::new(
        "KAGENT_AGENT_UNSEEN",
        "Nothing was applied",
        format!("The agent {name} is not what was shown: kagent has moved since."),
    )
    .attention()
    .next(NextAction::advice("Look at it again, then apply it"))
}

pub fn agent_taken(name: &str) -> Finding {
    Finding::new(
        "KAGENT_AGENT_TAKEN",
        format!("There is another agent {name}"),
        "It does not carry Slipway's mark (app.kubernetes.io/managed-by: slipway), so Slipway leaves it alone.",
    )
    .attention()
    .next(NextAction::Command {
        command: "kubectl get agents.kagent.dev --all-namespaces --show-labels".to_owned(),
        why: "Shows whose it is; remove or rename it to have Slipway's".to_owned(),
    })
}

pub fn agent_refused(name: &str, why: &str) -> Finding {
    Finding::new(
        "KAGENT_AGENT_REFUSED",
        format!("The cluster did not take the change of the agent {name}"),
        "The API server's words are below; often it is a right that is missing, or fields that somebody else keeps.",
    )
    .next(NextAction::advice(
        "Ask for the right to change agents.kagent.dev in that namespace, or apply docs/kagent-agent.yaml by hand",
    ))
    .evidence("API server", why)
}
