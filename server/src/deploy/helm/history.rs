//! Revisions as their records tell them, masked: nothing of a Secret and no secret-looking value.

use std::sync::Arc;

use app::model::{Failure, HookView, RevisionDetail};
use serde_json::Value;

use super::secret_shape::masked;
use super::{ReleasesRoom, words, yaml};
use crate::adapters::helm::record::{Hook, Record};
use crate::engine::MASK;

/// One object of a rendered manifest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RenderedObject {
    pub object: Value,
    /// The template it came from: `web/templates/deploy.yaml`.
    pub source: String,
}

/// The objects in a manifest as helm writes it: documents with `# Source:` comments.
/// What is not YAML comes back as its own words.
pub(super) fn objects(manifest: &str) -> (Vec<RenderedObject>, Vec<String>) {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for document in documents(manifest) {
        let source = document
            .lines()
            .find_map(|line| line.strip_prefix("# Source: "))
            .unwrap_or_default()
            .trim()
            .to_owned();
        match yaml::parse(&document) {
            Ok(Value::Null) => {}
            Ok(list) if list["kind"] == "List" => {
                let items = list["items"].as_array().cloned().unwrap_or_default();
                found.extend(items.into_iter().map(|object| RenderedObject {
                    object,
                    source: source.clone(),
                }));
            }
            Ok(object) if object.is_object() => found.push(RenderedObject { object, source }),
            Ok(_) => broken.push(format!("{source}: it is no object")),
            Err(error) => broken.push(format!("{source}: {error}")),
        }
    }
    (found, broken)
}

/// The documents of a YAML stream; a separator stands alone on its line.
fn documents(stream: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in stream.lines() {
        let is_separator = line.trim_end() == "---" || line.starts_with("--- ");
        match all.last_mut() {
            Some(last) if !is_separator => {
                last.push_str(line);
                last.push('\n');
            }
            _ => all.push(String::new()),
        }
    }
    all.retain(|document| !document.trim().is_empty());
    all
}

/// An object with the values of a Secret masked.
pub(super) fn without_secrets(object: &Value, known: &dyn Fn(&str) -> bool) -> Value {
    let mut shown = masked(object, known);
    if object["kind"] == "Secret" {
        for key in ["data", "stringData"] {
            if let Some(data) = shown.get_mut(key).and_then(Value::as_object_mut) {
                for value in data.values_mut() {
                    *value = Value::String(MASK.to_owned());
                }
            }
        }
    }
    shown
}

/// A hook as everyone may see it.
pub(super) fn hook(hook: &Hook) -> HookView {
    HookView {
        kind: hook.kind.clone(),
        name: hook.name.clone(),
        events: hook.events.clone(),
        weight: hook.weight,
        phase: hook.last_run.phase.clone(),
    }
}

impl ReleasesRoom {
    pub(super) fn record(&self, revision: u32) -> Result<Arc<Record>, Failure> {
        self.records()
            .get(&revision)
            .cloned()
            .ok_or_else(|| words::no_revision(revision).into())
    }

    pub(super) fn detail(&self, revision: u32) -> Result<RevisionDetail, Failure> {
        let record = self.record(revision)?;
        let known = |text: &str| self.is_known(text);
        let (objects, _) = objects(&record.manifest);
        let manifest: Vec<String> = objects
            .iter()
            .map(|one| {
                let shown = yaml::print(&without_secrets(&one.object, &known));
                format!("# Source: {}\n{shown}\n", one.source)
            })
            .collect();
        let values = match &record.config {
            Value::Null => String::new(),
            Value::Object(map) if map.is_empty() => String::new(),
            given => yaml::print(&masked(given, &known)),
        };
        Ok(RevisionDetail {
            row: self.row(&record),
            values: self.redacted(&values),
            notes: self.redacted(&record.info.notes),
            manifest: self.redacted(&manifest.join("---\n")),
            hooks: record.hooks.iter().map(hook).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_taken_apart_with_its_sources() {
        let manifest = "---\n# Source: web/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: |\n    ---not a separator\n---\n# Source: web/templates/empty.yaml\n---\n# Source: web/charts/db/templates/l.yaml\napiVersion: v1\nkind: List\nitems:\n- {kind: Service}\n- {kind: Secret}\n---\n# Source: web/templates/bad.yaml\na: b: c\n";
        let (found, broken) = objects(manifest);
        let rows: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.object["kind"].as_str().unwrap_or_default(),
                    one.source.as_str(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("ConfigMap", "web/templates/a.yaml"),
                ("Service", "web/charts/db/templates/l.yaml"),
                ("Secret", "web/charts/db/templates/l.yaml"),
            ]
        );
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "hunter2"}});
        let shown = without_secrets(&secret, &|_| false).to_string();
        assert!(
            !shown.contains("aHVudGVyMg") && !shown.contains("hunter2") && shown.contains(r#""a""#)
        );
    }

    proptest! {
        #[test]
        fn any_manifest_can_be_taken_apart(text in "\\PC{0,200}") {
            let _ = objects(&text);
        }
    }
}
