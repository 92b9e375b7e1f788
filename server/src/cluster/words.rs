//! The findings of this room.

use app::model::{
    ClusterChoice, ClusterKind, ContextName, DesktopApp, Finding, GoingRuns, NextAction,
    ProfileAct, Remedy, RunId, RunKind, StepId, Subject,
};

use super::Connected;
use super::why::{NodeState, Symptom};
use crate::adapters::docker::DaemonProblem;
use crate::adapters::kind::{k3d_node, kind_node};
use crate::adapters::kube::client::{ConnectError, KubeError, LoginError};
use crate::adapters::kube::kubeconfig::ContextRow;

fn about_setup(finding: Finding) -> Finding {
    finding.about(Subject::Step {
        step: StepId::Setup,
    })
}

/// Ends with the way out that is always there.
fn or_another(finding: Finding) -> Finding {
    about_setup(finding.next(use_practice()).next(open_setup()))
}

fn command(command: String, why: &str) -> NextAction {
    NextAction::Command {
        command,
        why: why.to_owned(),
    }
}

pub(super) fn no_cluster() -> Finding {
    or_another(Finding::new(
        "NO_CLUSTER",
        "There is no cluster to work with",
        "No cluster is in use, so nothing can be read or changed.",
    ))
}

/// A cluster in use was lost; what the page shows is the last that was heard.
pub(super) fn lost(connected: &Connected, symptom: &Symptom) -> Finding {
    trouble(
        &connected.choice,
        &connected.kind,
        &connected.server,
        symptom,
    )
}

/// A cluster that was chosen did not answer.
pub(super) fn no_answer(connected: &Connected, error: &KubeError) -> Finding {
    lost(connected, &Symptom::of_error(error))
}

fn trouble(choice: &ClusterChoice, kind: &ClusterKind, server: &str, symptom: &Symptom) -> Finding {
    let name = choice.label();
    let unreachable = |why: String| {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("The cluster {name} does not answer"),
            why,
        )
    };
    let finding = match symptom {
        Symptom::Unauthorized => Finding::new(
            "CLUSTER_LOGIN_REFUSED",
            format!("{name} does not let you in"),
            format!(
                "{server} answers, and does not accept the credentials of the kubeconfig: they ended, were taken back, or belong to a cluster that was made anew."
            ),
        )
        .next(NextAction::advice("Log in again, or renew the context; Slipway notices it by itself")),
        Symptom::NoLogin(why) => Finding::new(
            "LOGIN_FAILED",
            format!("Logging in to {name} failed"),
            format!("{}.", capitalized(why)),
        ),
        Symptom::Untrusted(why) => Finding::new(
            "CLUSTER_UNTRUSTED",
            format!("{name} is not the server that the kubeconfig expects"),
            format!(
                "{server} shows a certificate that the context's certificate authority did not sign, or that is for another name. The cluster was made anew, or something else answers there."
            ),
        )
        .evidence("TLS", why.clone()),
        Symptom::UnknownName(why) => Finding::new(
            "CLUSTER_NAME_UNKNOWN",
            format!("The address of {name} is not known here"),
            format!("The name in {server} cannot be looked up: the network or a VPN is missing, or the cluster is gone."),
        )
        .evidence("Name look-up", why.clone())
        .next(NextAction::advice("Connect to the network or VPN that this cluster is in")),
        Symptom::NotReady(why) => Finding::new(
            "CLUSTER_NOT_READY",
            format!("{name} is not ready"),
            format!("{server} answers and says that it is not ready: it is starting, or a part of it is broken."),
        )
        .evidence("readyz", why.clone()),
        Symptom::Silent(limit) => unreachable(format!(
            "{server} gives no answer within {} s. It is frozen, paused, or the way to it is interrupted. What the page shows is the last that was heard.",
            limit.as_secs_f32()
        )),
        Symptom::Refused => unreachable(format!(
            "Nobody listens at {server}: the cluster is stopped, or it moved to another port. What the page shows is the last that was heard."
        )),
        Symptom::Other(why) => unreachable(format!(
            "{server}: {}. What the page shows is the last that was heard.",
            if why.is_empty() { "the connection is being made anew" } else { why }
        )),
    };
    let finding = match (choice, symptom) {
        (ClusterChoice::Practice, _) => finding.next(NextAction::Do {
            action: Remedy::UsePractice,
            label: "Start it again".to_owned(),
        }),
        (_, Symptom::Untrusted(_) | Symptom::Unauthorized) => with(finding, repair(kind)),
        (_, Symptom::Silent(_) | Symptom::Refused | Symptom::Other(_)) => {
            with(finding, start(kind))
        }
        _ => finding,
    };
    let finding = match choice {
        ClusterChoice::Practice => finding,
        ClusterChoice::Context(name) => finding.next(command(
            format!(
                "kubectl --context {} get --raw /readyz",
                shell_word(name.as_str())
            ),
            "Asks the same question outside Slipway",
        )),
    };
    or_another(finding)
}

