//! Probes that fail, and what their messages give away.

use app::model::{
    ComponentName, ContainerRow, ContainerState, Finding, NextAction, PodRow, ProbeKind, ProbeLive,
    ProbeVerdict, StepId,
};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

/// A starting program fails its startup probe until it is up; only after this it is a problem.
const STARTUP_PATIENCE_MS: u64 = 30_000;
/// The first answers may be late; two periods and no less than this.
const READINESS_PATIENCE_MS: u64 = 6_000;

/// PROBE_FAILING: one finding for each component, about the probe that does the most harm.
pub fn failing(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (component, pod, container) in facts.containers() {
        let worst = [
            ProbeKind::Startup,
            ProbeKind::Liveness,
            ProbeKind::Readiness,
        ]
        .into_iter()
        .find_map(|kind| {
            let probe = container.probes.get(&kind)?;
            let message = trouble(facts, container, kind, probe)?;
            Some((kind, probe, message))
        });
        if let Some((kind, probe, message)) = worst {
            findings.push(describe(
                facts, component, pod, container, kind, probe, message,
            ));
        }
    }
    findings
}

/// The message of a probe that fails for longer than starting takes.
fn trouble<'a>(
    facts: &Facts<'_>,
    container: &ContainerRow,
    kind: ProbeKind,
    probe: &'a ProbeLive,
) -> Option<&'a str> {
    let up_ms = match &container.state {
        ContainerState::Running { since } => facts.now.since(*since),
        _ => u64::MAX,
    };
    match &probe.verdict {
        ProbeVerdict::Killed { message } if !container.ready => Some(message),
        ProbeVerdict::Failing { message } => {
            let patience = match kind {
                ProbeKind::Startup if container.restarts == 0 => STARTUP_PATIENCE_MS,
                ProbeKind::Readiness => {
                    READINESS_PATIENCE_MS.max(u64::from(probe.period_s) * 2_000)
                }
                ProbeKind::Startup | ProbeKind::Liveness => 0,
            };
            (up_ms >= patience).then_some(message)
        }
        _ => None,
    }
}

fn describe(
    facts: &Facts<'_>,
    component: &ComponentName,
    pod: &PodRow,
    container: &ContainerRow,
    kind: ProbeKind,
    probe: &ProbeLive,
    message: &str,
) -> Finding {
    let name = capitalized(component);
    let what = match kind {
        ProbeKind::Startup => format!("{name} does not come up"),
        ProbeKind::Liveness => format!("{name} is restarted because it stops answering"),
        ProbeKind::Readiness => format!("{name} is not ready"),
    };
    let view = facts
        .project()
        .and_then(|project| project.components.iter().find(|one| &one.name == component));
    let path = view.and_then(|view| match kind {
        ProbeKind::Startup => view.probes.startup.as_deref(),
        ProbeKind::Liveness => view.probes.liveness.as_deref(),
        ProbeKind::Readiness => view.probes.readiness.as_deref(),
    });
    let (cause, advice) = cause(message, &probe.target, view.map(|view| view.port), path);
    let mut finding = Finding::new(
        "PROBE_FAILING",
        what,
        format!(
            "Its {} probe ({}) fails: {cause}.",
            kind.title().to_lowercase(),
            probe.target
        ),
    )
    .about(about(component))
    .next(NextAction::Advice { text: advice })
    .next(NextAction::Open {
        step: StepId::Live,
        label: "Look at its probes and log".to_owned(),
    })
    .evidence(
        format!("Pod {}, container {}", pod.name, container.name),
        message.to_owned(),
    );
    let key = (pod.uid.clone(), container.name.clone());
    if let Some(lines) = facts.logs.get(&key).filter(|lines| !lines.is_empty()) {
        finding = finding.evidence("Its last log lines", lines.join("\n"));
    }
    // Below the threshold the cluster still counts it as ready.
    if container.ready {
        finding = finding.attention();
    }
    finding
}

/// What the message gives away, and what to do about it.
fn cause(
    message: &str,
    target: &str,
    listens: Option<u16>,
    right_path: Option<&str>,
) -> (String, String) {
    let lower = message.to_ascii_lowercase();
    let asked = target
        .rsplit(':')
        .next()
        .and_then(|port| port.trim().parse::<u16>().ok());
    let status = lower
        .split_once("statuscode: ")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u16>().ok());
    if lower.contains("connection refused") {
        return match (asked, listens) {
            (Some(asked), Some(listens)) if asked != listens => (
                format!("nothing listens on port {asked}, and slipway.toml says the program listens on {listens}"),
                format!("Change the probe's port to {listens} in the manifest, then deploy"),
            ),
            _ => (
                "nothing listens on that port".to_owned(),
                "See in its log which port the program listens on, and that it listens on 0.0.0.0 and not on 127.0.0.1 only".to_owned(),
            ),
        };
    }
    if let (Some(404), Some(right)) = (status, other_path(target, right_path)) {
        return (
            format!("the program has no such path (404), and slipway.toml says {right}"),
            format!("Change the probe's path to {right} in the manifest, then deploy"),
        );
    }
    match status {
        Some(404) => (
            "the program has no such path (404)".to_owned(),
            "Correct the probe's path in the manifest, or add it to the program".to_owned(),
        ),
        Some(code @ (401 | 403)) => (
            format!("the path asks for a login ({code})"),
            "Probe a path that needs no login".to_owned(),
        ),
        Some(503) => (
            "the program says that something it needs is not there (503)".to_owned(),
            "Its log says what it waits for; often a database or a secret".to_owned(),
        ),
        Some(code @ 500..) => (
            format!("the program answers with an error ({code})"),
            "Its log has the error".to_owned(),
        ),
        Some(code) => (
            format!("the program answers {code}, and only 200 to 399 count"),
            "Correct the probe's path, or what the program answers there".to_owned(),
        ),
        None if lower.contains("deadline exceeded") || lower.contains("timeout") || lower.contains("timed out") => (
            "the program does not answer in time".to_owned(),
            "See whether it is busy or stuck; a larger timeoutSeconds helps where it is merely slow".to_owned(),
        ),
        None if lower.contains("no such host") => (
            "the host it names does not exist".to_owned(),
            "Remove `host` from the probe: it asks the pod itself then".to_owned(),
        ),
        None => (
            "its message below says how".to_owned(),
            "Correct the probe or the program by the message below".to_owned(),
        ),
    }
}

/// The path slipway.toml names for the probe, if the probe asks another.
fn other_path<'a>(target: &str, right: Option<&'a str>) -> Option<&'a str> {
    let (asked, _) = target.split_once("GET ")?.1.rsplit_once(" :")?;
    right.filter(|right| *right != asked)
}
