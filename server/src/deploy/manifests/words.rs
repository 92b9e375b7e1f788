//! The findings of reading manifests. None repeats a value that could be a secret.

use std::path::Path;

use app::model::{Finding, NextAction, StepId, Subject};
use serde_json::Value;

use super::yaml::Broken;
use super::{MOST_FILES, Manifest};

fn about(finding: Finding, kind: &str, name: &str) -> Finding {
    finding.about(Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn missing(path: &Path, why: &str) -> Finding {
    Finding::new(
        "MANIFESTS_MISSING",
        "The manifests cannot be read",
        format!("{}: {why}.", path.display()),
    )
    .about(Subject::Step {
        step: StepId::Deploy,
    })
    .next(NextAction::advice(
        "Create the folder, or name another with [deploy] manifests = \"…\" in slipway.toml",
    ))
}

pub(super) fn none_there(shown: &Path) -> Finding {
    Finding::new(
        "MANIFESTS_MISSING",
        "There are no manifests",
        format!("{} has no .yaml, .yml or .json file.", shown.display()),
    )
    .about(Subject::Step {
        step: StepId::Deploy,
    })
    .next(NextAction::advice(
        "Put at least a Deployment and a Service there",
    ))
}

pub(super) fn too_much(path: &Path) -> Finding {
    Finding::new(
        "MANIFESTS_TOO_LARGE",
        "There is more than manifests should be",
        format!(
            "{} has more than {MOST_FILES} files or a file of more than 5 MB.",
            path.display()
        ),
    )
    .next(NextAction::advice(
        "Name the folder that holds only this project's manifests",
    ))
}

pub(super) fn broken(shown: &str, at: &Broken, text: &str) -> Finding {
    let (line, column) = (at.line, at.column);
    let excerpt = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let finding = about(
        Finding::new(
            "MANIFEST_SYNTAX",
            format!("{shown} cannot be read"),
            format!(
                "Line {line}, column {column}, in document {}: {}.",
                at.document, at.why
            ),
        ),
        "File",
        &format!("{shown}:{line}"),
    )
    .next(NextAction::advice("Mend the marked line"));
    if excerpt.trim().is_empty() {
        finding
    } else {
        // A line near `data:` of a Secret may hold a value.
        let shown_line = match excerpt.split_once(':') {
            Some((key, value)) if !value.trim().is_empty() => format!("{key}: …"),
            _ => excerpt.to_owned(),
        };
        finding.evidence(format!("{shown}:{line}"), shown_line)
    }
}

pub(super) fn not_kubernetes(source: &str, object: &Value) -> Finding {
    let why = match object {
        Value::Object(map) => {
            let missing = ["apiVersion", "kind"]
                .into_iter()
                .filter(|key| !map.get(*key).is_some_and(Value::is_string))
                .collect::<Vec<_>>()
                .join(" and ");
            format!("The document has no {missing}, so it describes no Kubernetes object.")
        }
        _ => "The document is not a mapping, so it describes no Kubernetes object.".to_owned(),
    };
    about(
        Finding::new(
            "MANIFEST_NOT_KUBERNETES",
            format!("{source} is not a Kubernetes object"),
            why,
        ),
        "File",
        source,
    )
    .next(NextAction::advice(
        "Move files that are no manifests out of the folder",
    ))
}

pub(super) fn nameless(source: &str, kind: &str) -> Finding {
    about(
        Finding::new(
            "MANIFEST_NAMELESS",
            format!("A {kind} has no name"),
            format!("{source} has no metadata.name, and only a named object can be applied again."),
        ),
        "File",
        source,
    )
    .next(NextAction::advice("Give it a metadata.name"))
}

pub(super) fn nested_kustomization(folder: &str) -> Finding {
    about(
        Finding::new(
            "MANIFEST_KUSTOMIZATION",
            format!("{folder} is a kustomize folder"),
            "It stands below a folder of plain manifests, so it is not clear whether it is a base, an overlay, or what should be deployed.",
        ),
        "File",
        folder,
    )
    .next(NextAction::advice(format!(
        "Name exactly the folder to deploy: [deploy] manifests = \"{folder}\""
    )))
}

pub(super) fn no_kubectl(folder: &str) -> Finding {
    about(
        Finding::new(
            "KUSTOMIZE_NEEDS_KUBECTL",
            format!("{folder} needs kubectl"),
            "It is a kustomize folder, which is built by `kubectl kustomize`, and there is no kubectl on the PATH.",
        ),
        "File",
        folder,
    )
    .next(NextAction::advice("Install kubectl, or name a folder of plain manifests"))
}

pub(super) fn kustomize_failed(folder: &str, why: &str, said: &str) -> Finding {
    let finding = about(
        Finding::new(
            "KUSTOMIZE_FAILED",
            format!("{folder} cannot be built"),
            format!("`kubectl kustomize {folder}` {why}."),
        ),
        "File",
        folder,
    )
    .next(NextAction::Command {
        command: format!("kubectl kustomize {folder}"),
        why: "Shows it in a terminal".to_owned(),
    });
    match said.trim() {
        "" => finding,
        said => finding.evidence("kubectl", said),
    }
}

/// A word that YAML readers read differently.
pub(super) fn ambiguous(source: &str, word: &str, meaning: &str) -> Finding {
    about(
        Finding::new(
            "MANIFEST_AMBIGUOUS",
            format!("`{word}` means two things"),
            format!(
                "In {source} it stands without quotes: kubectl and Helm read it as {meaning}, YAML 1.2 as the text \"{word}\"."
            ),
        ),
        "File",
        source,
    )
    .next(NextAction::advice(format!(
        "Write \"{word}\" in quotes for the text, or {meaning} for the value"
    )))
}

pub(super) fn secret_in_manifests(source: &str, name: &str) -> Finding {
    about(
        Finding::new(
            "SECRET_IN_MANIFESTS",
            format!("The Secret {name} stands in the manifests"),
            format!(
                "{source} holds values in a file, where everyone who sees the project sees them, and every deploy puts those back into the cluster."
            ),
        ),
        "Secret",
        name,
    )
    .attention()
    .next(NextAction::Open {
        step: StepId::Secrets,
        label: "Enter the values here instead".to_owned(),
    })
    .next(NextAction::advice("Then remove it from the manifests"))
}

pub(super) fn double(first: &str, manifest: &Manifest) -> Finding {
    about(
        Finding::new(
            "MANIFEST_DOUBLE",
            format!("{} {} is there twice", manifest.kind(), manifest.name()),
            format!(
                "{first} and {} describe the same object; which one wins would be chance.",
                manifest.source
            ),
        ),
        manifest.kind(),
        manifest.name(),
    )
    .next(NextAction::advice("Remove one of them"))
}