/// What the tool that runs the nodes says; none when all is well there.
pub(super) fn node(kind: &ClusterKind, state: NodeState) -> Option<Finding> {
    let name = label(kind);
    let finding = match state {
        NodeState::Running => return None,
        NodeState::Paused => Finding::new(
            "CLUSTER_PAUSED",
            format!("{name} is paused"),
            "Its Kubernetes is frozen and keeps everything as it was; nothing runs or answers until it goes on.",
        )
        .next(go_on(kind)),
        NodeState::Stopped => with(
            Finding::new(
                "CLUSTER_STOPPED",
                format!("{name} is stopped"),
                "Its node does not run: it was stopped, or docker was restarted. What is deployed there comes back with it.",
            ),
            start(kind),
        ),
        NodeState::Gone => with(
            Finding::new(
                "CLUSTER_GONE",
                format!("The node of {name} is gone"),
                "The machine or container it ran on does not exist any more; what was deployed there went with it.",
            ),
            start(kind),
        ),
        NodeState::Moved => with(
            Finding::new(
                "CLUSTER_MOVED",
                format!("The context of {name} points elsewhere"),
                "The cluster runs, but its address or port changed with a restart, and the kubeconfig still has the old one.",
            ),
            repair(kind),
        ),
    };
    Some(or_another(finding))
}

pub(super) fn no_daemon(kind: &ClusterKind, problem: DaemonProblem, said: &str) -> Finding {
    let name = label(kind);
    let finding = match problem {
        DaemonProblem::NotAllowed => Finding::new(
            "CONTAINER_RUNTIME_REFUSES",
            format!("{name} cannot be looked at: docker does not let you in"),
            "Its node is a container, and this user may not use docker's socket.",
        )
        .next(command(
            "sudo usermod -aG docker \"$USER\" && newgrp docker".to_owned(),
            "Lets you use docker; whoever may do that is as good as root on this machine",
        )),
        DaemonProblem::NotRunning | DaemonProblem::Other => Finding::new(
            "CONTAINER_RUNTIME_DOWN",
            format!("{name} is down because docker is"),
            "Its node is a container, and docker's daemon does not answer.",
        )
        .next(if cfg!(target_os = "linux") {
            command("sudo systemctl start docker".to_owned(), "Starts docker")
        } else {
            NextAction::advice("Start Docker Desktop")
        }),
    };
    or_another(finding.evidence("docker", first_lines(said)))
}

fn with(finding: Finding, action: Option<NextAction>) -> Finding {
    match action {
        Some(action) => finding.next(action),
        None => finding,
    }
}

fn label(kind: &ClusterKind) -> String {
    match kind {
        ClusterKind::Minikube { profile } => format!("The minikube cluster {profile}"),
        ClusterKind::Kind { name } => format!("The kind cluster {name}"),
        ClusterKind::K3d { name } => format!("The k3d cluster {name}"),
        _ => "The cluster".to_owned(),
    }
}

