//! Containers that end by themselves, again and again, or cannot be started at all.

use app::model::{
    ContainerRow, ContainerState, Finding, NextAction, ProbeVerdict, Severity, StepId, Termination,
    UnixMillis,
};

use super::code::{CRASH, Code, Layer, NOT_READY, NOT_STARTED, START, TOLD, UPKEEP};
use super::last_words::told_by;
use crate::assist::Facts;
use crate::assist::facts::{about, capitalized};

pub const OOM_KILLED: Code = Code {
    code: "OOM_KILLED",
    layer: Layer::Memory,
    follows: NOT_STARTED,
    severity: Severity::Failed,
    what: "A container was killed because it needed more memory than its limit.",
    why: "`resources.limits.memory` is too small, or the program leaks.",
    next: "Raise the limit, then deploy.",
};

pub const IMAGE_WRONG_PLATFORM: Code = Code {
    code: "IMAGE_WRONG_PLATFORM",
    what: "A program cannot be started because it is for another kind of processor, or no program at all.",
    why: "The image was built for another architecture (amd64, arm64) than the node's, or a script lacks its `#!` line.",
    next: "Build for the node's architecture (`--platform`), which the Images page does by itself; or add the `#!` line.",
    ..START
};

pub const PROGRAM_NOT_FOUND: Code = Code {
    code: "PROGRAM_NOT_FOUND",
    what: "The program a container should run is not in its image.",
    why: "`command` in the manifest, or ENTRYPOINT in the Dockerfile, names a path that is not there: misspelt, not copied into the last stage, or a shell that a small base image lacks. A dynamically linked program without its loader looks the same.",
    next: "Correct `command` or the Dockerfile, then build and deploy.",
    ..START
};

pub const PROGRAM_NOT_EXECUTABLE: Code = Code {
    code: "PROGRAM_NOT_EXECUTABLE",
    what: "The program a container should run may not be executed.",
    why: "The file has no execute permission for the user of the container, or is a folder.",
    next: "Add `RUN chmod +x` or `COPY --chmod=755` to the Dockerfile, then build and deploy.",
    ..START
};

pub const INIT_CONTAINER_FAILS: Code = Code {
    code: "INIT_CONTAINER_FAILS",
    what: "An init container fails, so the component's own containers never start.",
    why: "What it prepares (a migration, a download, waiting for a dependency) ends with an error; its last log lines are in the evidence.",
    next: "Follow what its log says. Kubernetes tries it again with growing pauses.",
    ..TOLD
};

pub const PROGRAM_ENDS: Code = Code {
    code: "PROGRAM_ENDS",
    what: "A program ends without an error although it should stay.",
    why: "It is a command that does one thing, or it moves to the background: a Deployment restarts whatever ends.",
    next: "Run the server in the foreground, or make it a Job.",
    ..CRASH
};

pub const CRASH_LOOP: Code = Code {
    code: "CRASH_LOOP",
    what: "A program ends again and again.",
    why: "The exit code and the last log lines are in the evidence; what they tell has a code of its own where it is well known.",
    next: "Follow what the log says. It must run for ten seconds before it counts as mended.",
    ..CRASH
};

pub const RESTARTS_OFTEN: Code = Code {
    code: "RESTARTS_OFTEN",
    follows: NOT_READY,
    what: "A container is well now, and was restarted often, the last time some minutes ago.",
    why: "It crashes under load or at certain requests, or a liveness probe is too strict.",
    next: "Read the log of the container before the restart on the Live page.",
    ..UPKEEP
};

