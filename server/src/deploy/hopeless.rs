//! When a rollout cannot succeed any more without someone acting, and what to say then.

use std::time::Duration;

use app::model::{
    ContainerRow, ContainerState, Finding, NextAction, PodRow, ProbeLive, ProbeVerdict, Remedy,
    StepId, Subject,
};

use super::causes;

/// A container that will not start by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub reason: String,
    pub container: String,
    /// How long it must stay that way before it is believed: some things heal.
    pub patience: Duration,
    /// Whether the log of the container before the last restart has the cause.
    pub look_back: bool,
}

/// The first container of a pod that will not start by itself.
pub fn trouble(pod: &PodRow) -> Option<Trouble> {
    if pod.terminating || pod.ready {
        return None;
    }
    if pod.phase == "Pending"
        && pod.node.is_none()
        && let Some(why) = &pod.why_not_ready
        && why.starts_with(NO_NODE)
    {
        return Some(Trouble {
            reason: UNSCHEDULABLE.to_owned(),
            container: String::new(),
            // Old pods that end make room, and nodes may be added.
            patience: Duration::from_secs(30),
            look_back: false,
        });
    }
    pod.containers.iter().find_map(container_trouble)
}

const UNSCHEDULABLE: &str = "Unschedulable";
/// How a pod's row begins to say that the scheduler found no node for it.
const NO_NODE: &str = "It cannot be placed";

fn container_trouble(container: &ContainerRow) -> Option<Trouble> {
    let ContainerState::Waiting { reason, .. } = &container.state else {
        return None;
    };
    let seconds = match reason.as_str() {
        "InvalidImageName" => 0,
        // The image may be on its way into the node.
        "ErrImageNeverPull" => 10,
        // The Secret may be set just now.
        "CreateContainerConfigError" => 10,
        "CreateContainerError" | "RunContainerError" | "PostStartHookError" => 10,
        "ImagePullBackOff" => 10,
        "ErrImagePull" | "ImageInspectError" | "RegistryUnavailable" => 30,
        // A dependency may need a moment: two restarts are granted.
        "CrashLoopBackOff" if container.restarts >= 2 => 2,
        _ => return None,
    };
    Some(Trouble {
        reason: reason.clone(),
        container: container.name.clone(),
        patience: Duration::from_secs(seconds),
        look_back: reason == "CrashLoopBackOff",
    })
}

/// The finding for a workload one of whose pods is in trouble. `log` are the last lines of it.
pub fn finding(
    workload: &str,
    namespace: &str,
    pod: &PodRow,
    trouble: &Trouble,
    log: &[String],
) -> Finding {
    let why = pod
        .why_not_ready
        .clone()
        .unwrap_or_else(|| trouble.reason.clone());
    let subject = match &pod.component {
        Some(component) => Subject::Component {
            component: component.clone(),
        },
        None => Subject::Object {
            kind: "Pod".to_owned(),
            name: pod.name.clone(),
        },
    };
    if trouble.reason == UNSCHEDULABLE {
        let message = why.split_once(": ").map_or(why.as_str(), |(_, rest)| rest);
        return causes::no_node(workload, subject, &pod.name, namespace, message);
    }
    let (code, next) = match trouble.reason.as_str() {
        "ErrImageNeverPull" => (
            "IMAGE_NEVER_PULL",
            vec![
                NextAction::Do {
                    action: Remedy::BuildImages,
                    label: "Build the images".to_owned(),
                },
                open(StepId::Images, "Open Images"),
            ],
        ),
        "ErrImagePull"
        | "ImagePullBackOff"
        | "RegistryUnavailable"
        | "InvalidImageName"
        | "ImageInspectError" => (
            "IMAGE_PULL_FAILED",
            vec![open(StepId::Images, "Open Images")],
        ),
        "CreateContainerConfigError" => (
            "CONTAINER_CONFIG",
            vec![open(StepId::Secrets, "Open Secrets")],
        ),
        "CrashLoopBackOff" => (
            "CRASH_LOOP",
            vec![open(StepId::Assist, "See what Slipway makes of it")],
        ),
        _ => (
            "CONTAINER_NOT_CREATED",
            vec![open(StepId::Assist, "See what Slipway makes of it")],
        ),
    };
    let mut finding = Finding::new(
        code,
        format!("{workload} cannot start"),
        format!("{why} (pod {}).", pod.name),
    );
    finding.subject = subject;
    finding.next = next;
    for container in pod
        .containers
        .iter()
        .filter(|container| container.name == trouble.container)
    {
        if let ContainerState::Waiting { message, .. } = &container.state
            && !message.is_empty()
        {
            finding = finding.evidence(
                format!("Pod {}, container {}", pod.name, container.name),
                message.clone(),
            );
        }
    }
    if !log.is_empty() {
        finding = finding.evidence(
            format!(
                "Pod {}, container {}, last log lines",
                pod.name, trouble.container
            ),
            log.join("\n"),
        );
    }
    finding
}

