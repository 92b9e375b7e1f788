//! Reads the manifests: YAML with several documents and JSON, in a folder or a single file.
//! Everything that is wrong is told with its file and line, and nothing is guessed.

use std::path::{Path, PathBuf};

use app::model::{Finding, NextAction, StepId, Subject};
use serde::Deserialize as _;
use serde_json::Value;
use walkdir::WalkDir;

const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 5_000_000;

/// One object as the manifests have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub object: Value,
    /// Relative to the project's folder, with the line the document starts at: `k8s/backend.yaml:12`.
    pub source: String,
}

impl Manifest {
    pub fn kind(&self) -> &str {
        text(&self.object["kind"])
    }

    pub fn api_version(&self) -> &str {
        text(&self.object["apiVersion"])
    }

    pub fn name(&self) -> &str {
        text(&self.object["metadata"]["name"])
    }

    pub fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What was read, in the order it will be applied, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Reading {
    pub manifests: Vec<Manifest>,
    pub findings: Vec<Finding>,
}

/// Reads a folder (with its subfolders) or a file. `shown` is how the path is named to people.
pub fn read(path: &Path, shown: &Path) -> Reading {
    let mut reading = Reading::default();
    let files = match files(path) {
        Ok(files) => files,
        Err(finding) => {
            reading.findings.push(*finding);
            return reading;
        }
    };
    if files.is_empty() {
        reading.findings.push(none_there(shown));
        return reading;
    }
    for file in files {
        let shown = match file.strip_prefix(path) {
            Ok(rest) if !rest.as_os_str().is_empty() => shown.join(rest),
            _ => shown.to_owned(),
        };
        read_file(&file, &shown.display().to_string(), &mut reading);
    }
    refuse_doubles(&mut reading);
    reading.manifests.sort_by_key(|manifest| {
        (
            rank(manifest.kind()),
            manifest.kind().to_owned(),
            manifest.name().to_owned(),
        )
    });
    reading
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Box<Finding>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(|error| Box::new(missing(path, &error.to_string())))?;
        let is_manifest = entry
            .path()
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"));
        if entry.file_type().is_file() && is_manifest {
            files.push(entry.into_path());
            if files.len() > MOST_FILES {
                return Err(Box::new(too_much(path)));
            }
        }
    }
    Ok(files)
}

fn read_file(file: &Path, shown: &str, reading: &mut Reading) {
    let size = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    if size > MOST_BYTES {
        reading.findings.push(too_much(file));
        return;
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            reading.findings.push(missing(file, &error.to_string()));
            return;
        }
    };
    for (first_line, document) in documents(&text) {
        match parse(document) {
            Ok(Value::Null) => {}
            Ok(object) => take(object, &format!("{shown}:{first_line}"), reading),
            Err((line, column, why)) => {
                let line = first_line + line.saturating_sub(1);
                reading
                    .findings
                    .push(broken_yaml(shown, line, column, &why, &text));
            }
        }
    }
}

/// The documents of a file with the line each starts at.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let next = at + line.len();
        let is_border = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']));
        if is_border {
            documents.push((start_line, &text[start..at]));
            // What follows on the same line belongs to the new document; only comments do in practice.
            start = next;
            start_line = index + 2;
        }
        at = next;
    }
    documents.push((start_line, &text[start..]));
    documents
        .into_iter()
        .filter(|(_, document)| {
            document
                .lines()
                .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        })
        .map(|(line, document)| {
            let blank = document
                .lines()
                .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
                .count();
            let skip: usize = document
                .split_inclusive('\n')
                .take(blank)
                .map(str::len)
                .sum();
            (line + blank, &document[skip..])
        })
        .collect()
}

fn parse(document: &str) -> Result<Value, (usize, usize, String)> {
    let deserializer = serde_yaml::Deserializer::from_str(document);
    Value::deserialize(deserializer).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |at| (at.line(), at.column()));
        (line, column, error.to_string())
    })
}

