//! The row of a pod: its facts together with its events, its ReplicaSet and the clock.

use std::collections::BTreeMap;

use app::model::{
    ComponentName, ContainerRow, ContainerState, PodOwner, PodRow, ProbeKind, ProbeLive,
    ProbeVerdict, Termination, UnixMillis,
};

use super::pod_facts::{ContainerFacts, PodFacts};
use super::probe::{ProbeNews, verdict};

/// News about probes by container and probe.
pub type ProbeNewsOf = BTreeMap<(String, ProbeKind), ProbeNews>;

/// What the row needs beside the pod itself.
#[derive(Debug)]
pub struct Surroundings<'a> {
    pub component: Option<ComponentName>,
    /// Its ReplicaSet is the Deployment's current one; a pod without a ReplicaSet is always current.
    pub current: bool,
    pub stale_secrets: bool,
    pub probe_news: Option<&'a ProbeNewsOf>,
    /// The newest warning about the pod that is neither a probe's nor a restart's.
    pub warning: Option<&'a str>,
    pub now: UnixMillis,
}

pub fn pod_row(pod: &PodFacts, around: &Surroundings<'_>) -> PodRow {
    let containers: Vec<ContainerRow> = pod
        .containers
        .iter()
        .filter(|container| !container.init || is_sidecar(container) || !has_completed(container))
        .map(|container| container_row(container, around))
        .collect();
    PodRow {
        uid: pod.uid.clone(),
        name: pod.name.clone(),
        component: around.component.clone(),
        owner: pod.owner.as_ref().map(|owner| PodOwner {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        }),
        phase: pod.phase.clone(),
        ready: pod.ready,
        terminating: pod.deleted,
        current: around.current,
        created: pod.created,
        ip: pod.ip.clone(),
        node: pod.node.clone(),
        stale_secrets: around.stale_secrets,
        why_not_ready: why_not_ready(pod, &containers, around),
        containers,
    }
}

fn is_sidecar(container: &ContainerFacts) -> bool {
    container.init && matches!(container.state, ContainerState::Running { .. }) && container.started
}

fn has_completed(container: &ContainerFacts) -> bool {
    matches!(&container.state, ContainerState::Terminated(end) if end.exit_code == 0)
}

fn container_row(container: &ContainerFacts, around: &Surroundings<'_>) -> ContainerRow {
    let quiet = ProbeNews::default();
    let probes = container
        .probes
        .iter()
        .map(|(kind, probe)| {
            let news = around
                .probe_news
                .and_then(|news| news.get(&(container.name.clone(), *kind)))
                .unwrap_or(&quiet);
            let live = ProbeLive {
                target: probe.target.clone(),
                period_s: probe.period_s,
                failure_threshold: probe.failure_threshold,
                verdict: verdict(*kind, probe, container, news, around.now),
            };
            (*kind, live)
        })
        .collect();
    ContainerRow {
        name: container.name.clone(),
        image: container.image.clone(),
        image_id: container.image_id.clone(),
        state: container.state.clone(),
        started: container.started,
        ready: container.ready,
        restarts: container.restarts,
        last_termination: container.last_termination.clone(),
        probes,
    }
}

/// The best single sentence about why a pod is not ready, the deepest cause first.
fn why_not_ready(
    pod: &PodFacts,
    containers: &[ContainerRow],
    around: &Surroundings<'_>,
) -> Option<String> {
    if pod.deleted {
        return Some("It is being terminated".to_owned());
    }
    if pod.ready || pod.phase == "Succeeded" {
        return None;
    }
    if let Some(reason) = pod.reason.as_deref().filter(|_| pod.phase == "Failed") {
        return Some(joined(reason, pod.message.as_deref().unwrap_or_default()));
    }
    if let Some(message) = pod.unschedulable.as_deref() {
        return Some(joined("It cannot be placed on a node", message));
    }
    containers
        .iter()
        .filter_map(container_trouble)
        .max_by_key(|(weight, _)| *weight)
        .map(|(_, sentence)| sentence)
        .map(|sentence| match around.warning {
            // While a container is merely being created, a warning says more than its state.
            Some(warning) if sentence.ends_with("is being created") => warning.to_owned(),
            _ => sentence,
        })
        .or_else(|| around.warning.map(str::to_owned))
        .or_else(|| Some("Its containers have no status yet".to_owned()))
}