/// The probe that keeps a pod from being ready, in words, with its container: the best cause there
/// is for a rollout that stands still while its pods run.
pub fn failing_probe(pod: &PodRow) -> Option<(&ContainerRow, String)> {
    pod.containers
        .iter()
        .filter(|container| !container.ready)
        .find_map(|container| {
            container.probes.iter().find_map(|(kind, probe)| {
                let message = failed(probe)?;
                let what = format!("{} probe {}", kind.title(), probe.target);
                Some((container, format!("{what}: {message}")))
            })
        })
}

fn failed(probe: &ProbeLive) -> Option<&str> {
    match &probe.verdict {
        ProbeVerdict::Failing { message } | ProbeVerdict::Killed { message } => Some(message),
        ProbeVerdict::Waiting { .. } | ProbeVerdict::Passing => None,
    }
}

fn open(step: StepId, label: &str) -> NextAction {
    NextAction::Open {
        step,
        label: label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::UnixMillis;
    use std::collections::BTreeMap;

    fn pod(reason: &str, restarts: u32) -> PodRow {
        PodRow {
            uid: "u".into(),
            name: "backend-x".into(),
            component: Some("backend".parse().expect("a name")),
            owner: None,
            phase: "Pending".into(),
            ready: false,
            terminating: false,
            current: true,
            created: UnixMillis(0),
            ip: None,
            node: None,
            stale_secrets: false,
            containers: vec![ContainerRow {
                name: "backend".into(),
                image: "todo-backend:1".into(),
                image_id: String::new(),
                state: ContainerState::Waiting {
                    reason: reason.into(),
                    message: "because".into(),
                },
                started: false,
                ready: false,
                restarts,
                last_termination: None,
                probes: BTreeMap::new(),
            }],
            why_not_ready: Some("backend crashed with exit code 1".into()),
        }
    }

    #[test]
    fn what_may_heal_by_itself_is_waited_for() {
        for (reason, restarts, hopeless) in [
            ("ErrImageNeverPull", 0, true),
            ("CreateContainerConfigError", 0, true),
            ("CrashLoopBackOff", 1, false),
            ("CrashLoopBackOff", 2, true),
            ("ContainerCreating", 0, false),
            ("PodInitializing", 0, false),
            ("SomethingNew", 0, false),
        ] {
            assert_eq!(
                trouble(&pod(reason, restarts)).is_some(),
                hopeless,
                "{reason} {restarts}"
            );
        }
        let mut leaving = pod("ErrImageNeverPull", 0);
        leaving.terminating = true;
        assert_eq!(trouble(&leaving), None);
    }

    #[test]
    fn a_pod_without_a_node_is_given_time_and_then_named() {
        let mut pod = pod("ContainerCreating", 0);
        pod.why_not_ready = Some(
            "It cannot be placed on a node: 0/1 nodes are available: 1 Insufficient memory.".into(),
        );
        let trouble = trouble(&pod).expect("in trouble");
        assert_eq!(trouble.patience, Duration::from_secs(30));
        let finding = finding("backend", "todo", &pod, &trouble, &[]);
        assert_eq!(finding.code, "NODE_MEMORY_SHORT");
        assert!(finding.why.contains("memory"));
        assert!(finding.evidence[0].text.starts_with("0/1 nodes"));
    }

    #[test]
    fn the_finding_carries_cause_evidence_and_a_first_step() {
        let pod = pod("CrashLoopBackOff", 3);
        let trouble = trouble(&pod).expect("in trouble");
        assert!(trouble.look_back);
        let finding = finding(
            "backend",
            "todo",
            &pod,
            &trouble,
            &["panicked at main".to_owned()],
        );
        assert_eq!(finding.code, "CRASH_LOOP");
        assert!(finding.why.contains("exit code 1"));
        assert!(
            finding
                .evidence
                .iter()
                .any(|evidence| evidence.text.contains("panicked"))
        );
        assert!(!finding.next.is_empty());
    }
}
