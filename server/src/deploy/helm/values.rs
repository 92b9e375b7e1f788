//! The values form as the page asks for it: the layers, the edits, what helm says against them, and
//! saving them to a file of the project.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::model::{
    ChartView, Failure, Finding, LintState, SavePreview, ValueEdit, ValueField, ValueOrigin,
    ValuesForm,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::chart::Chart;
use super::form::{fields, nearest_mut, read_edits, result_rows};
use super::images::{ImageValues, image_values};
use super::layers::{Layer, Layers, at};
use super::places::{OWN_FILE, ValuesFile, chart_folder, values_files};
use super::schema::combined;
use super::secret_shape::suspects;
use super::{ReleasesRoom, line_diff, words, yaml, yaml_edit};
use crate::adapters::helm::output::{LintLevel, parse_lint};
use crate::adapters::helm::schema_errors::{SchemaError, parse_schema_errors};
use crate::engine::{MASK, clock};
use crate::live::proved_images;
use crate::process;

/// The chart and everything that is laid over its values.
#[derive(Debug)]
pub(super) struct Source {
    pub folder: PathBuf,
    pub chart: Chart,
    pub files: Vec<ValuesFile>,
    pub layers: Layers,
    pub images: ImageValues,
}

impl Source {
    /// What the chart itself and the files say, without Slipway's own layer.
    fn own_layers(chart: &Chart, files: &[ValuesFile]) -> Result<Layers, Finding> {
        let mut layers = vec![Layer {
            origin: ValueOrigin::Chart,
            values: chart.defaults(),
        }];
        for file in files {
            let text = fs::read_to_string(&file.path)
                .map_err(|error| words::values_unreadable(&file.name, &error.to_string(), None))?;
            let values = yaml::parse_values(&text)
                .map_err(|error| words::values_unreadable(&file.name, &error.text, error.line))?;
            layers.push(Layer {
                origin: ValueOrigin::File {
                    name: file.name.clone(),
                },
                values,
            });
        }
        Ok(Layers(layers))
    }

    /// With the edits in it; Slipway's own layer stays the last one.
    fn with_form(&self, edited: Map<String, Value>) -> Layers {
        let mut layers = self.layers.clone();
        let form = Layer {
            origin: ValueOrigin::Form,
            values: edited,
        };
        layers.0.push(form);
        layers.0.push(Layer {
            origin: ValueOrigin::Slipway,
            values: self.images.values.clone(),
        });
        layers
    }

    /// For helm: the project's values files.
    pub fn file_paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// For helm: what the edits and Slipway put over them.
    pub fn overlay(&self, edited: &Map<String, Value>) -> Map<String, Value> {
        let mut overlay = edited.clone();
        super::layers::lay_over(&mut overlay, self.images.values.clone());
        overlay
    }
}

impl ReleasesRoom {
    /// Reads the chart and the values files as they are now.
    pub(super) async fn source(&self) -> Result<Source, Finding> {
        let project = Arc::clone(&self.inner.project);
        let proved = self.inner.core.hub.read(proved_images);
        let read = tokio::task::spawn_blocking(move || {
            let folder = chart_folder(&project).ok_or_else(words::no_chart)?;
            let chart = Chart::read(&folder).map_err(|error| words::chart_unreadable(&error))?;
            let files = values_files(&project);
            let layers = Source::own_layers(&chart, &files)?;
            let defaults = layers.effective();
            let images = image_values(&project.spec(), &defaults, &proved);
            Ok(Source {
                folder,
                chart,
                files,
                layers,
                images,
            })
        });
        read.await
            .map_err(|error| words::internal(&error.to_string()))?
    }

    pub(super) fn is_known(&self, text: &str) -> bool {
        matches!(
            self.inner.core.redactor.redact(text),
            std::borrow::Cow::Owned(_)
        )
    }

