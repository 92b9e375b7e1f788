//! What a probe says. Kubernetes has no field "probe passed", so the verdict is derived:
//! status is the truth, events are the explanation, and silence never means recovered.

use app::model::{ContainerState, ProbeKind, ProbeVerdict, UnixMillis};

use super::pod_facts::{ContainerFacts, ProbeFacts};

/// The newest failure of one probe of one container, as an Event told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    pub message: String,
    pub at: UnixMillis,
}

/// The newest news about one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeNews {
    pub failure: Option<ProbeFailure>,
    /// A `Killing` event named this probe.
    pub killed: Option<UnixMillis>,
}

/// What the probe says at `now`.
pub fn verdict(
    kind: ProbeKind,
    probe: &ProbeFacts,
    container: &ContainerFacts,
    news: &ProbeNews,
    now: UnixMillis,
) -> ProbeVerdict {
    let ContainerState::Running { since } = &container.state else {
        return not_running(kind, container, news);
    };
    let has_startup = container.probes.contains_key(&ProbeKind::Startup);
    let failure = this_run(news, *since);
    match kind {
        ProbeKind::Startup if container.started => return ProbeVerdict::Passing,
        ProbeKind::Startup => {}
        _ if !container.started && has_startup => {
            return waiting("Waits for the startup probe");
        }
        _ if !container.started => return waiting("The container is starting"),
        _ => {}
    }
    if kind == ProbeKind::Readiness && container.ready {
        return match recent(failure, probe, now) {
            // Ready still counts while failures stay below the threshold, but it is not well.
            Some(failure) => ProbeVerdict::Failing {
                message: failure.message.clone(),
            },
            None => ProbeVerdict::Passing,
        };
    }
    let delayed_until = since.0 + i64::from(probe.initial_delay_s) * 1000;
    if kind != ProbeKind::Liveness && failure.is_none() && now.0 < delayed_until {
        return waiting("Initial delay");
    }
    match kind {
        ProbeKind::Readiness => failing_or_first(failure, probe, *since, now),
        ProbeKind::Startup => match failure {
            Some(failure) => ProbeVerdict::Failing {
                message: failure.message.clone(),
            },
            None => waiting("No answer yet"),
        },
        // Its failures stay invisible until the kill, except as events.
        ProbeKind::Liveness => match recent(failure, probe, now) {
            Some(failure) => ProbeVerdict::Failing {
                message: failure.message.clone(),
            },
            None if now.0 < delayed_until => waiting("Initial delay"),
            None => ProbeVerdict::Passing,
        },
    }
}

/// Not ready although started. Until the first period is over that is no failure yet.
fn failing_or_first(
    failure: Option<&ProbeFailure>,
    probe: &ProbeFacts,
    since: UnixMillis,
    now: UnixMillis,
) -> ProbeVerdict {
    let first_period_ends =
        since.0 + i64::from(probe.initial_delay_s + probe.period_s) * 1000 + 1000;
    match failure {
        Some(failure) => ProbeVerdict::Failing {
            message: failure.message.clone(),
        },
        None if now.0 < first_period_ends => waiting("No answer yet"),
        None => ProbeVerdict::Failing {
            message: "The container is not ready".to_owned(),
        },
    }
}

fn not_running(kind: ProbeKind, container: &ContainerFacts, news: &ProbeNews) -> ProbeVerdict {
    // Readiness kills nobody.
    if kind != ProbeKind::Readiness
        && let Some(killed) = news.killed
        && container.restarts > 0
        && belongs_to_last_end(killed, container)
    {
        return ProbeVerdict::Killed {
            message: news.failure.as_ref().map_or_else(
                || format!("The {} probe failed too often", kind.title().to_lowercase()),
                |failure| failure.message.clone(),
            ),
        };
    }
    match &container.state {
        ContainerState::Waiting { reason, .. } if !reason.is_empty() => waiting(reason),
        ContainerState::Terminated(_) => waiting("The container has ended"),
        _ => waiting("The container does not run yet"),
    }
}

/// Whether the kill is what ended the container last: the end follows within the grace period.
fn belongs_to_last_end(killed: UnixMillis, container: &ContainerFacts) -> bool {
    const SLACK_MS: i64 = 2_000;
    const LONGEST_GRACE_MS: i64 = 120_000;
    let ended = match &container.state {
        ContainerState::Terminated(end) => end.finished,
        _ => container
            .last_termination
            .as_ref()
            .and_then(|end| end.finished),
    };
    ended.is_none_or(|ended| {
        ended.0 + SLACK_MS >= killed.0 && ended.0 - killed.0 <= LONGEST_GRACE_MS
    })
}

/// A failure that is about the container as it runs now, not about the one before the restart.
fn this_run(news: &ProbeNews, since: UnixMillis) -> Option<&ProbeFailure> {
    // Events carry whole seconds.
    news.failure
        .as_ref()
        .filter(|failure| failure.at.0 + 999 >= since.0)
}

/// A failure younger than two periods. Events are rate-limited, so an old one proves nothing.
fn recent<'a>(
    failure: Option<&'a ProbeFailure>,
    probe: &ProbeFacts,
    now: UnixMillis,
) -> Option<&'a ProbeFailure> {
    let window_ms = u64::from(probe.period_s) * 2_000;
    failure.filter(|failure| now.since(failure.at) < window_ms)
}

fn waiting(why: &str) -> ProbeVerdict {
    ProbeVerdict::Waiting {
        why: why.to_owned(),
    }
}

/// What an Event says about a probe: which one, and the failure's text.
pub fn parse_unhealthy(message: &str) -> Option<(ProbeKind, String)> {
    const COMBINED: &str = "(combined from similar events): ";
    let message = message.strip_prefix(COMBINED).unwrap_or(message);
    let (kind, rest) = probe_word(message)?;
    let rest = rest.strip_prefix(" probe ")?;
    let (verb, text) = rest.split_once(':').unwrap_or((rest, ""));
    if !(verb.starts_with("failed") || verb.starts_with("errored") || verb.starts_with("warning")) {
        return None;
    }
    Some((kind, text.trim().to_owned()))
}

/// Which probe a `Killing` event blames: `Container app failed liveness probe, will be restarted`.
pub fn parse_killing(message: &str) -> Option<ProbeKind> {
    let (_, rest) = message.split_once(" failed ")?;
    match rest.split_once(" probe")?.0 {
        "liveness" => Some(ProbeKind::Liveness),
        "startup" => Some(ProbeKind::Startup),
        _ => None,
    }
}

/// The container an Event is about: `spec.containers{app}`.
pub fn container_of(field_path: &str) -> Option<&str> {
    field_path.split_once('{')?.1.strip_suffix('}')
}

fn probe_word(message: &str) -> Option<(ProbeKind, &str)> {
    [
        ("Readiness", ProbeKind::Readiness),
        ("Liveness", ProbeKind::Liveness),
        ("Startup", ProbeKind::Startup),
    ]
    .into_iter()
    .find_map(|(word, kind)| Some((kind, message.strip_prefix(word)?)))
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
