//! Reads the manifests: YAML with several documents, JSON, lists and kustomize folders.
//! Everything that is wrong is told with its file and line, and nothing is guessed.

mod kustomize;
mod order;
mod words;
mod yaml;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use app::model::Finding;
use serde_json::Value;
use walkdir::WalkDir;

pub use order::rank;
use yaml::Document;

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

/// Reads several roots into one set: each a folder (with its subfolders), a single file or a
/// kustomize folder; with how each is named to people.
pub async fn read_all(roots: Vec<(PathBuf, PathBuf)>) -> Reading {
    let mut all = Reading::default();
    for (path, shown) in roots {
        let one = if kustomize::is_kustomize(&path) {
            read_kustomize(&path, &shown.display().to_string()).await
        } else {
            tokio::task::spawn_blocking(move || read_plain(&path, &shown))
                .await
                // Only a panic ends it early, and reading has none.
                .unwrap_or_default()
        };
        all.manifests.extend(one.manifests);
        all.findings.extend(one.findings);
    }
    in_order(all)
}

/// Reads a folder (with its subfolders) or a file. `shown` is how the path is named to people.
pub fn read(path: &Path, shown: &Path) -> Reading {
    in_order(read_plain(path, shown))
}

fn in_order(mut reading: Reading) -> Reading {
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

async fn read_kustomize(folder: &Path, shown: &str) -> Reading {
    let mut reading = Reading::default();
    match kustomize::build(folder, shown).await {
        Ok(text) => {
            for document in yaml::yaml(&text) {
                match document {
                    Ok(document) => take(document.value, shown, &mut reading),
                    Err(at) => reading.findings.push(words::broken(shown, &at, &text)),
                }
            }
        }
        Err(finding) => reading.findings.push(*finding),
    }
    reading
}

fn read_plain(path: &Path, shown: &Path) -> Reading {
    let mut reading = Reading::default();
    let (files, kustomized) = match files(path) {
        Ok(found) => found,
        Err(finding) => {
            reading.findings.push(*finding);
            return reading;
        }
    };
    if files.is_empty() && kustomized.is_empty() {
        reading.findings.push(words::none_there(shown));
        return reading;
    }
    let named = |file: &Path| match file.strip_prefix(path) {
        Ok(rest) if !rest.as_os_str().is_empty() => shown.join(rest).display().to_string(),
        _ => shown.display().to_string(),
    };
    for file in files {
        read_file(&file, &named(&file), &mut reading);
    }
    let nested = kustomized.iter().map(|folder| named(folder));
    reading
        .findings
        .extend(nested.map(|folder| words::nested_kustomization(&folder)));
    reading
}

/// The manifest files in a stable order, and the kustomize folders among them, which are left out.
fn files(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Box<Finding>> {
    if path.is_file() {
        return Ok((vec![path.to_owned()], Vec::new()));
    }
    let (mut files, mut kustomized) = (Vec::new(), Vec::new());
    let mut walk = WalkDir::new(path).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| Box::new(words::missing(path, &error.to_string())))?;
        if entry.file_type().is_dir() && entry.depth() > 0 && kustomize::is_kustomize(entry.path())
        {
            kustomized.push(entry.into_path());
            walk.skip_current_dir();
            continue;
        }
        let is_manifest = entry
            .path()
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"))
            && !kustomize::is_kustomization(entry.path());
        if entry.file_type().is_file() && is_manifest {
            files.push(entry.into_path());
            if files.len() > MOST_FILES {
                return Err(Box::new(words::too_much(path)));
            }
        }
    }
    Ok((files, kustomized))
}

fn read_file(file: &Path, shown: &str, reading: &mut Reading) {
    let size = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    if size > MOST_BYTES {
        reading.findings.push(words::too_much(file));
        return;
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            reading
                .findings
                .push(words::missing(file, &error.to_string()));
            return;
        }
    };
    let is_json = file
        .extension()
        .is_some_and(|extension| extension == "json");
    let documents = match is_json {
        true => yaml::json(text.trim_start_matches('\u{feff}')),
        false => yaml::yaml(&text),
    };
    let mut told = Vec::new();
    for document in documents {
        match document {
            Ok(Document { line, value, .. }) => {
                if !is_json {
                    for one in yaml::ambiguous(&text, &value, line) {
                        // A later document looks at the same lines.
                        if !told.contains(&one.line) {
                            let source = format!("{shown}:{}", one.line);
                            let finding = words::ambiguous(&source, &one.word, &one.meaning);
                            reading.findings.push(finding);
                            told.push(one.line);
                        }
                    }
                }
                take(value, &format!("{shown}:{line}"), reading);
            }
            Err(at) => reading.findings.push(words::broken(shown, &at, &text)),
        }
    }
}

