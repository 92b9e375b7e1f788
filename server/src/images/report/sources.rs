//! Looks at a component's sources off the runtime and gives them an identity.

use std::io::Read;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Instant;

use app::model::{Builder, Finding, NextAction, Subject};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Reporter;
use crate::engine::RunError;
use crate::images::context::{
    BuildInputs, Context, ContextError, ContextIdentity, ContextSpec, Reader, ignore_file, read,
};
use crate::project::{ComponentSpec, PackRecipe, Project};

/// No Dockerfile is longer.
const LONGEST_TEXT: u64 = 1 << 20;
/// What a pack build without an ignore file leaves out: what tools make.
const MADE_BY_TOOLS: [&str; 6] = [
    "**/.git",
    "**/target",
    "**/node_modules",
    "**/__pycache__",
    "**/.venv",
    "**/dist",
];

/// The sources at one moment.
#[derive(Debug)]
pub struct Look {
    pub context: Context,
    pub identity: ContextIdentity,
    pub builder: Builder,
    /// What docker is told to build for, where it is not the daemon's own.
    pub platform: Option<String>,
}

/// Why they could not be looked at.
#[derive(Debug)]
pub enum LookError {
    Cancelled,
    Failed(Box<Finding>),
}

impl From<LookError> for RunError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Cancelled => Self::Cancelled,
            LookError::Failed(finding) => Self::Failed(finding),
        }
    }
}

impl Reporter {
    /// Reads the sources as this builder would. `on_count` hears how many entries there are so far.
    pub async fn look(
        &self,
        project: &Project,
        component: &ComponentSpec,
        builder: Builder,
        cancel: &CancellationToken,
        on_count: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Look, LookError> {
        let reader = self.reader();
        let platform = self.platform().filter(|_| builder == Builder::Docker);
        let question = Question {
            spec: context_spec(project, component, builder, reader),
            dockerfile: component.dockerfile.as_ref().map(|path| project.path(path)),
            recipe: component
                .pack
                .clone()
                .filter(|_| builder == Builder::Pack)
                .map(|recipe| (project.path(&recipe.binary), recipe)),
            args: build_args(component, builder),
            platform: platform.clone(),
            builder,
            reader,
        };
        let (cache, cache_file) = (
            self.cache(&component.name),
            self.cache_file(&component.name),
        );
        let (key, cancel) = (self.key.clone(), cancel.clone());
        let name = component.name.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let context = read(&question.spec, &cancel, &mut |count| on_count(count))?;
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            let hashed = cache.hash(&context, &cancel, &|_| {})?;
            if hashed.read > 0
                && let Err(error) = cache.save(&cache_file)
            {
                tracing::warn!(%error, "the hashes of the sources are not kept");
            }
            let identity = context.identity(&hashed, &question.inputs()?, key.as_slice());
            tracing::debug!(
                component = %name,
                entries = context.entries.len(),
                files_read = hashed.read,
                took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "looked at the sources"
            );
            Ok(Look {
                context,
                identity,
                builder,
                platform,
            })
        })
        .await;
        match looked {
            Ok(Ok(look)) => Ok(look),
            Ok(Err(ContextError::Cancelled)) | Err(_) => Err(LookError::Cancelled),
            Ok(Err(error)) => Err(LookError::Failed(Box::new(unreadable(component, &error)))),
        }
    }
}

fn build_args(
    component: &ComponentSpec,
    builder: Builder,
) -> std::collections::BTreeMap<String, String> {
    match builder {
        Builder::Docker => component.build_args.clone(),
        Builder::Pack => std::collections::BTreeMap::new(),
    }
}

struct Question {
    spec: ContextSpec,
    dockerfile: Option<std::path::PathBuf>,
    recipe: Option<(std::path::PathBuf, PackRecipe)>,
    args: std::collections::BTreeMap<String, String>,
    platform: Option<String>,
    builder: Builder,
    reader: Reader,
}

impl Question {
    fn inputs(&self) -> Result<BuildInputs, ContextError> {
        let file = |path: &Path| {
            std::fs::read(path).map_err(|source| ContextError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let recipe = match (&self.recipe, &self.dockerfile) {
            (Some((binary, recipe)), _) => {
                let mut text = format!("{recipe:?}").into_bytes();
                // Nothing makes it anew, so it is a source itself.
                if recipe.build.is_empty()
                    && let Ok(bytes) = std::fs::read(binary)
                {
                    text.extend(Sha256::digest(bytes));
                }
                text
            }
            (None, Some(dockerfile)) => file(dockerfile)?,
            (None, None) => Vec::new(),
        };
        Ok(BuildInputs {
            recipe,
            args: self.args.clone(),
            target: None,
            platform: self.platform.clone(),
            builder: match (self.builder, self.reader) {
                (Builder::Pack, _) => "pack",
                (Builder::Docker, Reader::BuildKit) => "docker with BuildKit",
                (Builder::Docker, Reader::Classic) => "docker's classic builder",
            },
        })
    }
}

fn context_spec(
    project: &Project,
    component: &ComponentSpec,
    builder: Builder,
    reader: Reader,
) -> ContextSpec {
    let root = project.path(&component.context);
    // As the builders do, before anything is relative to it.
    let root = root.canonicalize().unwrap_or(root);
    let mut spec = ContextSpec {
        dockerfile: component.dockerfile.as_ref().map(|path| project.path(path)),
        reader,
        more_patterns: Vec::new(),
        root,
    };
    if builder == Builder::Docker {
        return spec;
    }
    // What a pack build reads nobody says; the ignore file is the best there is.
    spec.reader = Reader::BuildKit;
    let ignore = ignore_file::find(&spec.root, spec.dockerfile.as_deref(), spec.reader);
    if !ignore.is_ok_and(|file| file.is_some()) {
        spec.more_patterns = MADE_BY_TOOLS.map(str::to_owned).to_vec();
    }
    if let Some(recipe) = component
        .pack
        .as_ref()
        .filter(|pack| !pack.build.is_empty())
    {
        let binary = project.path(&recipe.binary);
        if let Ok(inside) = binary.strip_prefix(&spec.root) {
            let escaped = inside
                .to_string_lossy()
                .replace('\\', "\\\\")
                .replace('*', "\\*")
                .replace('?', "\\?")
                .replace('[', "\\[");
            spec.more_patterns.push(escaped);
        }
    }
    spec
}

fn unreadable(component: &ComponentSpec, error: &ContextError) -> Finding {
    let name = &component.name;
    let advice = match error {
        ContextError::Pattern { .. } => {
            "Correct the line in the ignore file; docker refuses it too"
        }
        _ => "Make it readable for your user, or leave it out in .dockerignore",
    };
    Finding::new(
        "CONTEXT_UNREADABLE",
        format!("The sources of {name} cannot be read"),
        format!("{error}."),
    )
    .about(Subject::Component {
        component: name.clone(),
    })
    .next(NextAction::advice(advice))
}

/// A file's text, unless it is too long to be what it should be.
pub fn small_text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .ok()?
        .take(LONGEST_TEXT)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
