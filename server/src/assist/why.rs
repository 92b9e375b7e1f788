//! Why a pod is not ready, in one sentence: what the kubelet says, joined with what Slipway knows
//! besides: the Secret's missing key, the last termination, what the log tells, and its own request.

use std::collections::BTreeMap;

use app::model::{ContainerRow, ContainerState, OwnAnswer, OwnProbe, PodRow, ProbeVerdict};

use super::facts::Facts;
use super::rules::{Complaint, complaint, told_by};
use crate::live::pod_row::ended;

/// With thousands of pods nobody reads every sentence.
const MOST: usize = 50;
const LONGEST_LINE: usize = 160;

/// The sentences that say more than the pods' rows do, by UID.
pub fn reasons(facts: &Facts<'_>) -> BTreeMap<String, String> {
    facts
        .all_pods()
        .filter(|(_, pod)| pod.phase != "Failed")
        .filter_map(|(_, pod)| {
            let own = facts.state.own_probes.get(&pod.uid);
            let log_of = |container: &ContainerRow| facts.log_of(pod, container);
            let sentence = why_not_ready(pod, own.map_or(&[], Vec::as_slice), log_of)?;
            (pod.why_not_ready.as_ref() != Some(&sentence)).then(|| (pod.uid.clone(), sentence))
        })
        .take(MOST)
        .collect()
}

/// The sentence about one pod; none when it is ready.
pub fn why_not_ready<'a>(
    pod: &PodRow,
    own: &[OwnProbe],
    log_of: impl Fn(&ContainerRow) -> &'a [String],
) -> Option<String> {
    let plain = pod.why_not_ready.clone()?;
    if pod.terminating || pod.node.is_none() {
        return Some(plain);
    }
    // The one the row speaks of, else the first that is not ready.
    let waits = |container: &&ContainerRow| !container.ready;
    let named = |container: &&ContainerRow| plain.starts_with(container.name.as_str());
    let containers = &pod.containers;
    let Some(container) = containers
        .iter()
        .filter(waits)
        .find(named)
        .or_else(|| containers.iter().find(waits))
    else {
        return Some(plain);
    };
    if let Some(missing) = missing(container) {
        return Some(missing);
    }
    let log = log_of(container);
    let clauses = [
        cause(log),
        own_request(container, own),
        ended_before(container),
        last_line(log),
    ];
    let sentence = std::iter::once(plain)
        .chain(clauses.into_iter().flatten())
        .collect::<Vec<_>>()
        .join("; ");
    Some(sentence)
}

/// What it waits for, where the kubelet's message names it.
fn missing(container: &ContainerRow) -> Option<String> {
    let ContainerState::Waiting { message, .. } = &container.state else {
        return None;
    };
    let name = &container.name;
    let what = match complaint(message) {
        Complaint::SecretKey { key, secret } if !secret.is_empty() => {
            format!("the key {key}, which the Secret {secret} does not have")
        }
        Complaint::ConfigMapKey { key, map } if !map.is_empty() => {
            format!("the key {key}, which the ConfigMap {map} does not have")
        }
        Complaint::Secret { secret } => format!("the Secret {secret}, which is not there"),
        Complaint::ConfigMap { map } => format!("the ConfigMap {map}, which is not there"),
        _ => return None,
    };
    Some(format!("{name} waits for {what}"))
}

/// `it cannot find the host of something it needs`
fn cause(log: &[String]) -> Option<String> {
    told_by(log).map(|told| {
        told.cause
            .replacen("It ", "it ", 1)
            .replacen("Its ", "its ", 1)
    })
}

/// What our own request of a failing probe was answered. Without the time it took: that changes
/// with every request.
fn own_request(container: &ContainerRow, own: &[OwnProbe]) -> Option<String> {
    let (kind, _) = container
        .probes
        .iter()
        .find(|(_, probe)| matches!(probe.verdict, ProbeVerdict::Failing { .. }))?;
    let own = own.iter().find(|own| own.is_of(&container.name, *kind))?;
    let with =
        |status: &Option<u16>| status.map_or_else(String::new, |status| format!(" with {status}"));
    match &own.answer {
        OwnAnswer::Failed { status, .. } => Some(format!(
            "Slipway's own request fails{} as well",
            with(status)
        )),
        OwnAnswer::Passed { status, .. } => {
            Some(format!("Slipway's own request passes{}", with(status)))
        }
        OwnAnswer::NotAsked { .. } => None,
    }
}

/// How it ended before it came up again. What is down now says that itself.
fn ended_before(container: &ContainerRow) -> Option<String> {
    let end = container.last_termination.as_ref()?;
    let is_up = matches!(container.state, ContainerState::Running { .. });
    is_up.then(|| format!("before that it {}", ended(end)))
}