/// Makes a stopped cluster run.
fn start(kind: &ClusterKind) -> Option<NextAction> {
    let line = match kind {
        ClusterKind::Minikube { profile } => {
            return Some(minikube(ProfileAct::Start, profile, "Start it"));
        }
        ClusterKind::Kind { name } => format!("docker start {}", shell_word(&kind_node(name))),
        ClusterKind::K3d { name } => format!("k3d cluster start {}", shell_word(name)),
        ClusterKind::Desktop { app } => {
            return Some(match app {
                DesktopApp::DockerDesktop => NextAction::advice(
                    "Start Docker Desktop and turn Kubernetes on in its settings",
                ),
                DesktopApp::RancherDesktop => {
                    command("rdctl start".to_owned(), "Starts Rancher Desktop")
                }
                DesktopApp::Colima => command(
                    "colima start --kubernetes".to_owned(),
                    "Starts Colima with Kubernetes",
                ),
                DesktopApp::OrbStack => {
                    command("orb start k8s".to_owned(), "Starts OrbStack's Kubernetes")
                }
            });
        }
        ClusterKind::Practice | ClusterKind::OtherLocal | ClusterKind::Remote => return None,
    };
    Some(command(line, "Starts it; Slipway notices it by itself"))
}

/// Slipway does it itself; where the profile has a name it would not touch, a person can.
fn minikube(act: ProfileAct, profile: &str, label: &str) -> NextAction {
    match profile.parse() {
        Ok(profile) => NextAction::Do {
            action: Remedy::Minikube { act, profile },
            label: label.to_owned(),
        },
        Err(_) => {
            let verb = match act {
                ProfileAct::Unpause => "unpause",
                ProfileAct::Repair => "update-context",
                _ => "start",
            };
            command(
                format!("minikube {verb} --profile {}", shell_word(profile)),
                "Slipway notices by itself when it is done",
            )
        }
    }
}

/// Makes a paused cluster go on.
fn go_on(kind: &ClusterKind) -> NextAction {
    let why = "Lets it go on; Slipway notices it by itself";
    match kind {
        ClusterKind::Minikube { profile } => minikube(ProfileAct::Unpause, profile, "Unpause it"),
        ClusterKind::Kind { name } => command(
            format!("docker unpause {}", shell_word(&kind_node(name))),
            why,
        ),
        ClusterKind::K3d { name } => command(
            format!("docker unpause {}", shell_word(&k3d_node(name))),
            why,
        ),
        _ => NextAction::advice("Let it go on where it was paused"),
    }
}

/// Makes the kubeconfig point at the cluster again.
fn repair(kind: &ClusterKind) -> Option<NextAction> {
    let line = match kind {
        ClusterKind::Minikube { profile } => {
            return Some(minikube(ProfileAct::Repair, profile, "Repair the context"));
        }
        ClusterKind::Kind { name } => format!("kind export kubeconfig --name {}", shell_word(name)),
        ClusterKind::K3d { name } => format!(
            "k3d kubeconfig merge {} --kubeconfig-merge-default",
            shell_word(name)
        ),
        _ => return None,
    };
    Some(command(
        line,
        "Writes the context anew; Slipway notices it by itself",
    ))
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
        (None, false) => {
            const SHOWN: usize = 8;
            let names: Vec<_> = known
                .iter()
                .take(SHOWN)
                .map(|row| row.name.as_str())
                .collect();
            let more = known.len().saturating_sub(SHOWN);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("The kubeconfig has: {}{more}.", names.join(", "))
        }
    };
    or_another(Finding::new(
        "CONTEXT_UNKNOWN",
        format!("There is no context {name}"),
        why,
    ))
}

