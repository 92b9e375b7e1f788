//! Containers that end by themselves, again and again.

use app::model::{
    ContainerRow, ContainerState, Finding, NextAction, PodRow, ProbeVerdict, StepId, Termination,
    UnixMillis,
};

use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

/// The newest bad end of a container that is not well now.
fn bad_end(container: &ContainerRow, now: UnixMillis) -> Option<&Termination> {
    if container.ready && !is_restless(container, now) {
        return None;
    }
    let end = match &container.state {
        ContainerState::Terminated(end) => Some(end),
        ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff" => {
            container.last_termination.as_ref()
        }
        ContainerState::Running { .. } if container.restarts > 0 => {
            container.last_termination.as_ref()
        }
        _ => None,
    };
    end.filter(|end| end.exit_code != 0 || container.restarts > 0)
}

/// Up again for a moment between two crashes: without a readiness probe that counts as ready.
fn is_restless(container: &ContainerRow, now: UnixMillis) -> bool {
    const PROVED_AFTER_MS: u64 = 10_000;
    let ended_badly = container
        .last_termination
        .as_ref()
        .is_some_and(|end| end.exit_code != 0);
    container.restarts > 1
        && ended_badly
        && matches!(container.state, ContainerState::Running { since } if now.since(since) < PROVED_AFTER_MS)
}

fn is_oom(end: &Termination) -> bool {
    end.reason == "OOMKilled"
}

/// The kubelet ended it because of a probe; then the probe is the finding.
fn was_killed_by_probe(container: &ContainerRow) -> bool {
    container
        .probes
        .values()
        .any(|probe| matches!(probe.verdict, ProbeVerdict::Killed { .. }))
}

fn last_words(facts: &Facts<'_>, pod: &PodRow, container: &ContainerRow) -> Option<String> {
    let key = (pod.uid.clone(), container.name.clone());
    let lines = facts.logs.get(&key).filter(|lines| !lines.is_empty())?;
    Some(lines.join("\n"))
}

/// OOM_KILLED: it needed more memory than its limit.
pub fn oom_killed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            bad_end(container, facts.now).filter(|end| is_oom(end))?;
            Some(
                Finding::new(
                    "OOM_KILLED",
                    format!("{} ran out of memory", capitalized(component)),
                    format!(
                        "Its container was killed because it needed more than its memory limit; it restarted {}.",
                        times(container.restarts)
                    ),
                )
                .about(about(component))
                .next(NextAction::Advice {
                    text: "Raise resources.limits.memory in its manifest, then deploy".to_owned(),
                })
                .next(NextAction::Open {
                    step: StepId::Live,
                    label: "Look at its pods".to_owned(),
                })
                .evidence(
                    format!("Pod {}, container {}", pod.name, container.name),
                    "OOMKilled, exit code 137",
                ),
            )
        })
        .collect()
}

/// CRASH_LOOP: it ends by itself and is started again with growing pauses.
pub fn crash_loop(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let end = bad_end(container, facts.now).filter(|end| !is_oom(end))?;
            if was_killed_by_probe(container) {
                return None;
            }
            let words = last_words(facts, pod, container);
            let hint = words.as_deref().and_then(likely_cause);
            let mut why = format!("Its program {}", how(end));
            if container.restarts > 0 {
                why.push_str(&format!(" and was restarted {}", times(container.restarts)));
            }
            why.push('.');
            if let Some((cause, _)) = &hint {
                why.push(' ');
                why.push_str(cause);
            }
            let mut finding = Finding::new(
                "CRASH_LOOP",
                format!("{} ends right after it starts", capitalized(component)),
                why,
            )
            .about(about(component));
            if let Some((_, step)) = hint {
                finding = finding.next(NextAction::Open {
                    step,
                    label: format!("Open {}", step.title()),
                });
            }
            finding = finding.next(NextAction::Open {
                step: StepId::Live,
                label: "Read its log".to_owned(),
            });
            let source = format!("Pod {}, container {}", pod.name, container.name);
            finding = match words {
                Some(words) => finding.evidence(format!("{source}, last log lines"), words),
                None if !end.message.is_empty() => finding.evidence(source, end.message.clone()),
                None => finding.evidence(source, "it printed nothing"),
            };
            Some(finding)
        })
        .collect()
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

fn how(end: &Termination) -> String {
    match end.exit_code {
        0 => "ended without an error, though it should stay".to_owned(),
        127 => "was not found in the image (exit code 127)".to_owned(),
        126 => "may not be executed (exit code 126)".to_owned(),
        128 => "could not be started (exit code 128)".to_owned(),
        134 => "aborted (exit code 134)".to_owned(),
        137 => "was killed (exit code 137)".to_owned(),
        139 => "crashed with a memory fault (exit code 139)".to_owned(),
        143 => "was asked to stop (exit code 143)".to_owned(),
        code => format!("ended with exit code {code}"),
    }
}

/// The usual reasons, from the last lines. Only what the words themselves say.
fn likely_cause(words: &str) -> Option<(&'static str, StepId)> {
    let lower = words.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if has(&["address already in use", "eaddrinuse"]) {
        Some(("Its port is already taken inside the pod.", StepId::Deploy))
    } else if has(&[
        "password authentication failed",
        "invalid api key",
        "unauthorized",
    ]) {
        Some((
            "It was refused with the credentials it has.",
            StepId::Secrets,
        ))
    } else if has(&[
        "could not connect to",
        "connection refused",
        "failed to lookup address",
        "name or service not known",
    ]) {
        Some(("It cannot reach something it needs.", StepId::Secrets))
    } else if has(&[
        "is not set",
        "missing environment variable",
        "environment variable not found",
    ]) {
        Some(("It misses a setting.", StepId::Secrets))
    } else {
        None
    }
}