    /// Reads edits; what is wrong with them becomes a finding.
    pub(super) fn accept(
        &self,
        source: &Source,
        edits: &[ValueEdit],
    ) -> Result<Map<String, Value>, Finding> {
        let schema = combined(&source.chart);
        let known = |text: &str| self.is_known(text);
        let base = fields(schema.as_ref(), &source.layers, &known);
        let read = read_edits(&base, schema.as_ref(), edits, &known);
        if let Some(path) = read.secrets.first() {
            return Err(words::secret_in_values(&path.join("."), None));
        }
        if let Some((path, problem)) = read.problems.first() {
            return Err(words::value_unreadable(&path.join("."), problem));
        }
        Ok(read.values)
    }

    /// Values files that hold what looks like a secret.
    pub(super) fn secret_findings(&self, source: &Source) -> Vec<Finding> {
        let known = |text: &str| self.is_known(text);
        let mut findings = Vec::new();
        for layer in &source.layers.0 {
            let ValueOrigin::File { name } = &layer.origin else {
                continue;
            };
            for suspect in suspects(&Value::Object(layer.values.clone()), &known) {
                let finding = words::secret_in_values(&suspect.path.join("."), Some(name));
                findings.push(if suspect.sure {
                    finding
                } else {
                    finding.attention()
                });
            }
        }
        findings
    }

    pub(super) async fn form(&self, edits: Vec<ValueEdit>) -> Result<ValuesForm, Failure> {
        let source = self.source().await?;
        let schema = combined(&source.chart);
        let known = |text: &str| self.is_known(text);
        let base = fields(schema.as_ref(), &source.layers, &known);
        let read = read_edits(&base, schema.as_ref(), &edits, &known);
        let layers = source.with_form(read.values.clone());
        let mut form = ValuesForm {
            fields: fields(schema.as_ref(), &layers, &known),
            problems: Vec::new(),
            result: result_rows(&layers, &known),
            targets: targets(&source.files),
            findings: self.secret_findings(&source),
        };
        for (path, problem) in &read.problems {
            let text = edits.iter().find(|edit| edit.path == *path);
            put_problem(
                &mut form,
                path,
                problem.clone(),
                text.map(|edit| edit.text.as_str()),
            );
        }
        for path in &read.secrets {
            put_problem(
                &mut form,
                path,
                words::SECRET_PROBLEM.to_owned(),
                Some(MASK),
            );
        }
        for error in self.schema_errors(&source, &read.values).await {
            let at = schema_path(&source.chart, &error);
            put_problem(&mut form, &at, self.redacted(&error.text), None);
        }
        Ok(form)
    }

    pub(super) fn redacted(&self, text: &str) -> String {
        self.inner.core.redactor.redact(text).into_owned()
    }

    /// What helm's own validation says; nothing when there is no helm, or no schema.
    async fn schema_errors(
        &self,
        source: &Source,
        edited: &Map<String, Value>,
    ) -> Vec<SchemaError> {
        let ask = async {
            let helm = self.helm().await.ok()?;
            let release = self.release().ok()?;
            let overlay = self.overlay(&source.overlay(edited)).ok()?;
            let mut values = source.file_paths();
            values.push(overlay.path().to_owned());
            let namespace = self.inner.project.spec().namespace.to_string();
            let spec = helm.template(&release, &source.folder, &values, &namespace);
            let captured = process::capture(&spec, &CancellationToken::new())
                .await
                .ok()?;
            parse_schema_errors(&captured.stderr)
        };
        ask.await.unwrap_or_default()
    }

