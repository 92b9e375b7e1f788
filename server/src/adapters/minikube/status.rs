//! `minikube status`: its exit code is a bit mask and an answer, not a failure, so the output is read
//! first. One node is an object, several are an array, a removed node is `null`, and an unknown
//! profile is CloudEvents with exit code 85.

use std::time::Duration;

use app::model::{ContextState, ProfileName, ProfileState};
use serde::Deserialize;

use super::{events, minikube};
use crate::process::{Captured, CommandSpec, Ending};

/// The profile does not exist.
const NOT_FOUND: i32 = 85;

/// Asks for the state of a profile's nodes.
pub fn status(profile: &ProfileName) -> CommandSpec {
    minikube()
        .args(["status", "--output", "json", "--profile", profile.as_str()])
        .deadline(Duration::from_secs(20))
}

/// One node as minikube sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeStatus {
    pub name: String,
    pub host: String,
    pub kubelet: String,
    #[serde(rename = "APIServer")]
    pub api_server: String,
    pub kubeconfig: String,
    #[serde(default)]
    pub worker: bool,
}

/// What the answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// At least one.
    Nodes(Vec<NodeStatus>),
    /// The node's machine is not there any more.
    Gone,
    NotFound,
    /// Nothing that can be read.
    Nonsense,
}

/// Reads the output of [`status`].
pub fn parse_status(stdout: &str, exit: Option<i32>) -> Status {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Many(Vec<NodeStatus>),
        One(NodeStatus),
    }
    let text = stdout.trim();
    if text == "null" {
        return Status::Gone;
    }
    match serde_json::from_str(text) {
        Ok(Answer::One(node)) => return Status::Nodes(vec![node]),
        Ok(Answer::Many(nodes)) if !nodes.is_empty() => return Status::Nodes(nodes),
        Ok(Answer::Many(_)) => return Status::Gone,
        Err(_) => {}
    }
    let first = text.lines().next().map(events::parse);
    let is_event = matches!(first, Some(events::Event::Info(_)));
    match (is_event, exit) {
        (true, Some(NOT_FOUND)) => Status::NotFound,
        _ => Status::Nonsense,
    }
}

/// What it means for the profile as a whole; none when there is no such profile.
pub fn profile_state(captured: &Captured) -> Option<(ProfileState, ContextState)> {
    let exit = match captured.ending {
        Ending::Exited(code) => Some(code),
        _ => None,
    };
    Some(match parse_status(&captured.stdout, exit) {
        Status::Nodes(nodes) => (of_nodes(&nodes), context_of(&nodes)),
        Status::Gone => (ProfileState::Gone, ContextState::Unknown),
        Status::NotFound => return None,
        Status::Nonsense => {
            let why = match captured.ending {
                Ending::TimedOut { after } => {
                    format!("minikube did not answer within {} s", after.as_secs())
                }
                Ending::Exited(code) => {
                    format!("minikube answered with exit code {code} and nothing that can be read")
                }
                Ending::Signaled(signal) => format!("minikube was killed by signal {signal}"),
                Ending::Cancelled { .. } => "the question was cancelled".to_owned(),
            };
            (ProfileState::Unknown { why }, ContextState::Unknown)
        }
    })
}

fn of_nodes(nodes: &[NodeStatus]) -> ProfileState {
    let Some(first) = nodes.iter().find(|node| !node.worker).or(nodes.first()) else {
        return ProfileState::Gone;
    };
    if nodes.iter().any(|node| node.host == "InsufficientStorage") {
        return ProfileState::Full;
    }
    match (first.host.as_str(), first.api_server.as_str()) {
        ("Nonexistent", _) => ProfileState::Gone,
        ("Stopped" | "Saved", _) => ProfileState::Stopped,
        ("Starting", _) | ("Running", "Starting") => ProfileState::Starting,
        ("Stopping", _) => ProfileState::Stopping,
        ("Running", "Paused") => ProfileState::Paused,
        ("Running", "Running") if first.kubelet == "Running" => {
            match nodes.iter().find(|node| node.host != "Running") {
                Some(other) => ProfileState::Partly {
                    why: format!("The node {} is {}", other.name, lower(&other.host)),
                },
                None => ProfileState::Running,
            }
        }
        ("Running", api) => ProfileState::Partly {
            why: format!(
                "The API server is {}, the kubelet is {}",
                lower(api),
                lower(&first.kubelet)
            ),
        },
        (host, _) => ProfileState::Partly {
            why: format!("The node is {}", lower(host)),
        },
    }
}

