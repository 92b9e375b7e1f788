//! Volumes that do not come, and pods whose surroundings cannot be made: told in events only.

use app::model::{ContainerState, Finding, NextAction, PodRow};

use super::code::{Code, START};
use super::config::{complained, complaint};
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

/// The kubelet says it again at least every two minutes.
const SAID_LATELY_MS: u64 = 300_000;

pub const CLAIM_NOT_BOUND: Code = Code {
    code: "CLAIM_NOT_BOUND",
    what: "A pod waits for a PersistentVolumeClaim that is not there or has no volume.",
    why: "The claim is not in the manifests, or no storage class makes a volume for it.",
    next: "`kubectl describe pvc` says what it waits for. Add the claim to the manifests, or name a storage class that `kubectl get storageclass` lists.",
    ..START
};

pub const VOLUME_NOT_MOUNTED: Code = Code {
    code: "VOLUME_NOT_MOUNTED",
    what: "A pod waits for a volume that the node cannot mount.",
    why: "The evidence has the node's own words; often a path or a driver that is not there.",
    next: "Correct the volume in the manifest by the evidence, then deploy.",
    ..START
};

pub const POD_SANDBOX_FAILED: Code = Code {
    code: "POD_SANDBOX_FAILED",
    what: "The node cannot set a pod up: its network or its sandbox.",
    why: "The network plugin is not ready, addresses ran out, or the container runtime is unwell.",
    next: "Look at the node (`kubectl describe node`), and start the cluster anew if it does not heal.",
    ..START
};

/// What the newest event about a pod that is only being created says.
pub fn not_mounted(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .pods()
        .filter(|(_, pod)| is_being_created(pod))
        .filter_map(|(component, pod)| {
            let (reason, message) = said(facts, pod)?;
            let name = capitalized(component);
            let lower = message.to_ascii_lowercase();
            let is_claim = lower.contains("persistentvolumeclaim") || lower.contains("pvc ");
            let finding = if reason == SANDBOX {
                POD_SANDBOX_FAILED
                    .finding(
                        format!("The pod of {component} cannot be set up"),
                        "The node cannot make its sandbox or its network.",
                    )
                    .next(NextAction::Command {
                        command: "kubectl describe node".to_owned(),
                        why: "Shows whether the node and its network are ready".to_owned(),
                    })
            } else if is_claim {
                CLAIM_NOT_BOUND
                    .finding(
                        format!("{name} waits for its volume"),
                        "Its pod names a PersistentVolumeClaim that is not there or not bound.",
                    )
                    .next(NextAction::Command {
                        command: format!("kubectl describe pvc{}", facts.namespace_flag()),
                        why: "Shows the claims, and what they wait for".to_owned(),
                    })
            } else if let Some(finding) = complained(component, &complaint(message)) {
                finding
            } else {
                VOLUME_NOT_MOUNTED
                    .finding(
                        format!("{name} waits for its volume"),
                        "The node cannot mount a volume of its pod.",
                    )
                    .next(NextAction::advice(
                        "Correct the volume in the manifest by the message below, then deploy",
                    ))
            };
            Some(
                finding
                    .about(about(component))
                    .evidence(format!("Pod {}, {reason}", pod.name), message.to_owned()),
            )
        })
        .collect()
}

const SANDBOX: &str = "FailedCreatePodSandBox";

/// The newest event about it; or the warning in its row, which outlives the events that are kept.
fn said<'a>(facts: &Facts<'a>, pod: &'a PodRow) -> Option<(&'a str, &'a str)> {
    let event = ["FailedMount", "FailedAttachVolume", SANDBOX]
        .into_iter()
        .flat_map(|reason| facts.events_of(pod, reason))
        .filter(|event| facts.now.since(event.at) < SAID_LATELY_MS)
        .max_by_key(|event| event.at);
    if let Some(event) = event {
        return Some((event.reason.as_str(), event.message.as_str()));
    }
    let why = pod.why_not_ready.as_deref()?;
    let begins = |words: &[&str]| words.iter().any(|word| why.starts_with(word));
    if begins(&["MountVolume.", "AttachVolume.", "Unable to attach or mount"]) {
        Some(("FailedMount", why))
    } else if begins(&["Failed to create pod sandbox"]) {
        Some((SANDBOX, why))
    } else {
        None
    }
}

fn is_being_created(pod: &PodRow) -> bool {
    pod.node.is_some()
        && !pod.ready
        && pod
            .containers
            .iter()
            .all(|container| match &container.state {
                ContainerState::Waiting { reason, .. } => {
                    matches!(
                        reason.as_str(),
                        "" | "ContainerCreating" | "PodInitializing"
                    )
                }
                ContainerState::Unknown => true,
                ContainerState::Running { .. } | ContainerState::Terminated(_) => false,
            })
}