fn take(object: Value, source: &str, reading: &mut Reading) {
    let has = |key: &str| object[key].as_str().is_some_and(|text| !text.is_empty());
    if !object.is_object() || !has("apiVersion") || !has("kind") {
        reading
            .findings
            .push(words::not_kubernetes(source, &object));
        return;
    }
    let kind = text(&object["kind"]).to_owned();
    if let Some(of) = kind.strip_suffix("List")
        && let Some(items) = object["items"].as_array()
    {
        for item in items {
            take(named_item(item, of, &object["apiVersion"]), source, reading);
        }
        return;
    }
    if text(&object["metadata"]["name"]).is_empty() {
        reading.findings.push(words::nameless(source, &kind));
        return;
    }
    let name = text(&object["metadata"]["name"]).to_owned();
    if kind == "Secret" && text(&object["apiVersion"]) == "v1" {
        reading
            .findings
            .push(words::secret_in_manifests(source, &name));
    }
    reading.manifests.push(Manifest {
        object,
        source: source.to_owned(),
    });
}

/// An item of a list; one of a `ConfigMapList` need not say that it is a ConfigMap.
fn named_item(item: &Value, of: &str, api_version: &Value) -> Value {
    let mut item = item.clone();
    if let Some(map) = item.as_object_mut()
        && !of.is_empty()
    {
        map.entry("apiVersion")
            .or_insert_with(|| api_version.clone());
        map.entry("kind").or_insert_with(|| of.into());
    }
    item
}

fn refuse_doubles(reading: &mut Reading) {
    let mut seen = HashMap::new();
    for manifest in &reading.manifests {
        let key = (
            manifest.api_version().to_owned(),
            manifest.kind().to_owned(),
            manifest.namespace().unwrap_or_default().to_owned(),
            manifest.name().to_owned(),
        );
        if let Some(first) = seen.insert(key, manifest.source.clone()) {
            reading.findings.push(words::double(&first, manifest));
        }
    }
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
        assert!(finding.why.contains("document 2"), "{}", finding.why);
        assert_eq!(read.manifests.len(), 1, "the good one is still read");
    }

    #[test]
    fn what_is_not_kubernetes_is_said_so() {
        let read = reading(&[
            ("a.yaml", "version: '3'\nservices: {}\n"),
            ("b.yaml", "- just\n- a list\n"),
            ("c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
            ("sub/kustomization.yaml", "resources: [x.yaml]\n"),
            ("sub/x.yaml", CONFIG),
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
        assert!(
            read.manifests.is_empty(),
            "nothing of a kustomize folder is taken as it is"
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
    fn a_list_of_one_kind_need_not_repeat_it() {
        let list = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- {kind: ConfigMap, metadata: {name: b}}\n";
        let read = reading(&[("a.yaml", list)]);
        assert!(read.findings.is_empty(), "{:?}", read.findings);
        assert!(
            read.manifests
                .iter()
                .all(|one| one.kind() == "ConfigMap" && one.api_version() == "v1")
        );
        assert_eq!(read.manifests.len(), 2);
    }

    #[test]
    fn a_file_that_is_too_long_and_a_word_of_two_meanings_are_told() {
        let long = format!("# {}\n{CONFIG}", "x".repeat(10_000_000));
        assert_eq!(
            codes(&reading(&[("a.yaml", &long)])),
            ["MANIFESTS_TOO_LARGE"]
        );
        let ambiguous = reading(&[("a.yaml", &format!("{CONFIG}data:\n  flag: no\n"))]);
        assert_eq!(codes(&ambiguous), ["MANIFEST_AMBIGUOUS"]);
        assert!(ambiguous.findings[0].why.contains("k8s/a.yaml:6"));
    }

    #[tokio::test]
    async fn several_roots_are_one_set_and_a_kustomize_folder_is_built() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in [
            ("one/a.yaml", CONFIG.to_owned()),
            ("two/b.yaml", CONFIG.replace("name: a", "name: b")),
            (
                "kust/kustomization.yaml",
                "namePrefix: my-\nresources: [c.yaml]\n".to_owned(),
            ),
            ("kust/c.yaml", CONFIG.replace("name: a", "name: c")),
            (
                "bad/kustomization.yaml",
                "resources: [nothing-there.yaml]\n".to_owned(),
            ),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let roots = |names: &[&str]| -> Vec<(PathBuf, PathBuf)> {
            names
                .iter()
                .map(|name| (dir.path().join(name), PathBuf::from(name)))
                .collect()
        };
        let read = read_all(roots(&["one", "two"])).await;
        assert!(read.findings.is_empty(), "{:?}", read.findings);
        assert_eq!(read.manifests.len(), 2);
        let read = read_all(roots(&["one", "one"])).await;
        assert_eq!(codes(&read), ["MANIFEST_DOUBLE"]);
        if crate::process::find_on_path("kubectl").is_some() {
            let read = read_all(roots(&["kust"])).await;
            assert!(read.findings.is_empty(), "{:?}", read.findings);
            assert_eq!(read.manifests[0].name(), "my-c");
            let read = read_all(roots(&["bad"])).await;
            assert_eq!(codes(&read), ["KUSTOMIZE_FAILED"]);
            assert!(read.findings[0].evidence[0].text.contains("nothing-there"));
        }
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