    /// What saving the edits to one of the project's values files would change there.
    pub(super) async fn save_plan(
        &self,
        edits: &[ValueEdit],
        file: &str,
    ) -> Result<(SavePreview, PathBuf, String), Failure> {
        let source = self.source().await?;
        if edits.is_empty() {
            return Err(words::nothing_to_save().into());
        }
        let edited = self.accept(&source, edits)?;
        if !targets(&source.files).iter().any(|target| target == file) {
            return Err(words::no_such_target(file).into());
        }
        let target = source
            .files
            .iter()
            .find(|one| one.name == file)
            .map_or_else(
                || self.inner.project.path(Path::new(file)),
                |one| one.path.clone(),
            );
        let is_new = !target.exists();
        let before = if is_new {
            String::new()
        } else {
            fs::read_to_string(&target)
                .map_err(|error| words::values_unreadable(file, &error.to_string(), None))?
        };
        let changes: Vec<(Vec<String>, Value)> = edits
            .iter()
            .filter_map(|edit| Some((edit.path.clone(), at(&edited, &edit.path)?.clone())))
            .collect();
        let made = yaml_edit::edit(&before, &changes)
            .map_err(|error| words::values_unreadable(file, &error.text, error.line))?;
        let mut warnings = Vec::new();
        if made.rewritten {
            warnings.push(
                "The file is written in a way that single values cannot be changed in; it is written anew, without its comments".to_owned(),
            );
        }
        warnings.extend(overridden(&source, file, &changes));
        let preview = SavePreview {
            file: file.to_owned(),
            hash: digest(&before),
            is_new,
            lines: line_diff::diff(&self.masked_text(&before), &self.masked_text(&made.text)),
            warnings,
        };
        Ok((preview, target, made.text))
    }

    /// A values file may hold secrets already: they are not shown in its difference either.
    fn masked_text(&self, text: &str) -> String {
        text.lines()
            .map(|line| {
                let redacted = self.redacted(line);
                let suspicious = line.split_once(':').is_some_and(|(key, value)| {
                    let value = value.trim().trim_matches(['"', '\'']);
                    super::secret_shape::is_secret(key.trim().trim_matches(['"', '\'']), value)
                });
                match line.split_once(':') {
                    Some((key, _)) if suspicious => format!("{key}: {MASK}\n"),
                    _ => format!("{redacted}\n"),
                }
            })
            .collect()
    }

    pub(super) async fn save_edits(
        &self,
        edits: &[ValueEdit],
        file: &str,
        hash: &str,
    ) -> Result<(), Failure> {
        let (preview, target, text) = self.save_plan(edits, file).await?;
        if preview.hash != hash {
            return Err(words::file_changed(file).into());
        }
        self.inner
            .core
            .journal
            .audit(
                "operator",
                &format!("save {} values to {file}", edits.len()),
            )
            .await?;
        let written = tokio::task::spawn_blocking(move || replace(&target, &text)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(words::not_saved(file, &error.to_string()).into()),
            Err(error) => return Err(words::internal(&error.to_string()).into()),
        }
        self.look_at_chart().await;
        Ok(())
    }

    /// Reads and lints the chart, and shows what came of it.
    pub(super) async fn look_at_chart(&self) {
        let spec = self.inner.project.spec();
        let Some(path) = spec.deploy.chart.as_ref() else {
            self.update(|view| view.chart = None);
            return;
        };
        let source = self.source().await;
        let path = path.display().to_string();
        let at = clock::now();
        let (metadata, dependencies, files, mut findings) = match &source {
            Ok(source) => {
                let mut findings = self.secret_findings(source);
                findings.extend(self.lint(source, &path).await);
                (
                    source.chart.metadata.clone(),
                    source.chart.dependencies(),
                    source.files.clone(),
                    findings,
                )
            }
            Err(finding) => (
                Default::default(),
                Vec::new(),
                values_files(&self.inner.project),
                vec![finding.clone()],
            ),
        };
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let chart = ChartView {
            path,
            name: metadata.name,
            version: metadata.version,
            app_version: metadata.app_version,
            description: metadata.description,
            values_files: files.into_iter().map(|file| file.name).collect(),
            dependencies,
            lint: LintState::Done { at, findings },
        };
        self.update(|view| view.chart = Some(chart));
    }

