//! A local chart as files: metadata, values, schema and dependencies, packed ones included.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use app::model::{Dependency, DependencyState};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::yaml::{self, YamlError};
use crate::adapters::helm::record::null_as_default;

/// One text file of a chart; larger ones are not read.
const MOST_FILE: u64 = 5 * 1024 * 1024;
/// All that is unpacked from a packed dependency.
const MOST_PACKED: u64 = 50 * 1024 * 1024;
/// Charts inside charts.
const DEEPEST: usize = 6;

/// What is read of a chart. Templates are helm's business.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub metadata: Metadata,
    pub values: Map<String, Value>,
    pub schema: Option<Value>,
    /// What lies in `charts/`.
    pub charts: Vec<Chart>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub version: String,
    #[serde(deserialize_with = "text")]
    pub app_version: String,
    pub description: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub dependencies: Vec<WantedChart>,
}

/// A dependency as `Chart.yaml` (or, in old charts, `requirements.yaml`) wants it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WantedChart {
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub version: String,
    pub repository: String,
    pub alias: Option<String>,
    pub condition: Option<String>,
}

impl WantedChart {
    /// The key its values stand under.
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// `1.0` without quotes is a number to YAML and a version to people.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

/// Why a chart cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    #[error("there is no Chart.yaml in {0}")]
    NoChart(PathBuf),
    #[error("{file} cannot be read: {source}")]
    Io {
        file: String,
        source: std::io::Error,
    },
    #[error("{file} is larger than {} MiB", MOST_FILE / 1024 / 1024)]
    TooLarge { file: String },
    #[error("{file} is not what it should be: {source}")]
    Yaml { file: String, source: YamlError },
    #[error("{file} is not JSON: {text}")]
    Json { file: String, text: String },
}

impl Chart {
    /// Reads the chart in a folder.
    pub fn read(folder: &Path) -> Result<Self, ChartError> {
        Self::read_at(folder, 0)
    }

    fn read_at(folder: &Path, depth: usize) -> Result<Self, ChartError> {
        if !folder.join("Chart.yaml").is_file() {
            return Err(ChartError::NoChart(folder.to_owned()));
        }
        let mut chart = Self::from_files(&|name| read_text(folder, name))?;
        let inside = folder.join("charts");
        if depth < DEEPEST && inside.is_dir() {
            let mut entries: Vec<PathBuf> = fs::read_dir(&inside)
                .map_err(|source| ChartError::Io {
                    file: "charts".to_owned(),
                    source,
                })?
                .flatten()
                .map(|entry| entry.path())
                .collect();
            entries.sort();
            for entry in entries {
                let is_packed = entry
                    .extension()
                    .is_some_and(|extension| extension == "tgz");
                if entry.join("Chart.yaml").is_file() {
                    chart.charts.push(Self::read_at(&entry, depth + 1)?);
                } else if is_packed && let Some(packed) = read_packed(&entry) {
                    chart.charts.push(packed);
                }
            }
        }
        Ok(chart)
    }

    /// `read` answers with a file's text, or none when there is no such file.
    fn from_files(
        read: &dyn Fn(&str) -> Result<Option<String>, ChartError>,
    ) -> Result<Self, ChartError> {
        let yaml_error = |file: &str| {
            let file = file.to_owned();
            move |source| ChartError::Yaml { file, source }
        };
        let metadata = yaml::parse(&read("Chart.yaml")?.unwrap_or_default())
            .map_err(yaml_error("Chart.yaml"))?;
        let mut metadata: Metadata =
            serde_json::from_value(metadata).map_err(|error| ChartError::Json {
                file: "Chart.yaml".to_owned(),
                text: error.to_string(),
            })?;
        if let Some(old) = read("requirements.yaml")? {
            let old = yaml::parse(&old).map_err(yaml_error("requirements.yaml"))?;
            let old: Metadata = serde_json::from_value(old).unwrap_or_default();
            metadata.dependencies.extend(old.dependencies);
        }
        let values = yaml::parse_values(&read("values.yaml")?.unwrap_or_default())
            .map_err(yaml_error("values.yaml"))?;
        let schema = match read("values.schema.json")? {
            Some(text) => Some(
                serde_json::from_str(&text).map_err(|error| ChartError::Json {
                    file: "values.schema.json".to_owned(),
                    text: error.to_string(),
                })?,
            ),
            None => None,
        };
        Ok(Self {
            metadata,
            values,
            schema,
            charts: Vec::new(),
        })
    }

    /// The dependencies with what is there of them.
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.metadata
            .dependencies
            .iter()
            .map(|wanted| Dependency {
                name: wanted.name.clone(),
                alias: wanted.alias.clone(),
                version: wanted.version.clone(),
                condition: wanted.condition.clone(),
                state: match self.chart_of(wanted) {
                    Some(chart) => DependencyState::Present {
                        version: chart.metadata.version.clone(),
                    },
                    None => DependencyState::Missing,
                },
            })
            .collect()
    }

    fn chart_of(&self, wanted: &WantedChart) -> Option<&Chart> {
        self.charts
            .iter()
            .find(|chart| chart.metadata.name == wanted.name)
    }

    /// The subcharts with the keys their values stand under. One that no dependency names is there
    /// under its own name.
    pub fn subcharts(&self) -> Vec<(&str, &Chart)> {
        let wanted = self
            .metadata
            .dependencies
            .iter()
            .filter_map(|wanted| Some((wanted.key(), self.chart_of(wanted)?)));
        let others = self.charts.iter().filter(|chart| {
            !self
                .metadata
                .dependencies
                .iter()
                .any(|wanted| wanted.name == chart.metadata.name)
        });
        wanted
            .chain(others.map(|chart| (chart.metadata.name.as_str(), chart)))
            .collect()
    }

    /// The chart's own values over its subcharts' own ones.
    pub fn defaults(&self) -> Map<String, Value> {
        let mut defaults = self.values.clone();
        for (key, chart) in self.subcharts() {
            let own = match defaults.shift_remove(key) {
                Some(Value::Object(own)) => own,
                // `sub: null` or a text there: helm ignores it.
                _ => Map::new(),
            };
            let mut under = chart.defaults();
            super::layers::lay_over(&mut under, own);
            // A library has nothing to set most of the time.
            if !under.is_empty() {
                defaults.insert(key.to_owned(), Value::Object(under));
            }
        }
        defaults
    }
}

