//! The findings of this room.

use app::model::{
    ClusterChoice, ContextName, Finding, GoingRuns, NextAction, Remedy, RunId, RunKind, StepId,
    Subject,
};

use crate::adapters::kube::kubeconfig::ContextRow;

fn about_setup(finding: Finding) -> Finding {
    finding.about(Subject::Step {
        step: StepId::Setup,
    })
}

pub(super) fn no_cluster() -> Finding {
    about_setup(
        Finding::new(
            "NO_CLUSTER",
            "There is no cluster to work with",
            "No cluster is in use, so nothing can be read or changed.",
        )
        .next(use_practice())
        .next(open_setup()),
    )
}

pub(super) fn unreachable(choice: &ClusterChoice, server: &str, why: &str) -> Finding {
    let finding = Finding::new(
        "CLUSTER_UNREACHABLE",
        format!("The cluster {} does not answer", choice.label()),
        format!("{server}: {why}. What the page shows is the last that was heard."),
    );
    let finding = match choice {
        ClusterChoice::Practice => finding.next(NextAction::Do {
            action: Remedy::UsePractice,
            label: "Start it again".to_owned(),
        }),
        ClusterChoice::Context(name) => finding
            .next(NextAction::Command {
                command: format!(
                    "kubectl --context {} get --raw /readyz",
                    shell_word(name.as_str())
                ),
                why: "Asks the same question outside Slipway".to_owned(),
            })
            .next(use_practice()),
    };
    about_setup(finding.next(open_setup()))
}

pub(super) fn unknown_context(name: &ContextName, known: &[ContextRow]) -> Finding {
    let closest = known
        .iter()
        .map(|row| row.name.as_str())
        .map(|other| (strsim::jaro_winkler(other, name.as_str()), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let why = match (closest, known.is_empty()) {
        (Some((_, other)), _) => {
            format!("The kubeconfig has no such context; did you mean {other}?")
        }
        (None, true) => "The kubeconfig has no context at all.".to_owned(),
        (None, false) => format!(
            "The kubeconfig has: {}.",
            known
                .iter()
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    about_setup(
        Finding::new(
            "CONTEXT_UNKNOWN",
            format!("There is no context {name}"),
            why,
        )
        .next(use_practice())
        .next(open_setup()),
    )
}

pub(super) fn unusable_context(name: &ContextName, why: &str) -> Finding {
    about_setup(
        Finding::new(
            "CONTEXT_UNUSABLE",
            format!("The context {name} cannot be used"),
            format!("No connection can be made from what the kubeconfig says: {why}."),
        )
        .next(use_practice())
        .next(open_setup()),
    )
}

pub(super) fn practice_failed(why: &str) -> Finding {
    about_setup(
        Finding::new(
            "PRACTICE_NOT_STARTED",
            "The practice cluster did not start",
            format!("It failed to {why}."),
        )
        .next(NextAction::Do {
            action: Remedy::UsePractice,
            label: "Try again".to_owned(),
        }),
    )
}

pub(super) fn remote_unconfirmed(name: &ContextName, server: &str) -> Finding {
    about_setup(
        Finding::new(
            "REMOTE_CLUSTER_UNCONFIRMED",
            format!("{name} can only be looked at so far"),
            format!(
                "Its API server is {server}, which is not this machine, so others may depend on it. Nothing is changed there before you typed its name."
            ),
        )
        .attention()
        .next(NextAction::Do {
            action: Remedy::AllowChanges {
                context: name.clone(),
            },
            label: "Type its name…".to_owned(),
        })
        .next(NextAction::Command {
            command: format!("slipway up --cluster {}", shell_word(name.as_str())),
            why: "Typed on the command line, the name counts as typed".to_owned(),
        })
        .next(use_practice()),
    )
}

pub(super) fn name_not_typed(name: &ContextName) -> Finding {
    about_setup(
        Finding::new(
            "REMOTE_NAME_DIFFERS",
            "That is not its name",
            format!("Changes are allowed once exactly {name} is typed."),
        )
        .attention()
        .next(NextAction::Do {
            action: Remedy::AllowChanges {
                context: name.clone(),
            },
            label: "Type its name…".to_owned(),
        }),
    )
}

pub(super) fn run_in_the_way(run: RunId, kind: RunKind, wanted: &ClusterChoice) -> Finding {
    about_setup(
        Finding::new(
            "RUN_IN_PROGRESS",
            format!("\"{}\" is still going", kind.title()),
            format!(
                "It works with the cluster in use. Run {run} has to end before {} can be used.",
                wanted.label()
            ),
        )
        .attention()
        .next(NextAction::Do {
            action: Remedy::UseCluster {
                choice: wanted.clone(),
                going: GoingRuns::Cancel,
            },
            label: "Cancel it and switch".to_owned(),
        })
        .next(NextAction::Advice {
            text: "Or wait for it to end".to_owned(),
        }),
    )
}

fn use_practice() -> NextAction {
    NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".to_owned(),
    }
}

fn open_setup() -> NextAction {
    NextAction::Open {
        step: StepId::Setup,
        label: "Choose a cluster".to_owned(),
    }
}

/// Quoted for a shell where needed; commands are meant to be copied.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_context_is_answered_with_the_likely_one() {
        let row = ContextRow {
            name: "minikube".parse().expect("a name"),
            kind: app::model::ClusterKind::OtherLocal,
            server: String::new(),
            current: false,
            runs_program: false,
            authority: String::new(),
        };
        let finding = unknown_context(&"minkube".parse().expect("a name"), &[row]);
        assert!(
            finding.why.contains("did you mean minikube?"),
            "{}",
            finding.why
        );
    }

    #[test]
    fn a_command_to_copy_is_one_shell_word() {
        assert_eq!(shell_word("kind-dev"), "kind-dev");
        assert_eq!(shell_word("a b; rm 'x'"), "'a b; rm '\\''x'\\'''");
    }
}
