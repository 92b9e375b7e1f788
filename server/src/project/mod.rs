//! The project: a folder described by its `slipway.toml`, read strictly.
//! Every mistake in the file becomes a finding with file, line, column and the likely fix.

mod append;
mod document;
mod parse;
mod size;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use app::model::{ComponentName, ComponentView, Finding, NextAction, ProjectView, SecretKey};

pub use size::parse_size;
pub use spec::{
    BuildSecretFrom, BuildSecretSpec, ComponentSpec, DeploySpec, Expose, PackRecipe, ProjectSpec,
    SecretSpec,
};

/// The file that makes a folder a project.
pub const FILE: &str = "slipway.toml";

/// Whether this text would be a good `slipway.toml` of the folder, with files that are `coming` as if
/// they were there.
pub fn try_text(root: &Path, text: &str, coming: &[PathBuf]) -> Result<ProjectSpec, Finding> {
    let spec = parse::parse(root, text)?;
    parse::check_paths(root, &spec, coming)?;
    Ok(spec)
}

/// A loaded project. What its file says can be read again while Slipway runs; the last good
/// reading stays in use until then.
#[derive(Debug)]
pub struct Project {
    /// The project's folder; every path in `slipway.toml` is relative to it.
    pub root: PathBuf,
    current: RwLock<Reading>,
}

#[derive(Clone, Debug)]
struct Reading {
    spec: Arc<ProjectSpec>,
    /// Of the file this reading came from; tells whether it changed.
    stamp: Option<(SystemTime, u64)>,
}

impl Project {
    /// Reads the project in this folder (or the folder of this `slipway.toml`).
    pub fn load(dir: &Path) -> Result<Self, Finding> {
        let folder = if dir.is_file() {
            dir.parent().unwrap_or(Path::new("."))
        } else {
            dir
        };
        let root = folder
            .canonicalize()
            .map_err(|error| not_found(folder, &error))?;
        let current = RwLock::new(read(&root)?);
        Ok(Self { root, current })
    }

    /// Whether this folder has a `slipway.toml`.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(FILE).is_file()
    }

    /// Whether there is anything of that name, even what cannot be read.
    pub fn is_there(dir: &Path) -> bool {
        dir.join(FILE).symlink_metadata().is_ok()
    }

    /// What the file says, by the last good reading.
    pub fn spec(&self) -> Arc<ProjectSpec> {
        Arc::clone(&self.reading().spec)
    }

    /// Reads the file again if it changed. `Ok(true)` when the project is another one than before;
    /// after an error the last good reading stays.
    pub fn reload(&self) -> Result<bool, Finding> {
        let before = self.reading();
        if before.stamp.is_some() && stamp(&self.root.join(FILE)) == before.stamp {
            // Paths the file names may have gone meanwhile.
            return parse::check_paths(&self.root, &before.spec, &[]).map(|()| false);
        }
        let after = read(&self.root)?;
        let changed = after.spec != before.spec;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(changed)
    }

    /// The folder-relative path as an absolute one.
    pub fn path(&self, relative: &Path) -> PathBuf {
        self.root.join(relative)
    }

    /// The component of this name.
    pub fn component(&self, name: &ComponentName) -> Option<ComponentSpec> {
        self.spec().component(name).cloned()
    }

    /// The secret of this key.
    pub fn secret(&self, key: &SecretKey) -> Option<SecretSpec> {
        self.spec()
            .secrets
            .iter()
            .find(|secret| &secret.key == key)
            .cloned()
    }

    /// The project as everyone may see it.
    pub fn view(&self) -> ProjectView {
        let spec = self.spec();
        ProjectView {
            name: spec.name.clone(),
            root: self.root.display().to_string(),
            namespace: spec.namespace.clone(),
            components: spec.components.iter().map(view_of).collect(),
            secret_name: spec.secret_name.clone(),
            has_manifests: !spec.deploy.manifests.is_empty(),
            has_chart: spec.deploy.chart.is_some(),
        }
    }

    fn reading(&self) -> Reading {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn view_of(component: &ComponentSpec) -> ComponentView {
    ComponentView {
        name: component.name.clone(),
        image: component.image.clone(),
        port: component.port,
        probes: component.probes.clone(),
        exposed: component.expose != Expose::ClusterIp,
        size_budget_bytes: component.size_budget_bytes,
    }
}

fn read(root: &Path) -> Result<Reading, Finding> {
    let path = root.join(FILE);
    // The stamp is taken first: a write in between is then noticed at the next reload.
    let stamp = stamp(&path);
    let text = std::fs::read_to_string(&path).map_err(|error| not_found(root, &error))?;
    let spec = Arc::new(parse::parse(root, &text)?);
    parse::check_paths(root, &spec, &[])?;
    Ok(Reading { spec, stamp })
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn not_found(folder: &Path, error: &std::io::Error) -> Finding {
    match error.kind() {
        std::io::ErrorKind::NotFound => Finding::new(
            "PROJECT_NOT_FOUND",
            format!("There is no project in {}", folder.display()),
            format!("A project is a folder with a file named {FILE}, and this one has none."),
        )
        .next(NextAction::Command {
            command: format!("slipway serve --project {}", folder.display()),
            why: format!("Slipway looks at the folder and proposes a {FILE} in the browser; nothing is written without your yes"),
        })
        .next(NextAction::advice(format!("Or name the folder that holds {FILE}, or write one; docs/slipway-toml.md describes every key"))),
        _ => Finding::new(
            "PROJECT_UNREADABLE",
            format!("{FILE} cannot be read"),
            format!("Reading it in {} failed: {error}.", folder.display()),
        )
        .next(NextAction::advice("Check that the file is a UTF-8 text and that your user may read it")),
    }
}