fn context_of(nodes: &[NodeStatus]) -> ContextState {
    let first = nodes.iter().find(|node| !node.worker);
    match first.map(|node| node.kubeconfig.as_str()) {
        Some("Configured") => ContextState::Configured,
        Some("Misconfigured") => ContextState::Misconfigured,
        _ => ContextState::Unknown,
    }
}

fn lower(word: &str) -> String {
    match word {
        "" => "unknown".to_owned(),
        "Error" => "in error".to_owned(),
        "Timeout" => "not answering".to_owned(),
        "Nonexistent" => "missing".to_owned(),
        other => other.chars().take(60).collect::<String>().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(stdout: &str, exit: i32) -> Captured {
        Captured {
            ending: Ending::Exited(exit),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            truncated: false,
        }
    }

    fn state(stdout: &str, exit: i32) -> Option<ProfileState> {
        profile_state(&captured(stdout, exit)).map(|(state, _)| state)
    }

    fn node(host: &str, kubelet: &str, api: &str, config: &str) -> String {
        format!(
            r#"{{"Name":"minikube","Host":"{host}","Kubelet":"{kubelet}","APIServer":"{api}","Kubeconfig":"{config}","Worker":false}}"#
        )
    }

    #[test]
    fn every_recorded_answer_has_its_meaning() {
        let cases = [
            (
                node("Running", "Running", "Running", "Configured"),
                0,
                ProfileState::Running,
            ),
            (
                node("Running", "Running", "Running", "Misconfigured"),
                4,
                ProfileState::Running,
            ),
            (
                node("Running", "Stopped", "Paused", "Configured"),
                2,
                ProfileState::Paused,
            ),
            (
                node("Stopped", "Stopped", "Stopped", "Stopped"),
                7,
                ProfileState::Stopped,
            ),
            (
                node("Nonexistent", "Nonexistent", "Nonexistent", "Nonexistent"),
                7,
                ProfileState::Gone,
            ),
            (
                node("InsufficientStorage", "Running", "Running", "Configured"),
                1,
                ProfileState::Full,
            ),
            ("null".to_owned(), 7, ProfileState::Gone),
            ("[]".to_owned(), 7, ProfileState::Gone),
        ];
        for (stdout, exit, expected) in cases {
            assert_eq!(state(&stdout, exit), Some(expected), "{stdout}");
        }
        let broken = state(&node("Running", "Running", "Stopped", "Configured"), 2);
        assert!(matches!(broken, Some(ProfileState::Partly { .. })));
    }

    #[test]
    fn several_nodes_are_one_profile() {
        let worker = |host: &str| {
            format!(
                r#"{{"Name":"m-m02","Host":"{host}","Kubelet":"Running","APIServer":"Irrelevant","Kubeconfig":"Irrelevant","Worker":true}}"#
            )
        };
        let first = node("Running", "Running", "Running", "Configured");
        let good = format!("[{first},{}]", worker("Running"));
        assert_eq!(state(&good, 0), Some(ProfileState::Running));
        let bad = format!("[{},{first}]", worker("Stopped"));
        assert!(
            matches!(state(&bad, 1), Some(ProfileState::Partly { why }) if why.contains("m-m02"))
        );
    }

    #[test]
    fn an_unknown_profile_is_told_from_an_answer_that_cannot_be_read() {
        let info = r#"{"specversion":"1.0","type":"io.k8s.sigs.minikube.info","data":{"message":"Profile \"x\" not found."}}"#;
        assert_eq!(state(info, 85), None);
        assert!(matches!(state(info, 1), Some(ProfileState::Unknown { .. })));
        assert!(matches!(
            state("panic: index out of range", 2),
            Some(ProfileState::Unknown { .. })
        ));
    }

    #[test]
    fn the_context_is_that_of_the_control_plane() {
        let of = |text: &str| profile_state(&captured(text, 4)).map(|(_, context)| context);
        let wrong = node("Running", "Running", "Running", "Misconfigured");
        assert_eq!(of(&wrong), Some(ContextState::Misconfigured));
        assert_eq!(of("null"), Some(ContextState::Unknown));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_and_none_that_is_not_known_is_called_running(
            host in "[A-Za-z]{0,12}", kubelet in "[A-Za-z]{0,12}", api in "[A-Za-z]{0,12}", exit in 0..256
        ) {
            let running = [&host, &kubelet, &api].iter().all(|word| *word == "Running");
            let found = state(&node(&host, &kubelet, &api, "Configured"), exit);
            prop_assert_eq!(found == Some(ProfileState::Running), running);
        }

        #[test]
        fn no_output_breaks_the_reader(text in ".{0,200}", exit in 0..256) {
            let found = state(&text, exit);
            prop_assert_ne!(found, Some(ProfileState::Running));
        }
    }
}