fn take(object: Value, source: &str, reading: &mut Reading) {
    let has = |key: &str| object[key].as_str().is_some_and(|text| !text.is_empty());
    if !object.is_object() || !has("apiVersion") || !has("kind") {
        reading.findings.push(not_kubernetes(source, &object));
        return;
    }
    let kind = text(&object["kind"]).to_owned();
    if kind == "List"
        && let Some(items) = object["items"].as_array()
    {
        for item in items {
            take(item.clone(), source, reading);
        }
        return;
    }
    if text(&object["apiVersion"]).starts_with("kustomize.config.k8s.io/") {
        reading.findings.push(kustomization(source));
        return;
    }
    if text(&object["metadata"]["name"]).is_empty() {
        reading.findings.push(nameless(source, &kind));
        return;
    }
    let name = text(&object["metadata"]["name"]).to_owned();
    if kind == "Secret" && text(&object["apiVersion"]) == "v1" {
        reading.findings.push(secret_in_manifests(source, &name));
    }
    reading.manifests.push(Manifest {
        object,
        source: source.to_owned(),
    });
}

fn refuse_doubles(reading: &mut Reading) {
    let mut seen = std::collections::HashMap::new();
    for manifest in &reading.manifests {
        let key = (
            manifest.api_version().to_owned(),
            manifest.kind().to_owned(),
            manifest.namespace().unwrap_or_default().to_owned(),
            manifest.name().to_owned(),
        );
        if let Some(first) = seen.insert(key, manifest.source.clone()) {
            reading.findings.push(
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
                .next(advice("Remove one of them")),
            );
        }
    }
}

/// What others need comes first.
pub fn rank(kind: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "CustomResourceDefinition" => 1,
        "PriorityClass" | "StorageClass" | "IngressClass" => 2,
        "ServiceAccount" | "ClusterRole" | "Role" => 3,
        "ClusterRoleBinding" | "RoleBinding" => 4,
        "ConfigMap" | "Secret" => 5,
        "PersistentVolume" | "PersistentVolumeClaim" | "ResourceQuota" | "LimitRange" => 6,
        "Service" => 7,
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Pod" => 8,
        "Job" | "CronJob" => 9,
        _ => 10,
    }
}

