//! The room's findings, worded in one place.

use std::path::Path;

use app::model::{
    Builder, BuiltImage, ComponentName, Finding, NextAction, Remedy, StepId, Subject,
    humanize_bytes,
};

use super::dockerfile_lines::FailingLine;
use crate::adapters::docker::FailedStep;

use crate::process::{Ending, SpawnError};
use crate::project::ComponentSpec;

fn about(component: &ComponentName) -> Subject {
    Subject::Component {
        component: component.clone(),
    }
}

fn again() -> NextAction {
    NextAction::Do {
        action: Remedy::BuildImages,
        label: "Build again".to_owned(),
    }
}

pub fn no_builder(component: &ComponentSpec, docker_usable: bool) -> Finding {
    let name = &component.name;
    let (why, advice) = match (&component.dockerfile, docker_usable) {
        (Some(_), false) => (
            "It has a Dockerfile, but docker does not answer on this machine, and it has no [component.pack] recipe.",
            "Start docker, or describe in [component.pack] how its program is built",
        ),
        _ => (
            "slipway.toml gives it neither a dockerfile nor a [component.pack] recipe.",
            "Add one of the two; docs/slipway-toml.md shows how",
        ),
    };
    Finding::new("NO_BUILDER", format!("Nothing can build {name}"), why)
        .about(about(name))
        .next(NextAction::advice(advice))
}

pub fn cannot_load() -> Finding {
    Finding::new(
        "IMAGE_LOAD_UNSUPPORTED",
        "Slipway cannot put images into this cluster",
        "It can hand images to practice, minikube, kind, k3d and desktop clusters. Others pull their images from a registry, and slipway.toml names none.",
    )
    .next(NextAction::advice("Write registry = \"ghcr.io/my-team\" into [project] of slipway.toml; docker must be logged in there"))
    .next(NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".to_owned(),
    })
}

/// `what` is what the cluster shows instead, as a sentence without a period.
pub fn not_in_cluster(component: &ComponentName, image: &BuiltImage, what: &str) -> Finding {
    let seen = match what {
        "" => String::new(),
        what => format!(" {}.", what.trim_end_matches('.')),
    };
    Finding::new(
        "IMAGE_NOT_IN_CLUSTER",
        format!("The image of {component} is not in the cluster"),
        format!(
            "It was built and handed over, but the cluster's runtime does not show {} under its ID.{seen}",
            image.reference
        ),
    )
    .about(about(component))
    .next(again())
    .next(NextAction::advice("See whether the cluster's node is running and has space"))
    .evidence("Image", format!("{} {}", image.reference, image.id))
}

pub fn no_probe_pod(component: &ComponentName, image: &BuiltImage, why: &str) -> Finding {
    Finding::new(
        "IMAGE_PROOF_UNCLEAR",
        format!("Nobody could say whether the image of {component} is in the cluster"),
        format!(
            "The cluster's nodes do not list it, and the pod that should have found it there told nothing: {}.",
            why.trim_end_matches('.')
        ),
    )
    .about(about(component))
    .next(again())
    .next(NextAction::advice("See whether pods can be created and scheduled in the project's namespace"))
    .evidence("Image", format!("{} {}", image.reference, image.id))
}

pub fn no_cluster_daemon(profile: &str, why: &str, stderr: &str) -> Finding {
    Finding::new(
        "CLUSTER_DAEMON_SILENT",
        format!("The docker daemon of minikube profile {profile} does not answer"),
        format!("{}.", why.trim_end_matches('.')),
    )
    .about(Subject::Step {
        step: StepId::Images,
    })
    .next(NextAction::Open {
        step: StepId::Setup,
        label: "See the cluster".to_owned(),
    })
    .next(NextAction::Command {
        command: format!("minikube status -p {profile}"),
        why: "Tells whether its node runs".to_owned(),
    })
    .evidence("minikube docker-env", stderr.trim())
}

pub fn no_pusher(component: &ComponentName) -> Finding {
    Finding::new(
        "REGISTRY_NEEDS_DOCKER",
        format!("The image of {component} cannot be pushed"),
        "Images reach this cluster through a registry, docker pushes them there, and docker does not answer on this machine.",
    )
    .about(about(component))
    .next(NextAction::advice("Start docker, then build again"))
}

