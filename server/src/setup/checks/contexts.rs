//! The kubeconfig: its files, which contexts answer, and who we are where we are.

use app::model::{CheckState, ClusterChoice, ClusterKind, ClusterOption, Finding, Reach};

use super::Context;
use crate::setup::tool::about;

pub(super) fn check(context: &Context) -> CheckState {
    let broken: Vec<String> = context
        .kubeconfig
        .iter()
        .filter_map(|file| Some(format!("{}: {}", file.path, file.problem.as_ref()?)))
        .collect();
    if !broken.is_empty() {
        let finding = Finding::new(
            "KUBECONFIG_BROKEN",
            "A kubeconfig file cannot be used",
            "Its contexts are missing from the list; those of the other files are there.",
        )
        .attention()
        .about(about("kubeconfig"))
        .next(app::model::NextAction::Command {
            command: "kubectl config view".to_owned(),
            why: "Shows what kubectl makes of it".to_owned(),
        })
        .evidence("What is wrong", broken.join("\n"));
        return CheckState::Broken {
            finding: Box::new(finding),
        };
    }
    let mut evidence = counted(&context.contexts);
    if let Some(who) = &context.who {
        evidence.push_str(&format!("; you are {who}"));
    }
    CheckState::Ok { evidence }
}

/// `3 contexts, 2 answer, 1 of minikube; current: demo`
fn counted(options: &[ClusterOption]) -> String {
    let contexts = || {
        options
            .iter()
            .filter(|option| option.choice != ClusterChoice::Practice)
    };
    let count = |fits: fn(&ClusterOption) -> bool| contexts().filter(|option| fits(option)).count();
    let all = count(|_| true);
    if all == 0 {
        return "no contexts yet".to_owned();
    }
    let plural = if all == 1 { "" } else { "s" };
    let mut text = format!(
        "{all} context{plural}, {} answer",
        count(|option| matches!(option.reach, Reach::Reachable { .. }))
    );
    let minikube = count(|option| matches!(option.kind, ClusterKind::Minikube { .. }));
    if minikube > 0 {
        text.push_str(&format!(", {minikube} of minikube"));
    }
    if let Some(current) = contexts().find(|option| option.current) {
        text.push_str(&format!("; current: {}", current.choice.label()));
    }
    text
}

#[cfg(test)]
mod tests {
    use app::model::Access;

    use super::*;

    fn option(name: &str, answers: bool, kind: ClusterKind) -> ClusterOption {
        ClusterOption {
            choice: ClusterChoice::Context(name.parse().expect("a name")),
            kind,
            server: String::new(),
            reach: match answers {
                true => Reach::Reachable {
                    version: "v1.35.1".into(),
                },
                false => Reach::Unknown,
            },
            current: name == "demo",
            access: Access::Free,
            who: None,
            login_program: None,
        }
    }

    #[test]
    fn contexts_are_counted_in_words() {
        assert_eq!(counted(&[]), "no contexts yet");
        let minikube = ClusterKind::Minikube {
            profile: "demo".into(),
        };
        let options = [
            option("demo", true, minikube),
            option("far", false, ClusterKind::Remote),
        ];
        assert_eq!(
            counted(&options),
            "2 contexts, 1 answer, 1 of minikube; current: demo"
        );
    }
}