fn container_trouble(container: &ContainerRow) -> Option<(u8, String)> {
    let name = &container.name;
    if container.ready {
        return None;
    }
    Some(match &container.state {
        ContainerState::Waiting { reason, message } => waiting_trouble(container, reason, message),
        ContainerState::Terminated(end) => (7, format!("{name} {}", ended(end))),
        ContainerState::Running { .. } => probe_trouble(container),
        ContainerState::Unknown => (1, format!("{name} is being created")),
    })
}

fn waiting_trouble(container: &ContainerRow, reason: &str, message: &str) -> (u8, String) {
    let name = &container.name;
    match reason {
        "" | "ContainerCreating" => (1, format!("{name} is being created")),
        "PodInitializing" => (0, format!("{name} waits for the init containers")),
        "CrashLoopBackOff" => {
            let last = container
                .last_termination
                .as_ref()
                .map_or_else(|| "keeps ending".to_owned(), ended);
            let killed = container.probes.iter().find_map(|(kind, probe)| {
                matches!(probe.verdict, ProbeVerdict::Killed { .. }).then_some(*kind)
            });
            let blame = killed.map_or_else(String::new, |kind| {
                format!(" after its {} probe failed", kind.title().to_lowercase())
            });
            (
                8,
                format!("{name} {last}{blame} and is restarted with growing pauses"),
            )
        }
        "ErrImageNeverPull" => (
            9,
            format!(
                "The image {} is not on the node, and it may not be pulled",
                container.image
            ),
        ),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => (
            9,
            joined(
                &format!("The image {} cannot be pulled", container.image),
                message,
            ),
        ),
        "InvalidImageName" | "ImageInspectError" => (
            9,
            joined(
                &format!("The image {} is not usable", container.image),
                message,
            ),
        ),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (9, joined(&format!("{name} cannot be created"), message))
        }
        other => (5, joined(&format!("{name} waits: {other}"), message)),
    }
}

fn probe_trouble(container: &ContainerRow) -> (u8, String) {
    let name = &container.name;
    let failing = |kind: ProbeKind| {
        let probe = container.probes.get(&kind)?;
        match &probe.verdict {
            ProbeVerdict::Failing { message } => Some((
                6,
                joined(
                    &format!(
                        "{name} does not pass its {} probe ({})",
                        kind.title().to_lowercase(),
                        probe.target
                    ),
                    message,
                ),
            )),
            _ => None,
        }
    };
    if !container.started {
        return failing(ProbeKind::Startup).unwrap_or_else(|| {
            if container.probes.contains_key(&ProbeKind::Startup) {
                (3, format!("{name} waits for its startup probe"))
            } else {
                (2, format!("{name} is starting"))
            }
        });
    }
    failing(ProbeKind::Readiness)
        .or_else(|| failing(ProbeKind::Liveness))
        .unwrap_or_else(|| {
            if container.probes.contains_key(&ProbeKind::Readiness) {
                (4, format!("{name} waits for its readiness probe"))
            } else {
                (2, format!("{name} is starting"))
            }
        })
}

/// How a container ended, as a verb phrase.
pub fn ended(end: &Termination) -> String {
    let how = match (end.reason.as_str(), end.exit_code) {
        ("OOMKilled", _) => "was killed for using too much memory".to_owned(),
        (_, 0) => "ended by itself with exit code 0".to_owned(),
        (_, 143) => "was terminated (exit code 143)".to_owned(),
        (_, 137) => "was killed (exit code 137)".to_owned(),
        ("StartError" | "ContainerCannotRun", code) => {
            format!("could not be started (exit code {code})")
        }
        (_, code) => format!("crashed with exit code {code}"),
    };
    match end.message.trim() {
        "" => how,
        message => format!("{how}: {}", first_line(message)),
    }
}

fn joined(what: &str, message: &str) -> String {
    match first_line(message) {
        "" => what.to_owned(),
        message => format!("{what}: {message}"),
    }
}

fn first_line(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(300) {
        Some((at, _)) => &line[..at],
        None => line,
    }
}

#[cfg(test)]
#[path = "pod_row_tests.rs"]
mod tests;
