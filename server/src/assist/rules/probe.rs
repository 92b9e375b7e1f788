//! Probes that fail, and what their messages give away.

use app::model::{
    ComponentName, ContainerRow, ContainerState, Finding, NextAction, OwnAnswer, PodRow, ProbeKind,
    ProbeLive, ProbeVerdict, StepId,
};

use super::code::{Code, NOT_READY, READY, UPKEEP};
use super::last_words::told_by;
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const PROBE_WRONG_PORT: Code = Code {
    code: "PROBE_WRONG_PORT",
    what: "A probe asks a port where nothing listens, and `slipway.toml` names another.",
    why: "The probe's `port` in the manifest is not the one the program listens on.",
    next: "Change the probe's port to the one the finding names, then deploy.",
    ..READY
};

pub const PROBE_WRONG_PATH: Code = Code {
    code: "PROBE_WRONG_PATH",
    what: "A probe asks a path that the program does not have (404).",
    why: "The probe's `path` in the manifest is misspelt, or the program has its health elsewhere.",
    next: "Correct the probe's path; the finding names that of `slipway.toml` where it differs.",
    ..READY
};

pub const PROBE_WRONG_SCHEME: Code = Code {
    code: "PROBE_WRONG_SCHEME",
    what: "A probe asks by HTTPS what the program answers by HTTP, or the other way around.",
    why: "The probe's `scheme` does not fit the program.",
    next: "Correct `scheme` of the probe, then deploy.",
    ..READY
};

pub const PROBE_NOTHING_LISTENS: Code = Code {
    code: "PROBE_NOTHING_LISTENS",
    what: "A probe is refused: the program runs, and nothing listens on its port.",
    why: "The program listens on 127.0.0.1 only, on another port than `slipway.toml` says, or takes long until it listens.",
    next: "See in its log where it listens; it has to be 0.0.0.0. A slow start needs a startup probe.",
    ..READY
};

pub const PROBE_NEEDS_LOGIN: Code = Code {
    code: "PROBE_NEEDS_LOGIN",
    what: "A probe asks a path that wants a login (401 or 403).",
    why: "The health path is behind the program's authentication, and the kubelet has no account.",
    next: "Probe a path that needs no login.",
    ..READY
};

pub const PROBE_TIMEOUT: Code = Code {
    code: "PROBE_TIMEOUT",
    what: "A probe gets no answer in time.",
    why: "The program is stuck, busy, starved of CPU by its limit, or the path does more work than `timeoutSeconds` allows.",
    next: "Look at its log and its CPU limit; probe a cheap path, or raise `timeoutSeconds` where it is merely slow.",
    ..READY
};

pub const PROBE_COMMAND_FAILS: Code = Code {
    code: "PROBE_COMMAND_FAILS",
    what: "A probe's command fails in the container.",
    why: "The command says that the program is not well, or is not in the image itself.",
    next: "Correct the probe's command by what it printed, then deploy.",
    ..READY
};

pub const PROBE_FAILING: Code = Code {
    code: "PROBE_FAILING",
    what: "A startup, liveness or readiness probe fails.",
    why: "The program answers with an error: 503 says that it misses something it needs. Well-known causes have codes of their own.",
    next: "Follow what its log says.",
    ..READY
};

pub const PROBE_DISAGREES: Code = Code {
    code: "PROBE_DISAGREES",
    follows: NOT_READY,
    what: "The kubelet calls a probe passing, and Slipway's own requests to the same path fail.",
    why: "The kubelet stopped asking or asks rarely, the program answers the node only, or it began to fail just now.",
    next: "Compare both answers on the Live page; trust neither until they agree.",
    ..UPKEEP
};

/// A starting program fails its startup probe until it is up; only after this it is a problem.
const STARTUP_PATIENCE_MS: u64 = 30_000;
/// The first answers may be late; two periods and no less than this.
const READINESS_PATIENCE_MS: u64 = 6_000;