/// The kubeconfig, or the login it asks for, gives no client.
pub(super) fn unusable_context(
    name: &ContextName,
    kind: &ClusterKind,
    error: &ConnectError,
) -> Finding {
    let finding = match error {
        ConnectError::Login(login) => login_failed(name, login),
        ConnectError::Ended { subject, ended } => with(
            Finding::new(
                "CREDENTIALS_ENDED",
                format!("The client certificate for {name} has ended"),
                format!("The certificate of {subject} was good until {ended}; the cluster does not accept it any more."),
            ),
            // Starting it makes new certificates where they are minikube's own.
            match kind {
                ClusterKind::Minikube { .. } => start(kind),
                _ => repair(kind),
            },
        )
        .next(NextAction::advice("Or get a new kubeconfig from whoever runs the cluster")),
        ConnectError::AuthProvider(provider) => {
            let how = match provider.as_str() {
                "gcp" => "gcloud components install gke-gcloud-auth-plugin && gcloud container clusters get-credentials CLUSTER",
                "azure" => "kubelogin convert-kubeconfig",
                _ => "kubectl oidc-login setup",
            };
            Finding::new(
                "AUTH_PROVIDER_REMOVED",
                format!("The context {name} logs in the old way"),
                format!("Its user has the auth provider `{provider}`. Kubernetes took these out in version 1.26; a login program (`exec`) is used instead."),
            )
            .next(command(how.to_owned(), "Changes the kubeconfig to a login program"))
        }
        ConnectError::Incomplete(why)
        | ConnectError::Proxy(why)
        | ConnectError::Client(why) => Finding::new(
            "CONTEXT_UNUSABLE",
            format!("The context {name} cannot be used"),
            format!("No connection can be made from what the kubeconfig says: {why}."),
        )
        .next(command(
            format!("kubectl config view --minify --context {}", shell_word(name.as_str())),
            "Shows what the kubeconfig says about it, without the secrets",
        )),
        ConnectError::Material { what, why } => with(
            Finding::new(
                "CREDENTIALS_UNREADABLE",
                format!("The {what} of {name} cannot be read"),
                format!("{}.", capitalized(why)),
            ),
            repair(kind),
        ),
    };
    or_another(finding)
}

fn login_failed(name: &ContextName, error: &LoginError) -> Finding {
    let why = format!("{}.", capitalized(&error.to_string()));
    match error {
        LoginError::Missing { program, hint } => {
            let finding = Finding::new(
                "LOGIN_PROGRAM_MISSING",
                format!("{program} is needed to log in to {name}"),
                format!("{why} The kubeconfig names it for getting credentials."),
            );
            with(finding, hint.as_ref().map(|hint| NextAction::advice(hint.clone())))
                .next(NextAction::advice(format!("Install {program}, or put it on the PATH that Slipway was started with")))
        }
        LoginError::Failed { stderr, .. } => {
            let finding =
                Finding::new("LOGIN_FAILED", format!("Logging in to {name} failed"), why).next(
                    command(
                        format!("kubectl --context {} get namespaces", shell_word(name.as_str())),
                        "Runs the same program where it can ask you something",
                    ),
                );
            if stderr.is_empty() {
                finding
            } else {
                finding.evidence("Standard error of the login program", stderr.clone())
            }
        }
        LoginError::WantsTerminal { program } => Finding::new(
            "LOGIN_WANTS_TERMINAL",
            format!("Logging in to {name} needs a terminal"),
            format!("{why} The kubeconfig says interactiveMode: Always for {program}, and Slipway has no terminal to lend."),
        )
        .next(NextAction::advice("Set interactiveMode: IfAvailable and log in once in a terminal, so that it has a session to use")),
        LoginError::TokenFile { .. } => Finding::new(
            "CREDENTIALS_UNREADABLE",
            format!("The token of {name} cannot be read"),
            why,
        ),
    }
}

