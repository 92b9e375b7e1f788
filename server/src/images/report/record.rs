//! A build's side of the report: the sources are looked at before, compared after, and remembered
//! with what came out of them.

use std::time::{Duration, Instant};

use app::model::{Builder, BuiltImage, ClusterKind, ComponentName, ImageFacts, Progress};
use tokio_util::sync::CancellationToken;

use super::sources::small_text;
use super::{BuiltFrom, Look, LookError, dockerfile, facts};
use crate::adapters::docker::{self, BuildEngine};
use crate::cluster::Connected;
use crate::engine::{RunError, StageHandle};
use crate::images::context::Reader;
use crate::images::deliver::{Lies, Made};
use crate::images::{Inner, docker_build, platform};
use crate::process;
use crate::project::ComponentSpec;

/// A reading that takes longer shows how far it is.
const WORTH_SHOWING: Duration = Duration::from_millis(300);
/// How many changed paths the log names.
const NAMED: usize = 5;

impl Inner {
    /// The sources as they are now, with the tag that follows from them.
    pub(in crate::images) async fn sources_of(
        &self,
        component: &ComponentSpec,
        builder: Builder,
        stage: &StageHandle,
        cancel: &CancellationToken,
    ) -> Result<Look, RunError> {
        let (started, shown) = (Instant::now(), stage.clone());
        let on_count = move |entries| {
            if started.elapsed() > WORTH_SHOWING {
                shown.progress(Progress {
                    done: entries,
                    total: None,
                    note: format!("reading the sources, {entries} files so far"),
                });
            }
        };
        let look = self
            .reporter
            .look(&self.project, component, builder, cancel, on_count)
            .await?;
        Ok(look)
    }

    /// The tag of an image that was just built: that of its sources, unless they changed meanwhile
    /// or an earlier build of the same sources gave another image. A tag never means two images.
    pub(in crate::images) async fn tag_of(
        &self,
        cluster: &str,
        component: &ComponentSpec,
        before: &Look,
        image_id: &str,
        cancel: &CancellationToken,
    ) -> Result<String, RunError> {
        let after = self
            .reporter
            .look(&self.project, component, before.builder, cancel, |_| {})
            .await?;
        let of_image = practice::images::content_tag(image_id);
        if after.identity.digest != before.identity.digest {
            return Ok(of_image);
        }
        let tag = before.identity.tag();
        let earlier = self.reporter.built_from(cluster, &component.name).await;
        let is_another = earlier.is_some_and(|built| {
            built.digest == before.identity.digest && built.image_id != image_id
        });
        match is_another {
            true => Ok(format!("{tag}-{}", &of_image[..4.min(of_image.len())])),
            false => Ok(tag),
        }
    }

    /// What was just made is made of.
    pub(in crate::images) async fn facts_of(
        &self,
        component: &ComponentSpec,
        made: &Made,
        cancel: &CancellationToken,
    ) -> Option<ImageFacts> {
        let daemon = match &made.lies {
            Lies::Packed(packed) => {
                return facts::from_oci(packed.config(), &packed.id(), &packed.layers());
            }
            Lies::InDaemon(daemon) => daemon,
        };
        let reference = &made.image.reference;
        let inspect = process::capture(&docker::inspect(daemon, reference), cancel).await;
        let history = process::capture(&docker::history(daemon, reference), cancel).await;
        let (inspect, history) = (inspect.ok()?.stdout, history.ok()?.stdout);
        let dockerfile = component
            .dockerfile
            .as_ref()
            .map(|path| self.project.path(path));
        tokio::task::spawn_blocking(move || {
            let text = dockerfile.and_then(|path| small_text(&path));
            let file = text.map(|text| dockerfile::parse(&text));
            facts::from_docker(&inspect, &history, file.as_ref())
        })
        .await
        .ok()
        .flatten()
    }

    /// Asks which builder docker has here, because it decides which ignore file counts, and whether
    /// it has to be told what the nodes of a cluster of this kind are.
    pub(in crate::images) async fn learn_docker(
        &self,
        kind: Option<&ClusterKind>,
        cancel: &CancellationToken,
    ) {
        if process::find_on_path("docker").is_none() {
            return;
        }
        let engine = docker_build::engine(cancel).await;
        self.reporter.set_reader(match engine {
            BuildEngine::Classic { .. } => Reader::Classic,
            _ => Reader::BuildKit,
        });
        let nodes = self.nodes.borrow().architectures();
        let platform = match kind {
            Some(kind) => platform::other_than_the_daemon_s(kind, &nodes, cancel).await,
            None => None,
        };
        self.reporter.set_platform(platform);
    }

    /// Whether an image of exactly these sources was built before and is this one.
    pub(in crate::images) async fn is_built_from(
        &self,
        connected: &Connected,
        component: &ComponentName,
        look: &Look,
        image: &BuiltImage,
    ) -> bool {
        self.reporter
            .built_from(&connected.id, component)
            .await
            .is_some_and(|built| {
                built.clean && built.digest == look.identity.digest && built.image_id == image.id
            })
    }

    /// Remembers what the image was built from. Sources that changed meanwhile are told apart: the
    /// image is then of neither state, and the next build will not take it for one.
    pub(in crate::images) async fn remember_build(
        &self,
        connected: &Connected,
        component: &ComponentSpec,
        before: Look,
        image: &BuiltImage,
        facts: Option<ImageFacts>,
        stage: &StageHandle,
    ) {
        let builder = before.builder;
        // It is quick: every hash is known by now.
        let looked = self
            .reporter
            .look(
                &self.project,
                component,
                builder,
                &CancellationToken::new(),
                |_| {},
            )
            .await;
        let (before, after) = match looked {
            Ok(after) => (before.identity, after.identity),
            Err(LookError::Cancelled) => return,
            Err(LookError::Failed(finding)) => {
                stage.log(format!("{}: {}", finding.what, finding.why));
                return;
            }
        };
        let mut changed = before.snapshot.difference(&after.snapshot);
        if builder == Builder::Pack {
            // What the build itself leaves in the folder is no change of the sources.
            changed.added.clear();
        }
        if !changed.is_empty() {
            let mut words = changed.words();
            words.truncate(NAMED);
            stage.log(format!(
                "Changed while it was built: {}. Build again if that was you.",
                words.join(", ")
            ));
        }
        let built = BuiltFrom {
            image_id: image.id.clone(),
            builder,
            clean: changed.is_empty(),
            // Docker was sent the sources at the beginning. A program's own build reads them as it
            // goes on and may write beside them, so there the end counts.
            digest: match builder {
                Builder::Docker => before.digest,
                Builder::Pack => after.digest,
            },
            snapshot: match builder {
                Builder::Docker => before.snapshot,
                Builder::Pack => after.snapshot,
            },
            facts,
        };
        if let Err(error) = self
            .reporter
            .remember(&connected.id, &component.name, built)
            .await
        {
            stage.log(format!(
                "What it was built from could not be written down: {error}"
            ));
        }
    }
}