    async fn lint(&self, source: &Source, shown: &str) -> Vec<Finding> {
        let helm = match self.helm().await {
            Ok(helm) => helm,
            // That helm is missing is told where helm is told about.
            Err(_) => return Vec::new(),
        };
        let namespace = self.inner.project.spec().namespace.to_string();
        let overlay = match self.overlay(&source.overlay(&Map::new())) {
            Ok(overlay) => overlay,
            Err(finding) => return vec![finding],
        };
        let mut values = source.file_paths();
        values.push(overlay.path().to_owned());
        let spec = helm.lint(&source.folder, &values, &namespace);
        let captured = match process::capture(&spec, &CancellationToken::new()).await {
            Ok(captured) => captured,
            Err(error) => return vec![words::helm_broken(&helm.program, &error.to_string())],
        };
        let mut lines = parse_lint(&captured.stdout);
        // helm 4 tells a schema's errors twice: for values.yaml and for the templates.
        let has_schema = |text: &str| parse_schema_errors(text).is_some();
        if lines.iter().any(|line| has_schema(&line.text)) {
            lines.retain(|line| line.file != "values.yaml" || !line.text.starts_with("- "));
        }
        let told = lines.iter().any(|line| line.level == LintLevel::Error);
        let mut findings: Vec<Finding> = lines
            .into_iter()
            .filter(|line| line.level > LintLevel::Info)
            .map(|mut line| {
                line.text = self.redacted(&line.text);
                words::lint(shown, &source.folder, &line)
            })
            .collect();
        if !captured.ending.is_success() && !told {
            findings.push(words::helm_broken(
                &helm.program,
                &self.redacted(captured.stderr.trim()),
            ));
        }
        findings
    }
}

fn put_problem(form: &mut ValuesForm, path: &[String], problem: String, text: Option<&str>) {
    let put = |field: &mut ValueField| {
        field.problem = Some(match field.problem.take() {
            Some(other) => format!("{other}; {problem}"),
            None => problem.clone(),
        });
        if let Some(text) = text {
            text.clone_into(&mut field.text);
        }
    };
    match nearest_mut(&mut form.fields, path) {
        Some(field) => put(field),
        None => form.problems.push(problem),
    }
}

/// Where in the whole values a schema's error is: a subchart's stand under its key.
fn schema_path(chart: &Chart, error: &SchemaError) -> Vec<String> {
    fn find(chart: &Chart, name: &str) -> Option<Vec<String>> {
        if chart.metadata.name == name {
            return Some(Vec::new());
        }
        chart.subcharts().into_iter().find_map(|(key, sub)| {
            // The error names a subchart by its key.
            let rest = if key == name {
                Vec::new()
            } else {
                find(sub, name)?
            };
            Some(std::iter::once(key.to_owned()).chain(rest).collect())
        })
    }
    let mut path = find(chart, &error.chart).unwrap_or_default();
    path.extend(error.path.iter().cloned());
    path
}

/// The files edits can be saved to.
fn targets(files: &[ValuesFile]) -> Vec<String> {
    let mut names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    if !names.iter().any(|name| name == OWN_FILE) {
        names.push(OWN_FILE.to_owned());
    }
    names
}

/// Later files that set the same values: the saved ones would have no effect.
fn overridden(source: &Source, file: &str, changes: &[(Vec<String>, Value)]) -> Vec<String> {
    let after = source
        .files
        .iter()
        .position(|one| one.name == file)
        .map_or(source.files.len(), |at| at + 1);
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for layer in &source.layers.0 {
        let ValueOrigin::File { name } = &layer.origin else {
            continue;
        };
        let later = source.files[after..].iter().any(|one| one.name == *name);
        if !later {
            continue;
        }
        for (path, _) in changes {
            if at(&layer.values, path).is_some() {
                found.entry(name).or_default().push(path.join("."));
            }
        }
    }
    found
        .into_iter()
        .map(|(name, paths)| format!("{name} is laid over it and sets {} too", paths.join(", ")))
        .collect()
}

fn digest(text: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.truncate(16);
    digest
}

/// The whole file or none of it; an existing one keeps its permissions.
fn replace(target: &Path, text: &str) -> std::io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    let permissions = match target.metadata() {
        Ok(metadata) => metadata.permissions(),
        Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
    };
    file.as_file().set_permissions(permissions)?;
    // A link stays a link to the file that was changed.
    let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
    file.persist(target)?;
    Ok(())
}
