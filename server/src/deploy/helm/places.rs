//! Where things lie: the chart, its values files, and helm's own small files in the state folder.

use std::fs::{DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use app::model::Finding;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::{ReleasesRoom, words, yaml};
use crate::adapters::helm::{Place, ReleaseName};
use crate::adapters::kube::kubeconfig;
use crate::cluster::Connected;
use crate::engine::private_file;
use crate::project::Project;

/// The file that edits are saved to when no other is chosen; when it is there, it is the last layer.
pub(super) const OWN_FILE: &str = "values-slipway.yaml";
/// Charts with more files than this are not looked through for changes.
const MOST_FILES: usize = 5_000;

/// A values file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValuesFile {
    /// As `slipway.toml` names it.
    pub name: String,
    pub path: PathBuf,
}

/// The chart's folder; none when the project has no chart.
pub(super) fn chart_folder(project: &Project) -> Option<PathBuf> {
    let spec = project.spec();
    Some(project.path(spec.deploy.chart.as_deref()?))
}

/// The values files in the order in which they are laid over each other.
pub(super) fn values_files(project: &Project) -> Vec<ValuesFile> {
    let spec = project.spec();
    let mut files: Vec<ValuesFile> = spec
        .deploy
        .values
        .iter()
        .map(|name| {
            let path = project.path(name);
            let in_chart = spec
                .deploy
                .chart
                .as_ref()
                .map(|chart| project.path(chart).join(name));
            ValuesFile {
                name: name.display().to_string(),
                path: match in_chart {
                    Some(in_chart) if !path.is_file() => in_chart,
                    _ => path,
                },
            }
        })
        .collect();
    let own = project.path(Path::new(OWN_FILE));
    if own.is_file() && !files.iter().any(|file| file.path == own) {
        files.push(ValuesFile {
            name: OWN_FILE.to_owned(),
            path: own,
        });
    }
    files
}

/// Changes when a file of the chart, or a values file, does.
pub(super) fn fingerprint(project: &Project) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut add = |path: &Path| {
        if let Ok(metadata) = path.metadata() {
            path.hash(&mut hasher);
            metadata.len().hash(&mut hasher);
            metadata.modified().ok().hash(&mut hasher);
        }
    };
    if let Some(chart) = chart_folder(project) {
        walkdir::WalkDir::new(chart)
            .sort_by_file_name()
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .take(MOST_FILES)
            .for_each(|entry| add(entry.path()));
    }
    for file in values_files(project) {
        add(&file.path);
    }
    hasher.finish()
}

impl ReleasesRoom {
    /// The release's name: the project's.
    pub(super) fn release(&self) -> Result<ReleaseName, Finding> {
        let name = self.inner.project.spec().name.clone();
        name.parse()
            .map_err(|why: String| words::no_release_name(&why))
    }

    fn folder(&self) -> Result<PathBuf, Finding> {
        let folder = self.inner.core.state_dir.path().join("helm");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| words::no_place(&folder, &error))?;
        Ok(folder)
    }

    /// Where helm works, with a kubeconfig of one file and one context: `--kubeconfig` takes no list,
    /// and nothing else in the user's files is helm's business.
    pub(super) fn place(&self, connected: &Connected) -> Result<Place, Finding> {
        let files: Vec<PathBuf> = std::env::split_paths(&connected.kubeconfig).collect();
        let mut config = kubeconfig::read(&files).config;
        config
            .contexts
            .retain(|context| context.name == connected.context);
        let of_it = config
            .contexts
            .first()
            .and_then(|named| named.context.clone());
        let (cluster, user) = of_it.map_or_else(Default::default, |context| {
            (context.cluster, context.user.unwrap_or_default())
        });
        config.clusters.retain(|named| named.name == cluster);
        config.auth_infos.retain(|named| named.name == user);
        config.current_context = Some(connected.context.clone());
        let folder = self.folder()?;
        let text = serde_yaml::to_string(&config)
            .map_err(|error| words::no_place(&folder, &std::io::Error::other(error)))?;
        let path = folder.join("kubeconfig");
        private_file::write(&path, text.as_bytes())
            .map_err(|error| words::no_place(&path, &error))?;
        Ok(Place {
            kubeconfig: path,
            context: connected.context.clone(),
            namespace: self.inner.project.spec().namespace.to_string(),
        })
    }

    /// Values for one helm call, readable by their owner only; gone when dropped.
    pub(super) fn overlay(&self, values: &Map<String, Value>) -> Result<NamedTempFile, Finding> {
        let folder = self.folder()?;
        let text = yaml::document(&Value::Object(values.clone()));
        let written = || {
            let mut file = tempfile::Builder::new()
                .prefix("values-")
                .suffix(".yaml")
                .permissions(Permissions::from_mode(0o600))
                .tempfile_in(&folder)?;
            file.write_all(text.as_bytes())?;
            Ok(file)
        };
        written().map_err(|error| words::no_place(&folder, &error))
    }
}