fn last_line(log: &[String]) -> Option<String> {
    let told = told_by(log).map(|told| told.line);
    let line = told.or_else(|| {
        let lines = log.iter().rev().map(String::as_str);
        lines.into_iter().find(|line| !line.trim().is_empty())
    })?;
    let line = line.trim();
    let end = line
        .char_indices()
        .nth(LONGEST_LINE)
        .map_or(line.len(), |(at, _)| at);
    let dots = if end < line.len() { "…" } else { "" };
    Some(format!("its log says \"{}{dots}\"", &line[..end]))
}

#[cfg(test)]
mod tests {
    use app::model::*;

    use super::*;

    fn pod(state: ContainerState, why: &str) -> PodRow {
        PodRow {
            uid: "u".into(),
            name: "backend-1".into(),
            component: None,
            phase: "Running".into(),
            ready: false,
            terminating: false,
            owner: None,
            current: true,
            created: UnixMillis(0),
            ip: None,
            node: Some("n".into()),
            stale_secrets: false,
            containers: vec![ContainerRow {
                name: "backend".into(),
                image: "i".into(),
                image_id: String::new(),
                state,
                started: true,
                ready: false,
                restarts: 2,
                last_termination: None,
                probes: BTreeMap::new(),
            }],
            why_not_ready: Some(why.into()),
        }
    }

    fn running() -> ContainerState {
        ContainerState::Running {
            since: UnixMillis(0),
        }
    }

    fn failing(pod: &mut PodRow) {
        pod.containers[0].probes.insert(
            ProbeKind::Readiness,
            ProbeLive {
                target: "GET /ready :8000".into(),
                period_s: 1,
                failure_threshold: 3,
                verdict: ProbeVerdict::Failing {
                    message: "503".into(),
                },
            },
        );
    }

    fn own(answer: OwnAnswer) -> Vec<OwnProbe> {
        vec![OwnProbe {
            pod: "u".into(),
            container: "backend".into(),
            kind: ProbeKind::Readiness,
            at: UnixMillis(0),
            answer,
            in_a_row: 1,
        }]
    }

    #[test]
    fn everything_known_about_a_failing_probe_is_in_one_sentence() {
        let mut pod = pod(
            running(),
            "backend does not pass its readiness probe (GET /ready :8000): 503",
        );
        failing(&mut pod);
        pod.containers[0].last_termination = Some(Termination {
            exit_code: 1,
            reason: "Error".into(),
            message: String::new(),
            finished: None,
        });
        let log = vec![
            "up".to_owned(),
            "could not translate host name \"db\"".to_owned(),
        ];
        let own = own(OwnAnswer::Failed {
            status: Some(503),
            took_ms: 7,
            why: "x".into(),
        });
        assert_eq!(
            why_not_ready(&pod, &own, |_| &log).as_deref(),
            Some(
                "backend does not pass its readiness probe (GET /ready :8000): 503; \
                 it cannot find the host of something it needs; \
                 Slipway's own request fails with 503 as well; \
                 before that it crashed with exit code 1; \
                 its log says \"could not translate host name \"db\"\""
            )
        );
    }

    #[test]
    fn a_missing_key_is_named_instead_of_the_kubelet_s_words() {
        let waits = ContainerState::Waiting {
            reason: "CreateContainerConfigError".into(),
            message: "couldn't find key DATABASE_URL in Secret todo/todo-secrets".into(),
        };
        let pod = pod(waits, "backend cannot be created: couldn't find key …");
        assert_eq!(
            why_not_ready(&pod, &[], |_| &[]).as_deref(),
            Some(
                "backend waits for the key DATABASE_URL, which the Secret todo-secrets does not have"
            )
        );
    }

    #[test]
    fn where_nothing_more_is_known_the_row_s_own_words_stay() {
        let mut pod = pod(running(), "backend waits for its readiness probe");
        assert_eq!(why_not_ready(&pod, &[], |_| &[]), pod.why_not_ready);
        failing(&mut pod);
        let passes = own(OwnAnswer::Passed {
            status: Some(200),
            took_ms: 1,
        });
        assert_eq!(
            why_not_ready(&pod, &passes, |_| &[]).as_deref(),
            Some("backend waits for its readiness probe; Slipway's own request passes with 200")
        );
        pod.terminating = true;
        assert_eq!(why_not_ready(&pod, &passes, |_| &[]), pod.why_not_ready);
        pod.why_not_ready = None;
        assert_eq!(why_not_ready(&pod, &passes, |_| &[]), None);
    }

    #[test]
    fn the_last_words_of_a_crash_are_joined_even_where_they_tell_no_cause() {
        let ended = ContainerState::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: String::new(),
        };
        let pod = pod(
            ended,
            "backend crashed with exit code 3 and is restarted with growing pauses",
        );
        let log = vec!["panicked at main.rs".to_owned(), String::new()];
        assert_eq!(
            why_not_ready(&pod, &[], |_| &log).as_deref(),
            Some(
                "backend crashed with exit code 3 and is restarted with growing pauses; its log says \"panicked at main.rs\""
            )
        );
    }
}
