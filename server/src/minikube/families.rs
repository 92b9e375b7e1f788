//! Why minikube failed, as findings. Its ids are an open set and may be replaced by known issues'
//! ones, so the range of the exit code decides first (facts recorded from v1.38.1).

use app::model::{Finding, ProfileName, StepId, Subject};

use super::advice;
use crate::adapters::minikube::events::Fatal;
use crate::setup::OsFamily;

/// The code of a finding and what happened, by the range of the exit code.
fn family(exit: i32) -> (&'static str, &'static str) {
    match exit {
        10..=19 => ("MINIKUBE_USAGE", "minikube does not take these settings"),
        20..=29 => (
            "MINIKUBE_RESOURCES",
            "This machine has too little for the cluster",
        ),
        30..=39 => (
            "MINIKUBE_HOST",
            "Something on this machine keeps the cluster from starting",
        ),
        40..=49 => (
            "MINIKUBE_INTERNET",
            "minikube could not download what it needs",
        ),
        50..=69 => ("MINIKUBE_DRIVER", "minikube's driver does not work here"),
        70..=79 => (
            "MINIKUBE_NETWORK",
            "minikube could not make its local network",
        ),
        80..=89 => ("MINIKUBE_NODE", "The cluster's node did not come up"),
        90..=99 => (
            "MINIKUBE_RUNTIME",
            "The container runtime in the node does not work",
        ),
        100..=109 => (
            "MINIKUBE_CONTROL_PLANE",
            "Kubernetes did not come up in the node",
        ),
        _ => ("MINIKUBE_FAILED", "minikube failed"),
    }
}

/// The finding for a call that ended with this exit code. `fatal` is what minikube said about it,
/// `last_lines` what it printed last.
pub(super) fn finding(
    exit: i32,
    fatal: Option<&Fatal>,
    last_lines: &str,
    profile: &ProfileName,
    os: OsFamily,
) -> Finding {
    let exit = fatal.map_or(exit, |fatal| fatal.exit);
    let (code, what) = family(exit);
    let why = match fatal.map(|fatal| fatal.message.trim()) {
        Some(message) if !message.is_empty() => sentence(message),
        _ => format!("It ended with exit code {exit} and gave no reason."),
    };
    let mut finding = Finding::new(code, what, why).about(subject(profile));
    finding.next = advice::next(exit, fatal, profile, os);
    if let Some(fatal) = fatal {
        finding = finding.evidence(
            "minikube's reason",
            format!("{} (exit code {exit})", fatal.id),
        );
        if !fatal.advice.is_empty() {
            finding = finding.evidence("minikube's advice", fatal.advice.clone());
        }
        if !fatal.url.is_empty() {
            finding = finding.evidence("minikube's page about it", fatal.url.clone());
        }
    }
    if !last_lines.is_empty() {
        finding = finding.evidence("The last lines", last_lines);
    }
    finding
}

pub(super) fn subject(profile: &ProfileName) -> Subject {
    Subject::Object {
        kind: "Profile".to_owned(),
        name: profile.to_string(),
    }
}

/// The first lines of what may be a page, ended like a sentence.
fn sentence(text: &str) -> String {
    let text = text.lines().take(4).collect::<Vec<_>>().join(" ");
    let mut text: String = text.chars().take(600).collect();
    if !text.ends_with(['.', '!', '?', '…']) {
        text.push('.');
    }
    text
}

/// A run cannot begin because of another.
pub(super) fn in_the_way(run: app::model::RunId, kind: app::model::RunKind) -> Finding {
    Finding::new(
        "RUN_IN_PROGRESS",
        format!("\"{}\" is still going", kind.title()),
        "Only one thing at a time is done to a cluster.",
    )
    .attention()
    .about(Subject::Step {
        step: StepId::Setup,
    })
    .next(app::model::NextAction::Do {
        action: app::model::Remedy::CancelRun { run },
        label: "Cancel it".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(exit: i32, id: &str) -> Finding {
        let fatal = Fatal {
            exit,
            id: id.to_owned(),
            message: "it is so".to_owned(),
            ..Fatal::default()
        };
        finding(
            exit,
            Some(&fatal),
            "",
            &"demo".parse().expect("a name"),
            OsFamily::Debian,
        )
    }

    #[test]
    fn an_unknown_id_falls_back_to_the_range_of_its_exit_code() {
        assert_eq!(made(63, "PROVIDER_SOMETHING_NEW").code, "MINIKUBE_DRIVER");
        assert_eq!(made(26, "RSRC_NEW").code, "MINIKUBE_RESOURCES");
        assert_eq!(made(1, "").code, "MINIKUBE_FAILED");
        assert_eq!(made(999, "X").code, "MINIKUBE_FAILED");
    }

    #[test]
    fn a_silent_end_says_so() {
        let profile = "demo".parse().expect("a name");
        let finding = finding(7, None, "line", &profile, OsFamily::Debian);
        assert!(finding.why.contains("exit code 7"));
        assert_eq!(finding.evidence.len(), 1);
    }

    proptest! {
        #[test]
        fn every_end_has_something_to_do_next(exit in -200..300_i32, id in "[A-Z_]{0,30}") {
            prop_assert!(!made(exit, &id).next.is_empty());
        }
    }
}