pub fn push_failed(
    component: &ComponentName,
    reference: &str,
    ending: Ending,
    output: &str,
) -> Finding {
    let denied = [
        "denied",
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
    ]
    .iter()
    .any(|word| output.contains(word));
    let host = reference.split('/').next().unwrap_or_default();
    let why = match (denied, ending) {
        (true, _) => format!("The registry {host} does not take it from this account."),
        (false, Ending::Exited(0)) => {
            "docker says it was pushed, but names no digest for it.".to_owned()
        }
        (false, ending) => format!("docker image push ended with {}.", ending.words()),
    };
    let finding = Finding::new(
        "IMAGE_PUSH_FAILED",
        format!("The image of {component} did not get to its registry"),
        why,
    )
    .about(about(component));
    let finding = match denied {
        true => finding.next(NextAction::Command {
            command: format!("docker login {host}"),
            why: "Gives docker an account that may push there".to_owned(),
        }),
        false => finding,
    };
    let last: Vec<&str> = output.lines().rev().take(12).collect();
    finding.next(again()).evidence(
        format!("docker image push {reference}"),
        last.into_iter().rev().collect::<Vec<_>>().join("\n"),
    )
}

pub fn not_described(component: &ComponentName, builder: Builder) -> Finding {
    let key = match builder {
        Builder::Docker => "a dockerfile",
        Builder::Pack => "a [component.pack] recipe",
    };
    Finding::new(
        "NO_BUILDER",
        format!("{component} cannot be built that way"),
        format!("slipway.toml gives it no {}.", key.trim_start_matches("a ")),
    )
    .about(about(component))
    .next(NextAction::advice(format!(
        "Add {key}; docs/slipway-toml.md shows how"
    )))
}

