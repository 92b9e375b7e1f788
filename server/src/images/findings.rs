//! The room's findings, worded in one place.

use std::path::Path;
use std::time::Duration;

use app::model::{
    BuiltImage, ComponentName, Finding, NextAction, Remedy, Subject, humanize_bytes, humanize_ms,
};

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
        .next(NextAction::Advice {
            text: advice.to_owned(),
        })
}

pub fn cannot_load() -> Finding {
    Finding::new(
        "IMAGE_LOAD_UNSUPPORTED",
        "Slipway cannot put images into this cluster",
        "It can hand images to practice, minikube, kind and k3d clusters. Others get their images from a registry.",
    )
    .next(NextAction::Do {
        action: Remedy::UsePractice,
        label: "Use the practice cluster".to_owned(),
    })
    .next(NextAction::Advice {
        text: "Push the images to a registry the cluster can pull from, and name them in the manifests".to_owned(),
    })
}

pub fn not_in_cluster(component: &ComponentName, image: &BuiltImage, within: Duration) -> Finding {
    let within = humanize_ms(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    Finding::new(
        "IMAGE_NOT_IN_CLUSTER",
        format!("The image of {component} is not in the cluster"),
        format!(
            "It was built and handed over, but the cluster's runtime does not list {} after {within}.",
            image.reference
        ),
    )
    .about(about(component))
    .next(again())
    .next(NextAction::Advice {
        text: "See whether the cluster's node is running and has space".to_owned(),
    })
    .evidence("Image", format!("{} {}", image.reference, image.id))
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
    .next(NextAction::Advice {
        text: "Leave out what the program does not need, or raise size_budget in slipway.toml"
            .to_owned(),
    })
}

pub fn spawn_failed(component: &ComponentName, error: &SpawnError) -> Finding {
    match error {
        SpawnError::NotFound { program } => Finding::new(
            "BUILD_TOOL_MISSING",
            format!("{component} cannot be built without {program}"),
            format!("The build starts `{program}`, and this machine has no program of that name on its PATH."),
        )
        .next(NextAction::Advice {
            text: format!("Install {program}, or correct `build` in slipway.toml"),
        }),
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
    let how = match ending {
        Ending::Exited(code) => format!("The build ended with exit code {code}"),
        Ending::Signaled(signal) => format!("The build was stopped by signal {signal}"),
        Ending::TimedOut { after } => format!(
            "The build was stopped after {}",
            humanize_ms(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
        ),
        Ending::Cancelled { .. } => "The build was cancelled".to_owned(),
    };
    let (cause, advice) = likely_cause(&text, ending);
    Finding::new(
        "BUILD_FAILED",
        format!("{component} was not built"),
        format!("{how}{cause}."),
    )
    .about(about(component))
    .next(again())
    .next(NextAction::Advice {
        text: advice.to_owned(),
    })
    .evidence("The build's last lines", text)
}

/// Reads the usual reasons out of the last lines.
fn likely_cause(text: &str, ending: Ending) -> (String, &'static str) {
    let has = |needle: &str| text.contains(needle);
    if has("No space left on device") || has("no space left on device") {
        return (
            ": the disk is full".into(),
            "Free some space, then build again",
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
    .next(NextAction::Advice {
        text: "Correct `binary` or `build` in [component.pack]; both see the project's folder"
            .to_owned(),
    })
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
