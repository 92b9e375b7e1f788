//! The image report: which sources a component's image comes from and whether they changed since,
//! what is inside the image, and what its Dockerfile could do better.

mod checks;
pub mod dockerfile;
pub mod facts;
pub mod hints;
mod memory;
mod record;
pub mod secret_like;
mod sources;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::model::{
    Builder, ComponentName, DockerfileHint, Finding, ImageCheck, ImageReport, ImageVerdict,
    SourcesView,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::context::{self, HashCache, Reader};
use crate::engine::{StateDir, clock};
use crate::project::{ComponentSpec, Project};
use crate::secrets::fingerprint::FingerprintKey;

pub use memory::BuiltFrom;
pub use sources::{Look, LookError};

/// The folder in the state folder.
const FOLDER: &str = "contexts";
/// How long nothing is looked at after a look that took no time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A look costs at most this share of the time: one in so many.
const SHARE: u32 = 25;

/// Looks at sources and images; remembers hashes and what was built.
#[derive(Debug)]
pub struct Reporter {
    folder: PathBuf,
    /// So that nothing kept lets anyone guess a build argument.
    key: Zeroizing<[u8; 32]>,
    caches: Mutex<BTreeMap<ComponentName, Arc<Mutex<HashCache>>>>,
    /// How docker would read a context on this machine.
    reader: Mutex<Reader>,
    /// What docker has to be told to build for.
    platform: Mutex<Option<String>>,
    wake: Notify,
}

/// What a report is made for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub project: &'a Project,
    pub component: &'a ComponentSpec,
    /// The builder the next build takes.
    pub builder: Builder,
    /// The cluster in use, by its ID.
    pub cluster: Option<&'a str>,
    /// What its nodes can run.
    pub architectures: &'a BTreeSet<String>,
    /// The ID of the image that was built last for this cluster.
    pub image_id: Option<&'a str>,
}

impl Reporter {
    pub fn new(state_dir: &StateDir) -> Self {
        let key = FingerprintKey::open(state_dir.path()).unwrap_or_else(|error| {
            // Builds with arguments then look changed after each start, and nothing else is lost.
            tracing::warn!(%error, "the key of this installation cannot be read");
            FingerprintKey::random()
        });
        Self {
            folder: state_dir.path().join(FOLDER),
            key: key.derived("build arguments"),
            caches: Mutex::default(),
            reader: Mutex::new(Reader::BuildKit),
            platform: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Look again soon: something was built, or a person asked.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Remembers which builder docker has here.
    pub fn set_reader(&self, reader: Reader) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    fn reader(&self) -> Reader {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what docker has to be told to build for.
    pub fn set_platform(&self, platform: Option<String>) {
        *self.platform.lock().unwrap_or_else(PoisonError::into_inner) = platform;
    }

    fn platform(&self) -> Option<String> {
        let platform = self.platform.lock().unwrap_or_else(PoisonError::into_inner);
        platform.clone()
    }

    /// Waits until it is worth looking again after a look that took so long.
    pub async fn until_worthwhile(&self, took: Duration) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN.max(took * SHARE)) => {}
        }
    }

    fn cache(&self, component: &ComponentName) -> Arc<Mutex<HashCache>> {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            caches.entry(component.clone()).or_insert_with(|| {
                Arc::new(Mutex::new(HashCache::open(&self.cache_file(component))))
            }),
        )
    }

    fn cache_file(&self, component: &ComponentName) -> PathBuf {
        self.folder.join(format!("{component}.hashes"))
    }

    /// Everything there is to say about one component's image. `on_count` hears how many entries of
    /// the context were read, while it is.
    pub async fn report(
        &self,
        asked: Asked<'_>,
        cancel: &CancellationToken,
        on_count: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<ImageReport, LookError> {
        let Asked {
            project,
            component,
            builder,
            ..
        } = asked;
        let looked = match self
            .look(project, component, builder, cancel, on_count)
            .await
        {
            Ok(look) => Ok(look),
            Err(LookError::Failed(finding)) => Err(finding),
            Err(LookError::Cancelled) => return Err(LookError::Cancelled),
        };
        let rest = Rest {
            component: component.clone(),
            project_root: project.root.clone(),
            folder: self.folder.clone(),
            cluster: asked.cluster.map(str::to_owned),
            image_id: asked.image_id.map(str::to_owned),
            architectures: asked.architectures.clone(),
            reader: self.reader(),
        };
        tokio::task::spawn_blocking(move || rest.report(looked))
            .await
            .map_err(|_| LookError::Cancelled)
    }

    /// Remembers what an image was built from, and what it is made of.
    pub async fn remember(
        &self,
        cluster: &str,
        component: &ComponentName,
        built: BuiltFrom,
    ) -> std::io::Result<()> {
        let (folder, cluster, name) = (self.folder.clone(), cluster.to_owned(), component.clone());
        let written =
            tokio::task::spawn_blocking(move || memory::write(&folder, &cluster, &name, &built));
        written.await.map_err(std::io::Error::other)??;
        self.wake();
        Ok(())
    }

    /// What the image of a component was built from the last time.
    pub async fn built_from(&self, cluster: &str, component: &ComponentName) -> Option<BuiltFrom> {
        let (folder, cluster, name) = (self.folder.clone(), cluster.to_owned(), component.clone());
        tokio::task::spawn_blocking(move || memory::read(&folder, &cluster, &name))
            .await
            .ok()
            .flatten()
    }
}