fn read_text(folder: &Path, name: &str) -> Result<Option<String>, ChartError> {
    let path = folder.join(name);
    let io = |source| ChartError::Io {
        file: name.to_owned(),
        source,
    };
    match path.metadata() {
        Ok(metadata) if metadata.len() > MOST_FILE => {
            return Err(ChartError::TooLarge {
                file: name.to_owned(),
            });
        }
        Ok(metadata) if metadata.is_file() => {}
        _ => return Ok(None),
    }
    fs::read_to_string(&path).map(Some).map_err(io)
}

/// A packed dependency; none when it is not one (helm says so itself).
fn read_packed(archive: &Path) -> Option<Chart> {
    let file = fs::File::open(archive).ok()?;
    let unpacked = flate2::read::GzDecoder::new(file).take(MOST_PACKED);
    let mut tarball = tar::Archive::new(unpacked);
    let wanted = [
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "requirements.yaml",
    ];
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    for entry in tarball.entries().ok()? {
        let Ok(mut entry) = entry else { break };
        let Ok(path) = entry.path().map(|path| path.into_owned()) else {
            continue;
        };
        let name = path.file_name().and_then(|name| name.to_str());
        if entry.size() > MOST_FILE || !name.is_some_and(|name| wanted.contains(&name)) {
            continue;
        }
        let mut text = String::new();
        if entry.read_to_string(&mut text).is_ok() {
            texts.push((path, text));
        }
    }
    let top = texts
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with("Chart.yaml"))
        .min_by_key(|path| path.components().count())?
        .parent()?
        .to_owned();
    packed_chart(&texts, &top, 0)
}

fn packed_chart(texts: &[(PathBuf, String)], top: &Path, depth: usize) -> Option<Chart> {
    let mut chart = Chart::from_files(&|name| {
        let wanted = top.join(name);
        Ok(texts
            .iter()
            .find(|(path, _)| *path == wanted)
            .map(|(_, text)| text.clone()))
    })
    .ok()?;
    if depth < DEEPEST {
        let inside = top.join("charts");
        for (path, _) in texts {
            if path.ends_with("Chart.yaml")
                && let Some(folder) = path.parent()
                && folder.parent() == Some(inside.as_path())
                && let Some(sub) = packed_chart(texts, folder, depth + 1)
            {
                chart.charts.push(sub);
            }
        }
    }
    Some(chart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn packed_and_unpacked_dependencies_give_their_values_under_their_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let chart = folder.path();
        write(
            chart,
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0\ndependencies:\n- {name: cache, version: 2.x.x, alias: store, condition: store.enabled}\n- {name: db, version: 1.0.0}\n- {name: lost, version: 3.0.0}\n",
        );
        write(chart, "values.yaml", "replicas: 1\nstore: {size: 5}\n");
        write(chart, "charts/db/Chart.yaml", "name: db\nversion: 1.0.0\n");
        write(chart, "charts/db/values.yaml", "user: app\n");
        let mut packed = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        for (name, text) in [
            ("cache/Chart.yaml", "name: cache\nversion: 2.1.0\n"),
            ("cache/values.yaml", "size: 1\nport: 6379\n"),
            (
                "cache/charts/deep/Chart.yaml",
                "name: deep\nversion: 0.1.0\n",
            ),
            ("cache/charts/deep/values.yaml", "x: 1\n"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            packed
                .append_data(&mut header, name, text.as_bytes())
                .expect("added");
        }
        let bytes = packed
            .into_inner()
            .and_then(|gz| gz.finish())
            .expect("packed");
        fs::write(chart.join("charts/cache-2.1.0.tgz"), bytes).expect("written");

        let chart = Chart::read(chart).expect("a chart");
        assert_eq!(chart.metadata.version, "1.0");
        let states: Vec<_> = chart
            .dependencies()
            .into_iter()
            .map(|one| (one.name, one.state))
            .collect();
        assert_eq!(
            states,
            [
                (
                    "cache".to_owned(),
                    DependencyState::Present {
                        version: "2.1.0".into()
                    }
                ),
                (
                    "db".to_owned(),
                    DependencyState::Present {
                        version: "1.0.0".into()
                    }
                ),
                ("lost".to_owned(), DependencyState::Missing),
            ]
        );
        assert_eq!(
            Value::Object(chart.defaults()),
            json!({"replicas": 1, "store": {"size": 5, "port": 6379, "deep": {"x": 1}}, "db": {"user": "app"}})
        );
    }

    #[test]
    fn a_broken_chart_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(
            Chart::read(folder.path()),
            Err(ChartError::NoChart(_))
        ));
        write(folder.path(), "Chart.yaml", "name: web\nversion: 1.0.0\n");
        write(folder.path(), "values.yaml", "a: b: c\n");
        let error = Chart::read(folder.path()).expect_err("broken");
        assert!(error.to_string().starts_with("values.yaml"), "{error}");
        write(folder.path(), "values.yaml", "a: 1\n");
        write(folder.path(), "values.schema.json", "{");
        assert!(
            Chart::read(folder.path())
                .expect_err("broken")
                .to_string()
                .contains("values.schema.json")
        );
    }
}