/// Whether a finding tells more than that nobody answers.
pub(super) fn is_about_credentials(finding: &Finding) -> bool {
    !matches!(
        finding.code.as_str(),
        "CLUSTER_UNREACHABLE" | "CLUSTER_NOT_READY" | "CLUSTER_NAME_UNKNOWN" | "NO_CLUSTER"
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
        .next(type_its_name(name))
        .next(command(
            format!("slipway up --cluster {}", shell_word(name.as_str())),
            "Typed on the command line, the name counts as typed",
        ))
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
        .next(type_its_name(name)),
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
        .next(NextAction::advice("Or wait for it to end")),
    )
}

fn type_its_name(name: &ContextName) -> NextAction {
    NextAction::Do {
        action: Remedy::AllowChanges {
            context: name.clone(),
        },
        label: "Type its name…".to_owned(),
    }
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

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn first_lines(text: &str) -> String {
    text.lines().take(6).collect::<Vec<_>>().join("\n")
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
        let row = |name: &str| ContextRow {
            name: name.parse().expect("a name"),
            kind: ClusterKind::OtherLocal,
            server: String::new(),
            current: false,
            login_program: None,
            authority: String::new(),
        };
        let misspelt = "minkube".parse().expect("a name");
        let finding = unknown_context(&misspelt, &[row("minikube")]);
        assert!(
            finding.why.contains("did you mean minikube?"),
            "{}",
            finding.why
        );
        let many: Vec<_> = (0..50)
            .map(|number| row(&format!("prod-{number}")))
            .collect();
        let finding = unknown_context(&misspelt, &many);
        assert!(finding.why.ends_with("and 42 more."), "{}", finding.why);
    }

    #[test]
    fn a_paused_stopped_or_moved_cluster_comes_with_what_mends_it() {
        let minikube = ClusterKind::Minikube {
            profile: "demo".into(),
        };
        let odd = ClusterKind::Minikube {
            profile: "a b".into(),
        };
        let kind = ClusterKind::Kind { name: "dev".into() };
        let act = |act| NextAction::Do {
            action: Remedy::Minikube {
                act,
                profile: "demo".parse().expect("a name"),
            },
            label: String::new(),
        };
        let line = |line: &str| command(line.to_owned(), "");
        let cases = [
            (
                &minikube,
                NodeState::Paused,
                "CLUSTER_PAUSED",
                act(ProfileAct::Unpause),
            ),
            (
                &minikube,
                NodeState::Stopped,
                "CLUSTER_STOPPED",
                act(ProfileAct::Start),
            ),
            (
                &minikube,
                NodeState::Moved,
                "CLUSTER_MOVED",
                act(ProfileAct::Repair),
            ),
            (
                &odd,
                NodeState::Stopped,
                "CLUSTER_STOPPED",
                line("minikube start --profile 'a b'"),
            ),
            (
                &kind,
                NodeState::Stopped,
                "CLUSTER_STOPPED",
                line("docker start dev-control-plane"),
            ),
            (
                &kind,
                NodeState::Paused,
                "CLUSTER_PAUSED",
                line("docker unpause dev-control-plane"),
            ),
        ];
        for (kind, state, code, wanted) in cases {
            let finding = node(kind, state).expect("a finding");
            assert_eq!(finding.code, code);
            let same = match (&finding.next[0], &wanted) {
                (NextAction::Do { action: one, .. }, NextAction::Do { action: two, .. }) => {
                    one == two
                }
                (
                    NextAction::Command { command: one, .. },
                    NextAction::Command { command: two, .. },
                ) => one == two,
                _ => false,
            };
            assert!(same, "{:?}", finding.next);
        }
        assert_eq!(node(&kind, NodeState::Running), None);
    }

    #[test]
    fn a_command_to_copy_is_one_shell_word() {
        assert_eq!(shell_word("kind-dev"), "kind-dev");
        assert_eq!(shell_word("a b; rm 'x'"), "'a b; rm '\\''x'\\'''");
    }
}