/// The newest bad end of a container that is not well now.
fn bad_end(container: &ContainerRow, now: UnixMillis) -> Option<&Termination> {
    if container.ready && !is_restless(container, now) {
        return None;
    }
    let end = match &container.state {
        ContainerState::Terminated(end) => Some(end),
        ContainerState::Waiting { reason, message }
            if reason == "CrashLoopBackOff" || start_failure(message).is_some() =>
        {
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
    let ended = container.last_termination.is_some();
    container.restarts > 1
        && ended
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

/// OOM_KILLED: it needed more memory than its limit.
pub fn oom_killed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            bad_end(container, facts.now).filter(|end| is_oom(end))?;
            Some(
                OOM_KILLED
                    .finding(
                        format!("{} ran out of memory", capitalized(component)),
                        format!(
                            "Its container was killed because it needed more than its memory limit; it restarted {}.",
                            times(container.restarts)
                        ),
                    )
                    .about(about(component))
                    .next(NextAction::advice("Raise resources.limits.memory in its manifest, then deploy"))
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

/// What a runtime says about a program that cannot be started.
pub fn start_failure(message: &str) -> Option<&'static Code> {
    let lower = message.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if has(&["exec format error"]) {
        return Some(&IMAGE_WRONG_PLATFORM);
    }
    // Other things than the program may be missing, or forbidden, as well.
    if !has(&["exec: ", "exec \"", "starting container process"]) {
        return None;
    }
    if has(&["no such file or directory", "executable file not found"]) {
        Some(&PROGRAM_NOT_FOUND)
    } else if has(&["permission denied", "is a directory"]) {
        Some(&PROGRAM_NOT_EXECUTABLE)
    } else {
        None
    }
}

fn not_started(end: &Termination, waiting: &str, log: &[String]) -> Option<&'static Code> {
    let of_runtime = start_failure(&end.message).or_else(|| start_failure(waiting));
    of_runtime.or_else(|| {
        let last = log.last().map_or("", String::as_str);
        if last.to_ascii_lowercase().contains("exec format error") {
            return Some(&IMAGE_WRONG_PLATFORM);
        }
        // As shells report it.
        match end.exit_code {
            127 => Some(&PROGRAM_NOT_FOUND),
            126 => Some(&PROGRAM_NOT_EXECUTABLE),
            _ => None,
        }
    })
}

/// What the container is found to suffer from, in words.
struct Cause {
    code: &'static Code,
    what: String,
    why: String,
    next: NextAction,
}

/// A container that ends by itself, with the deepest cause there is.
pub fn crashed(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .containers()
        .filter_map(|(component, pod, container)| {
            let end = bad_end(container, facts.now).filter(|end| !is_oom(end))?;
            if was_killed_by_probe(container) {
                return None;
            }
            // Its last words may name a deeper cause.
            let is_plain = start_failure(&end.message).is_some()
                || start_failure(waiting_for(container)).is_some();
            if end.exit_code != 0 && !is_plain && facts.awaits_log(pod, container) {
                return None;
            }
            let log = facts.log_of(pod, container);
            let name = capitalized(component);
            let cause = cause(
                &name,
                container,
                end,
                log,
                facts.is_init(component, container),
            );
            let mut finding = cause
                .code
                .finding(cause.what, cause.why)
                .about(about(component))
                .next(cause.next);
            if !leads_to_live(&finding) {
                finding = finding.next(read_log());
            }
            let source = format!("Pod {}, container {}", pod.name, container.name);
            Some(if !log.is_empty() {
                finding.evidence(format!("{source}, last log lines"), log.join("\n"))
            } else if !end.message.is_empty() {
                finding.evidence(source, end.message.clone())
            } else {
                finding.evidence(source, "it printed nothing")
            })
        })
        .collect()
}

/// The message of a container that waits.
fn waiting_for(container: &ContainerRow) -> &str {
    match &container.state {
        ContainerState::Waiting { message, .. } => message,
        _ => "",
    }
}

fn read_log() -> NextAction {
    NextAction::Open {
        step: StepId::Live,
        label: "Read its log".to_owned(),
    }
}

fn leads_to_live(finding: &Finding) -> bool {
    finding.next.iter().any(|next| {
        matches!(
            next,
            NextAction::Open {
                step: StepId::Live,
                ..
            }
        )
    })
}

fn cause(
    name: &str,
    container: &ContainerRow,
    end: &Termination,
    log: &[String],
    is_init: bool,
) -> Cause {
    let mut how = how(end);
    if container.restarts > 0 {
        how.push_str(&format!(" and was restarted {}", times(container.restarts)));
    }
    let waiting = waiting_for(container);
    let told = told_by(log);
    if is_init {
        let told = told.map_or_else(String::new, |told| format!(" {}", told.sentence()));
        return Cause {
            code: &INIT_CONTAINER_FAILS,
            what: format!("{name} waits for its init container"),
            why: format!("The init container {} {how}.{told}", container.name),
            next: read_log(),
        };
    }
    if let Some(code) = not_started(end, waiting, log) {
        let (why, text) = match code.code {
            "PROGRAM_NOT_FOUND" => (
                "The program it should run is not in its image, or something that program needs to start",
                "Correct command in the manifest or ENTRYPOINT in the Dockerfile; a script needs its shell, and a program its loader",
            ),
            "PROGRAM_NOT_EXECUTABLE" => (
                "The program it should run may not be executed",
                "Give the file execute permission in the Dockerfile (COPY --chmod=755), then build and deploy",
            ),
            _ => (
                "The program in its image is for another kind of processor, or no program at all",
                "Build the image for the node's architecture, or give the script its #! line",
            ),
        };
        return Cause {
            code,
            what: format!("{name} cannot start its program"),
            why: format!("{why} (exit code {}).", end.exit_code),
            next: NextAction::advice(text),
        };
    }
    if let Some(told) = told.filter(|_| end.exit_code != 0) {
        return Cause {
            code: told.code,
            what: format!("{name} ends right after it starts"),
            why: format!("{} Its program {how}.", told.sentence()),
            next: NextAction::Open {
                step: told.step,
                label: format!("Open {}", told.step.title()),
            },
        };
    }
    match end.exit_code {
        0 => Cause {
            code: &PROGRAM_ENDS,
            what: format!("{name} ends although it should stay"),
            why: format!("Its program {how}."),
            next: NextAction::advice("Run the server in the foreground, or make it a Job"),
        },
        _ => Cause {
            code: &CRASH_LOOP,
            what: format!("{name} ends right after it starts"),
            why: format!("Its program {how}."),
            next: read_log(),
        },
    }
}

/// RESTARTS_OFTEN: well now, and it was not lately.
pub fn restarts_often(facts: &Facts<'_>) -> Vec<Finding> {
    const OFTEN: u32 = 5;
    const LATELY_MS: u64 = 600_000;
    facts
        .containers()
        .filter(|(_, _, container)| container.ready && container.restarts >= OFTEN)
        .filter_map(|(component, pod, container)| {
            let end = container.last_termination.as_ref()?;
            let is_recent = facts.now.since(end.finished?) < LATELY_MS;
            (is_recent && bad_end(container, facts.now).is_none()).then_some(())?;
            Some(
                RESTARTS_OFTEN
                    .finding(
                        format!("{} was restarted often", capitalized(component)),
                        format!(
                            "It is well now; it was restarted {}, and the last time it {}.",
                            times(container.restarts),
                            how(end)
                        ),
                    )
                    .about(about(component))
                    .next(NextAction::Open {
                        step: StepId::Live,
                        label: "Read the log before the restart".to_owned(),
                    })
                    .evidence(
                        format!("Pod {}, container {}", pod.name, container.name),
                        format!("{}, exit code {}", end.reason, end.exit_code),
                    ),
            )
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
        128 => "could not be started (exit code 128)".to_owned(),
        134 => "aborted (exit code 134)".to_owned(),
        137 => "was killed (exit code 137)".to_owned(),
        139 => "crashed with a memory fault (exit code 139)".to_owned(),
        143 => "was asked to stop (exit code 143)".to_owned(),
        code => format!("ended with exit code {code}"),
    }
}
