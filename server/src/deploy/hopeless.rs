//! When a rollout cannot succeed any more without someone acting, and what to say then.

use std::time::Duration;

use app::model::{
    ContainerRow, ContainerState, Finding, NextAction, PodRow, Remedy, StepId, Subject,
};

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
    pod.containers.iter().find_map(container_trouble)
}

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
pub fn finding(workload: &str, pod: &PodRow, trouble: &Trouble, log: &[String]) -> Finding {
    let why = pod
        .why_not_ready
        .clone()
        .unwrap_or_else(|| trouble.reason.clone());
    let (code, next) = match trouble.reason.as_str() {
        "ErrImageNeverPull" => (
            "IMAGE_NOT_IN_CLUSTER",
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
            "IMAGE_NOT_PULLED",
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
    finding.subject = match &pod.component {
        Some(component) => Subject::Component {
            component: component.clone(),
        },
        None => Subject::Object {
            kind: "Pod".to_owned(),
            name: pod.name.clone(),
        },
    };
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
    fn the_finding_carries_cause_evidence_and_a_first_step() {
        let pod = pod("CrashLoopBackOff", 3);
        let trouble = trouble(&pod).expect("in trouble");
        assert!(trouble.look_back);
        let finding = finding("backend", &pod, &trouble, &["panicked at main".to_owned()]);
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