/// What a report needs besides the sources; made off the runtime, because it reads files.
struct Rest {
    component: ComponentSpec,
    project_root: PathBuf,
    folder: PathBuf,
    cluster: Option<String>,
    image_id: Option<String>,
    architectures: BTreeSet<String>,
    reader: Reader,
}

impl Rest {
    fn report(self, looked: Result<Look, Box<Finding>>) -> ImageReport {
        let name = &self.component.name;
        // One that was built for another image of this component says nothing about this one.
        let built = self
            .cluster
            .as_ref()
            .and_then(|cluster| memory::read(&self.folder, cluster, name))
            .filter(|built| self.image_id.as_ref() == Some(&built.image_id));
        let mut checks = built
            .as_ref()
            .and_then(|built| built.facts.as_ref())
            .map(|facts| checks::checks(facts, &self.component, &self.architectures, clock::now()))
            .unwrap_or_default();
        let sources = match looked {
            Ok(look) => {
                if look.builder == Builder::Docker {
                    let warnings = context::warnings(&look.context, name);
                    checks.extend(warnings.into_iter().map(context_check));
                }
                let snapshot = built
                    .as_ref()
                    .filter(|built| built.builder == look.builder)
                    .map(|built| &built.snapshot);
                let mut preview = context::preview(
                    &look.context,
                    &look.identity,
                    snapshot,
                    &self.component.context,
                );
                if look.builder == Builder::Pack {
                    preview.tag.clear();
                }
                SourcesView::Read(Box::new(preview))
            }
            Err(finding) => SourcesView::Unreadable { finding },
        };
        let (dockerfile, hints, muted) = self.dockerfile_hints();
        ImageReport {
            component: name.clone(),
            sources,
            image: built.and_then(|built| built.facts),
            checks,
            dockerfile,
            hints,
            muted,
        }
    }

    /// The hints about the Dockerfile, and its path as written in `slipway.toml`. A pack build does
    /// not use it, and its hints are as true.
    fn dockerfile_hints(&self) -> (Option<String>, Vec<DockerfileHint>, u32) {
        let nothing = (None, Vec::new(), 0);
        let Some(relative) = &self.component.dockerfile else {
            return nothing;
        };
        let path = self.project_root.join(relative);
        let Some(text) = sources::small_text(&path) else {
            return nothing;
        };
        let root = self.project_root.join(&self.component.context);
        let has_ignore_file = context::ignore_file::find(&root, Some(&path), self.reader)
            .is_ok_and(|file| file.is_some());
        let file = dockerfile::parse(&text);
        let (hints, muted) = hints::hints(&file, self.component.port, has_ignore_file);
        (Some(relative.to_string_lossy().into_owned()), hints, muted)
    }
}

fn context_check((id, finding): (&'static str, Finding)) -> ImageCheck {
    let title = match id {
        "context-secrets" => "Secrets in the sources",
        "context-git" => "History in the sources",
        "context-output" => "Build output in the sources",
        _ => "Size of the sources",
    };
    ImageCheck {
        id: id.to_owned(),
        title: title.to_owned(),
        verdict: ImageVerdict::Found(Box::new(finding)),
    }
}