/// One finding for each container, about the probe that does the most harm.
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
            findings.extend(describe(
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
) -> Option<Finding> {
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
    let log = facts.log_of(pod, container);
    let cause = cause(message, &probe.target, view.map(|view| view.port), path);
    // Its log may name a deeper cause; of one that counts as ready nobody reads it.
    if cause.asks_log && !container.ready && facts.awaits_log(pod, container) {
        return None;
    }
    let failed = format!(
        "Its {} probe ({}) fails: {}.",
        kind.title().to_lowercase(),
        probe.target,
        cause.words
    );
    let told = told_by(log).filter(|told| cause.asks_log && told.is_about_dependency());
    let mut finding = match told {
        Some(told) => told
            .code
            .finding(what, format!("{} {failed}", told.sentence()))
            .next(NextAction::Open {
                step: told.step,
                label: format!("Open {}", told.step.title()),
            }),
        None => cause
            .code
            .finding(what, failed)
            .next(NextAction::advice(cause.advice)),
    }
    .about(about(component))
    .next(NextAction::Open {
        step: StepId::Live,
        label: "Look at its probes and log".to_owned(),
    })
    .evidence(
        format!("Pod {}, container {}", pod.name, container.name),
        message.to_owned(),
    );
    let own = facts.own_probe(pod, container, kind);
    if let Some(words) = own.and_then(|own| own.disagrees_with(probe)) {
        finding = finding.evidence("Slipway's own requests", words);
    }
    if !log.is_empty() {
        finding = finding.evidence("Its last log lines", log.join("\n"));
    }
    // Below the threshold the cluster still counts it as ready.
    if container.ready {
        finding = finding.attention();
    }
    Some(finding)
}

/// What a probe's message gives away.
struct Cause {
    code: &'static Code,
    words: String,
    advice: String,
    /// The program itself says that something is missing; its log may say what.
    asks_log: bool,
}

fn cause(message: &str, target: &str, listens: Option<u16>, right_path: Option<&str>) -> Cause {
    let because = |code: &'static Code, words: &str, advice: &str| Cause {
        code,
        words: words.to_owned(),
        advice: advice.to_owned(),
        asks_log: false,
    };
    let lower = message.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if target.starts_with("exec") {
        let printed = message.lines().next().unwrap_or_default().trim();
        let words = match printed {
            "" => "the command ends with an error and prints nothing".to_owned(),
            printed => format!("the command says \"{printed}\""),
        };
        return because(
            &PROBE_COMMAND_FAILS,
            &words,
            "Run the command in the container (`kubectl exec`) and correct it, or the program, by what it prints",
        );
    }
    let asked = target
        .rsplit(':')
        .next()
        .and_then(|port| port.trim().parse::<u16>().ok());
    if has(&["connection refused"]) {
        return match (asked, listens) {
            (Some(asked), Some(listens)) if asked != listens => because(
                &PROBE_WRONG_PORT,
                &format!(
                    "nothing listens on port {asked}, and slipway.toml says the program listens on {listens}"
                ),
                &format!("Change the probe's port to {listens} in the manifest, then deploy"),
            ),
            _ => because(
                &PROBE_NOTHING_LISTENS,
                "nothing listens on that port",
                "See in its log which port the program listens on, and that it listens on 0.0.0.0 and not on 127.0.0.1 only",
            ),
        };
    }
    if has(&[
        "http response to https client",
        "malformed http response",
        "first record does not look like a tls handshake",
    ]) {
        return because(
            &PROBE_WRONG_SCHEME,
            "the probe asks by another scheme than the program answers",
            "Correct `scheme` of the probe: HTTP and HTTPS are mixed up",
        );
    }
    let status = lower
        .split_once("statuscode: ")
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u16>().ok());
    match status {
        Some(404) => match other_path(target, right_path) {
            Some(right) => because(
                &PROBE_WRONG_PATH,
                &format!("the program has no such path (404), and slipway.toml says {right}"),
                &format!("Change the probe's path to {right} in the manifest, then deploy"),
            ),
            None => because(
                &PROBE_WRONG_PATH,
                "the program has no such path (404)",
                "Correct the probe's path in the manifest, or add it to the program",
            ),
        },
        Some(code @ (401 | 403)) => because(
            &PROBE_NEEDS_LOGIN,
            &format!("the path asks for a login ({code})"),
            "Probe a path that needs no login",
        ),
        // "Client sent an HTTP request to an HTTPS server", as Go's servers say it.
        Some(400) if has(&["https server"]) => because(
            &PROBE_WRONG_SCHEME,
            "the program speaks HTTPS there",
            "Set `scheme: HTTPS` of the probe",
        ),
        Some(503) => Cause {
            asks_log: true,
            ..because(
                &PROBE_FAILING,
                "the program says that something it needs is not there (503)",
                "Its log says what it waits for; often a database or a secret",
            )
        },
        Some(code @ 500..) => Cause {
            asks_log: true,
            ..because(
                &PROBE_FAILING,
                &format!("the program answers with an error ({code})"),
                "Its log has the error",
            )
        },
        Some(code) => because(
            &PROBE_FAILING,
            &format!("the program answers {code}, and only 200 to 399 count"),
            "Correct the probe's path, or what the program answers there",
        ),
        None if has(&["deadline exceeded", "timeout", "timed out"]) => because(
            &PROBE_TIMEOUT,
            "the program does not answer in time",
            "See whether it is busy or stuck; a larger timeoutSeconds helps where it is merely slow",
        ),
        None if has(&["no such host"]) => because(
            &PROBE_FAILING,
            "the host it names does not exist",
            "Remove `host` from the probe: it asks the pod itself then",
        ),
        None => because(
            &PROBE_FAILING,
            "its message below says how",
            "Correct the probe or the program by the message below",
        ),
    }
}

/// PROBE_DISAGREES: passing for the kubelet, failing for us.
pub fn disagrees(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (component, pod, container) in facts.containers() {
        for (kind, probe) in &container.probes {
            let Some(own) = facts.own_probe(pod, container, *kind) else {
                continue;
            };
            // The other way around it is evidence of the probe's own finding.
            let is_ours = probe.verdict == ProbeVerdict::Passing;
            let Some(words) = own.disagrees_with(probe).filter(|_| is_ours) else {
                continue;
            };
            let OwnAnswer::Failed { why, .. } = &own.answer else {
                continue;
            };
            findings.push(
                PROBE_DISAGREES
                    .finding(
                        format!("It is not sure whether {component} is well"),
                        format!(
                            "{words} ({} probe, {}).",
                            kind.title().to_lowercase(),
                            probe.target
                        ),
                    )
                    .about(about(component))
                    .next(NextAction::Open {
                        step: StepId::Live,
                        label: "Compare both answers".to_owned(),
                    })
                    .evidence(
                        format!(
                            "Pod {}, container {}, Slipway's own request",
                            pod.name, container.name
                        ),
                        why.clone(),
                    ),
            );
        }
    }
    findings
}

/// The path slipway.toml names for the probe, if the probe asks another.
fn other_path<'a>(target: &str, right: Option<&'a str>) -> Option<&'a str> {
    let (asked, _) = target.split_once("GET ")?.1.rsplit_once(" :")?;
    right.filter(|right| *right != asked)
}