fn about(finding: Finding, kind: &str, name: &str) -> Finding {
    finding.about(Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

fn advice(text: &str) -> NextAction {
    NextAction::Advice {
        text: text.to_owned(),
    }
}

fn missing(path: &Path, why: &str) -> Finding {
    Finding::new(
        "MANIFESTS_MISSING",
        "The manifests cannot be read",
        format!("{}: {why}.", path.display()),
    )
    .about(Subject::Step {
        step: StepId::Deploy,
    })
    .next(advice(
        "Create the folder, or name another with [deploy] manifests = \"…\" in slipway.toml",
    ))
}

fn none_there(shown: &Path) -> Finding {
    Finding::new(
        "MANIFESTS_MISSING",
        "There are no manifests",
        format!("{} has no .yaml, .yml or .json file.", shown.display()),
    )
    .about(Subject::Step {
        step: StepId::Deploy,
    })
    .next(advice("Put at least a Deployment and a Service there"))
}

fn too_much(path: &Path) -> Finding {
    Finding::new(
        "MANIFESTS_TOO_LARGE",
        "There is more than manifests should be",
        format!(
            "{} has more than {MOST_FILES} files or a file of more than 5 MB.",
            path.display()
        ),
    )
    .next(advice(
        "Name the folder that holds only this project's manifests",
    ))
}

fn broken_yaml(shown: &str, line: usize, column: usize, why: &str, text: &str) -> Finding {
    let excerpt = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let finding = about(
        Finding::new(
            "MANIFEST_SYNTAX",
            format!("{shown} is not valid YAML"),
            format!("Line {line}, column {column}: {why}."),
        ),
        "File",
        &format!("{shown}:{line}"),
    )
    .next(advice("Mend the marked line"));
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

fn not_kubernetes(source: &str, object: &Value) -> Finding {
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
    .next(advice("Move files that are no manifests out of the folder"))
}

fn nameless(source: &str, kind: &str) -> Finding {
    about(
        Finding::new(
            "MANIFEST_NAMELESS",
            format!("A {kind} has no name"),
            format!("{source} has no metadata.name, and only a named object can be applied again."),
        ),
        "File",
        source,
    )
    .next(advice("Give it a metadata.name"))
}

fn kustomization(source: &str) -> Finding {
    about(
        Finding::new(
            "MANIFEST_KUSTOMIZATION",
            "A kustomization is left out",
            format!("{source} is for kustomize; Slipway applies the files beside it as they are."),
        ),
        "File",
        source,
    )
    .attention()
}

fn secret_in_manifests(source: &str, name: &str) -> Finding {
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
    .next(advice("Then remove it from the manifests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(files: &[(&str, &str)]) -> Reading {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        read(dir.path(), Path::new("k8s"))
    }

    fn codes(reading: &Reading) -> Vec<&str> {
        reading
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
    }

    const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

    #[test]
    fn documents_of_all_files_come_in_the_order_they_are_needed() {
        let deployment = CONFIG.replace("ConfigMap", "Deployment");
        let namespace = CONFIG.replace("ConfigMap", "Namespace");
        let read = reading(&[
            (
                "a.yaml",
                &format!("# first\n---\n{deployment}---\n{CONFIG}---\n# nothing\n"),
            ),
            (
                "sub/b.json",
                r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}"#,
            ),
            ("z.yml", &namespace),
            ("README.md", "no"),
        ]);
        assert!(read.findings.is_empty(), "{:?}", read.findings);
        let kinds: Vec<&str> = read.manifests.iter().map(Manifest::kind).collect();
        assert_eq!(kinds, ["Namespace", "ConfigMap", "Service", "Deployment"]);
        assert_eq!(read.manifests[3].source, "k8s/a.yaml:3");
        assert_eq!(read.manifests[1].source, "k8s/a.yaml:8");
        assert_eq!(read.manifests[2].source, "k8s/sub/b.json:1");
    }

    #[test]
    fn broken_yaml_is_told_with_file_and_line() {
        let read = reading(&[(
            "a.yaml",
            &format!("{CONFIG}---\napiVersion: v1\nkind: [oops\nmetadata: {{}}\n"),
        )]);
        assert_eq!(codes(&read), ["MANIFEST_SYNTAX"]);
        let finding = &read.findings[0];
        assert!(finding.what.contains("k8s/a.yaml"));
        let line: usize = finding
            .why
            .strip_prefix("Line ")
            .and_then(|rest| rest.split(',').next())
            .and_then(|line| line.parse().ok())
            .expect("a line");
        assert!((7..=8).contains(&line), "{}", finding.why);
        assert_eq!(read.manifests.len(), 1, "the good one is still read");
    }

    #[test]
    fn what_is_not_kubernetes_is_said_so() {
        let read = reading(&[
            ("a.yaml", "version: '3'\nservices: {}\n"),
            ("b.yaml", "- just\n- a list\n"),
            ("c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
            (
                "d.yaml",
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
            ),
        ]);
        assert_eq!(
            codes(&read),
            [
                "MANIFEST_NOT_KUBERNETES",
                "MANIFEST_NOT_KUBERNETES",
                "MANIFEST_NAMELESS",
                "MANIFEST_KUSTOMIZATION"
            ]
        );
        assert!(read.findings[0].why.contains("apiVersion and kind"));
    }

    #[test]
    fn a_secret_in_the_manifests_is_noticed_and_its_value_is_not_repeated() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  A: hunter2\n  B: [\n";
        let read = reading(&[("a.yaml", secret)]);
        assert!(!format!("{:?}", read.findings).contains("hunter2"));
        let whole = secret.replace("  B: [\n", "");
        assert_eq!(
            codes(&reading(&[("a.yaml", &whole)])),
            ["SECRET_IN_MANIFESTS"]
        );
    }

    #[test]
    fn lists_are_unpacked_and_doubles_refused() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
        let read = reading(&[("a.yaml", list), ("b.yaml", CONFIG)]);
        assert_eq!(read.manifests.len(), 3);
        assert_eq!(codes(&read), ["MANIFEST_DOUBLE"]);
    }

    #[test]
    fn a_missing_or_empty_folder_is_a_finding() {
        assert_eq!(
            codes(&read(Path::new("/nonexistent/k8s"), Path::new("k8s"))),
            ["MANIFESTS_MISSING"]
        );
        assert_eq!(
            codes(&reading(&[("notes.txt", "x")])),
            ["MANIFESTS_MISSING"]
        );
    }
}