/// Never with the argument's value.
pub fn arg_is_secret(component: &ComponentName, arg: &str, why: &str) -> Finding {
    Finding::new(
        "BUILD_ARG_IS_SECRET",
        format!("{component} is not built: its build argument {arg} looks like a secret"),
        format!("{}, and everyone who gets the image can read its build arguments.", first_upper(why)),
    )
    .about(about(component))
    .next(NextAction::advice(format!("Take {arg} out of build_args and name it in a [[component.build_secret]]; the Dockerfile reads it by RUN --mount=type=secret")))
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

pub fn secret_needs_buildkit(component: &ComponentName, id: &str) -> Finding {
    Finding::new(
        "BUILD_SECRET_NEEDS_BUILDKIT",
        format!("{component} is not built: its build secret {id} needs BuildKit"),
        "Only BuildKit hands a secret to a build without leaving it in a layer, and the docker CLI here cannot use it.",
    )
    .about(about(component))
    .next(NextAction::advice("Install docker's buildx plugin (Debian 13: apt install docker-buildx), and do not set DOCKER_BUILDKIT=0"))
    .next(again())
}

pub fn build_secret_missing(component: &ComponentName, id: &str, why: &str) -> Finding {
    Finding::new(
        "BUILD_SECRET_MISSING",
        format!("{component} is not built: its build secret {id} is not there"),
        format!("{}.", first_upper(why)),
    )
    .about(about(component))
    .next(NextAction::advice(
        "Set it where Slipway is started, or correct [[component.build_secret]]",
    ))
    .next(again())
}

/// A Dockerfile build that did not end well: which step, where it stands, and what it printed last.
pub fn step_failed(
    component: &ComponentName,
    ending: Ending,
    failed: Option<FailedStep>,
    line: Option<FailingLine>,
    tail: &[String],
) -> Finding {
    let mut finding = build_failed(component, ending, tail);
    if let Some(failed) = &failed {
        let stage = failed
            .step
            .stage
            .as_ref()
            .filter(|stage| *stage != "internal")
            .map(|stage| format!(" of stage {stage}"))
            .unwrap_or_default();
        let cause = likely_cause(
            &format!("{}\n{}", failed.output.join("\n"), tail.join("\n")),
            ending,
        )
        .0;
        finding.why = format!(
            "The step {}{stage} failed{}.",
            failed.step.name,
            match cause.as_str() {
                "" => format!(": {}", failed.why.trim_end_matches('.')),
                cause => cause.to_owned(),
            }
        );
    }
    finding.evidence.clear();
    if let Some(FailingLine { line, text }) = line {
        finding = finding.evidence(format!("Dockerfile, line {line}"), text);
    }
    match failed {
        Some(failed) if !failed.output.is_empty() => {
            finding.evidence("What the step printed last", failed.output.join("\n"))
        }
        _ => finding.evidence("The build's last lines", tail.join("\n")),
    }
}

pub fn over_budget(component: &ComponentName, size: u64, budget: u64) -> Finding {
    Finding::new(
        "IMAGE_OVER_BUDGET",
        format!("The image of {component} is larger than planned"),
        format!(
            "It has {}, and slipway.toml allows {}.",
            humanize_bytes(size),
            humanize_bytes(budget)
        ),
    )
    .attention()
    .about(about(component))
    .next(NextAction::advice(
        "Leave out what the program does not need, or raise size_budget in slipway.toml",
    ))
}

pub fn spawn_failed(component: &ComponentName, error: &SpawnError) -> Finding {
    match error {
        SpawnError::NotFound { program } => Finding::new(
            "BUILD_TOOL_MISSING",
            format!("{component} cannot be built without {program}"),
            format!("The build starts `{program}`, and this machine has no program of that name on its PATH."),
        )
        .next(NextAction::advice(format!("Install {program}, or correct `build` in slipway.toml"))),
        SpawnError::Io { program, source } => Finding::new(
            "BUILD_TOOL_MISSING",
            format!("{component} cannot be built"),
            format!("Starting `{program}` failed: {source}."),
        ),
    }
    .about(about(component))
    .next(again())
}

/// A build command that did not end well; `tail` are its last lines.
pub fn build_failed(component: &ComponentName, ending: Ending, tail: &[String]) -> Finding {
    let text = tail.join("\n");
    let how = format!("The build ended with {}", ending.words());
    let (cause, advice) = likely_cause(&text, ending);
    Finding::new(
        "BUILD_FAILED",
        format!("{component} was not built"),
        format!("{how}{cause}."),
    )
    .about(about(component))
    .next(again())
    .next(NextAction::advice(advice))
    .evidence("The build's last lines", text)
}

/// Reads the usual reasons out of the last lines.
fn likely_cause(text: &str, ending: Ending) -> (String, &'static str) {
    let has = |needle: &str| text.contains(needle);
    if has("No space left on device")
        || has("no space left on device")
        || has("disk quota exceeded")
    {
        return (
            ": the disk is full".into(),
            "Free some space, then build again",
        );
    }
    if has("Cannot connect to the Docker daemon")
        || has("connection refused")
        || has("connection reset")
        || has("transport is closing")
        || has("unexpected EOF")
        || has("error reading from server: EOF")
    {
        return (
            ": the docker daemon does not answer (any more)".into(),
            "See on Setup whether docker and the cluster run, then build again",
        );
    }
    if has("exec format error") {
        return (
            ": a program in its base image is made for another processor".into(),
            "Install emulation for it (docker run --privileged --rm tonistiigi/binfmt --install all), or build where the cluster's processor is",
        );
    }
    if has("linker `cc` not found") || has("linker 'cc' not found") {
        return (
            ": there is no C linker".into(),
            "Install a C compiler (Debian: apt install build-essential), then build again",
        );
    }
    if has("failed to get `") || has("Could not resolve host") || has("failed to download") {
        return (
            ": a dependency could not be downloaded".into(),
            "See whether the network works, then build again",
        );
    }
    if has("the lock file") && has("--locked") {
        return (
            ": Cargo.lock does not fit Cargo.toml".into(),
            "Run cargo update in the component's folder, then build again",
        );
    }
    if matches!(ending, Ending::Signaled(9)) || has("signal: 9") {
        return (
            ": it was killed, most likely because memory ran out".into(),
            "Close other programs or build with fewer jobs, then build again",
        );
    }
    let compile_error = text
        .lines()
        .find(|line| line.starts_with("error[") || line.starts_with("error: could not compile"));
    match compile_error {
        Some(line) => (
            format!(": {}", line.trim_end_matches('.')),
            "Mend the source; the run's log has the whole message",
        ),
        None => (String::new(), "The run's log has the whole output"),
    }
}

pub fn no_binary(component: &ComponentName, binary: &Path) -> Finding {
    Finding::new(
        "PACK_BINARY_MISSING",
        format!("The build of {component} left no program behind"),
        format!(
            "slipway.toml says the program is at {}, and nothing is there.",
            binary.display()
        ),
    )
    .about(about(component))
    .next(NextAction::advice(
        "Correct `binary` or `build` in [component.pack]; both see the project's folder",
    ))
}

pub fn pack_failed(component: &ComponentName, error: &dyn std::fmt::Display) -> Finding {
    Finding::new(
        "PACK_FAILED",
        format!("{component} was built but not packed into an image"),
        format!("Slipway failed to {error}."),
    )
    .about(about(component))
    .next(again())
}

pub fn load_failed(component: &ComponentName, how: &str, tail: &[String]) -> Finding {
    Finding::new(
        "IMAGE_LOAD_FAILED",
        format!("The image of {component} did not get into the cluster"),
        format!("{how}."),
    )
    .about(about(component))
    .next(again())
    .evidence("The last lines", tail.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_names_the_likely_cause() {
        let name: ComponentName = "backend".parse().expect("a name");
        let cases = [
            ("error: linker `cc` not found", "no C linker"),
            (
                "write: No space left on device (os error 28)",
                "disk is full",
            ),
            ("error[E0308]: mismatched types", "E0308"),
            ("nothing known", "exit code 101."),
        ];
        for (line, word) in cases {
            let finding = build_failed(&name, Ending::Exited(101), &[line.to_owned()]);
            assert!(finding.why.contains(word), "{line}: {}", finding.why);
            assert!(!finding.next.is_empty());
        }
    }
}
