//! The docker builder: BuildKit through the CLI where buildx is here, else the classic builder, in the
//! daemon the image's destination names.

use std::sync::Arc;
use std::time::Duration;

use app::model::{BuiltImage, Finding, Rebuild};
use tokio_util::sync::CancellationToken;

use super::build_arguments::{self, BuildArguments};
use super::build_progress::BuildProgress;
use super::deliver::{Lies, Made};
use super::destination::Destination;
use super::pack_build::Tail;
use super::plan::Job;
use super::report::Look;
use super::{Inner, dockerfile_lines, findings};
use crate::adapters::docker::{self, BuildCommand, BuildEngine, Daemon, ProgressReader};
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle, StageHandle, Voice, clock};
use crate::process::{self, Ending};
use crate::project::ComponentSpec;

const BUILD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// Builds the image and gives it the tag of its sources.
pub async fn build(
    inner: &Arc<Inner>,
    (run, connected): (&RunHandle, &Connected),
    (job, sources): (&Job, &Look),
    destination: &Destination,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<Made, RunError> {
    let component = &job.component;
    let Some(dockerfile) = &component.dockerfile else {
        return Err(findings::no_builder(component, true).into());
    };
    let daemon = destination.daemon();
    let mut engine = engine(cancel).await;
    let inputs = build_arguments::read(&inner.project, component, &engine, &inner.core.redactor)?;
    let goes = destination.phrase(&job.way);
    stage.log(format!("{} builds; the image goes {goes}", engine.label()));
    if let BuildEngine::Classic { why } = &engine {
        stage.log(format!("BuildKit is not used: {why}"));
    }
    if let Some(platform) = &sources.platform {
        stage.log(format!(
            "Built for {platform}: that is what the cluster's nodes are, and this daemon is not"
        ));
    }
    let folder = tempfile::tempdir().map_err(|error| {
        findings::load_failed(
            &component.name,
            &format!("A temporary folder could not be made: {error}"),
            &[],
        )
    })?;
    let build = Build {
        inner,
        voice: &connected.voice,
        cluster: &connected.id,
        run,
        component,
        sources,
        daemon: &daemon,
        dockerfile: inner.project.path(dockerfile),
        // Its own for every build: another Slipway may build the same image with this daemon.
        working: format!(
            "{}:slipway-building-{}",
            component.image,
            hex::encode(rand::random::<[u8; 8]>())
        ),
        id_file: folder.path().join("id"),
        inputs,
        goes,
        no_cache: job.rebuild == Rebuild::Anyway,
    };
    let mut ended = build.once(&engine, stage, cancel).await?;
    if ended.refused_format() {
        engine = engine.in_plain_text();
        stage.log("This buildx does not write raw JSON; building again with plain text");
        ended = build.once(&engine, stage, cancel).await?;
    }
    match ended.ending {
        Ending::Exited(0) => {}
        Ending::Cancelled { .. } => return Err(RunError::Cancelled),
        _ => return Err(build.why_failed(&mut ended).into()),
    }
    let image = build.found(cancel).await?;
    stage.succeed(format!(
        "{}, {}",
        image.reference,
        app::model::humanize_bytes(image.size_bytes)
    ));
    Ok(Made {
        image,
        lies: Lies::InDaemon(daemon.clone()),
    })
}

/// What builds on this machine.
pub async fn engine(cancel: &CancellationToken) -> BuildEngine {
    let buildx = process::capture(&docker::buildx_version(), cancel)
        .await
        .ok()
        .filter(|captured| captured.ending.is_success())
        .map(|captured| captured.stdout);
    let switch = std::env::var("DOCKER_BUILDKIT").ok();
    docker::engine(buildx.as_deref(), switch.as_deref())
}

struct Build<'b> {
    inner: &'b Arc<Inner>,
    voice: &'b Voice,
    cluster: &'b str,
    run: &'b RunHandle,
    component: &'b ComponentSpec,
    sources: &'b Look,
    daemon: &'b Daemon,
    dockerfile: std::path::PathBuf,
    /// The name while it is built; the ID decides which image is meant.
    working: String,
    id_file: std::path::PathBuf,
    inputs: BuildArguments,
    goes: String,
    no_cache: bool,
}

struct Ended {
    ending: Ending,
    reader: ProgressReader,
    tail: Tail,
}

impl Ended {
    /// buildx from before 0.13 behind a version that says otherwise.
    fn refused_format(&self) -> bool {
        matches!(self.ending, Ending::Exited(1))
            && self
                .tail
                .lines()
                .iter()
                .any(|line| line.contains("invalid progress mode"))
    }
}

impl Build<'_> {
    async fn once(
        &self,
        engine: &BuildEngine,
        stage: &StageHandle,
        cancel: &CancellationToken,
    ) -> Result<Ended, RunError> {
        let context = self.inner.project.path(&self.component.context);
        let spec = BuildCommand {
            daemon: self.daemon,
            engine,
            reference: &self.working,
            dockerfile: &self.dockerfile,
            context: &context,
            args: &self.inputs.args,
            secrets: &self.inputs.secrets,
            platform: self.sources.platform.as_deref(),
            no_cache: self.no_cache,
            id_file: &self.id_file,
            deadline: BUILD_DEADLINE,
        }
        .spec();
        let mut progress = BuildProgress::begin(
            self.inner,
            self.voice,
            self.run,
            &self.component.name,
            &engine.label(),
            &self.goes,
        );
        let mut reader = ProgressReader::new(engine.format());
        let mut tail = Tail::default();
        let ending = process::stream(&spec, cancel, |pipe, bytes| {
            reader.push(pipe, bytes, clock::now(), |line| {
                stage.log(line);
                tail.push(line);
            });
            progress.tell(reader.steps(), stage);
        })
        .await
        .map_err(|error| findings::spawn_failed(&self.component.name, &error))?;
        let now = clock::now();
        reader.finish(now, |line| {
            stage.log(line);
            tail.push(line);
        });
        let last = tail.lines().last().cloned().unwrap_or_default();
        let blame = match ending {
            Ending::Cancelled { .. } => None,
            _ => Some(last.as_str()),
        };
        reader.steps().settle(ending.is_success(), blame, now);
        progress.tell_all(reader.steps());
        Ok(Ended {
            ending,
            reader,
            tail,
        })
    }

    fn why_failed(&self, ended: &mut Ended) -> Finding {
        let tail = ended.tail.lines();
        let failed = ended.reader.steps().failed();
        let text = std::fs::read_to_string(&self.dockerfile).unwrap_or_default();
        let (name, error) = match &failed {
            Some(failed) => (failed.step.name.as_str(), failed.why.as_str()),
            None => ("", ""),
        };
        let file_name = self.dockerfile.file_name().unwrap_or_default();
        let said = format!("{error}\n{}", tail.join("\n"));
        let line = dockerfile_lines::find(&text, &file_name.to_string_lossy(), name, &said);
        findings::step_failed(&self.component.name, ended.ending, failed, line, &tail)
    }

    /// The image the CLI says it built, under the tag of its sources.
    async fn found(&self, cancel: &CancellationToken) -> Result<BuiltImage, RunError> {
        let lost = || {
            findings::load_failed(
                &self.component.name,
                "docker says the build succeeded, but its daemon does not know the image",
                &[],
            )
        };
        let id = std::fs::read_to_string(&self.id_file).unwrap_or_default();
        let mut found = None;
        // Older daemons with another image store know it by its name only.
        for name in [id.trim(), &self.working] {
            if !name.is_empty() && found.is_none() {
                found = inspect(self.daemon, name, cancel).await;
            }
        }
        let inspected = found.ok_or_else(lost)?;
        let tag = self
            .inner
            .tag_of(
                self.cluster,
                self.component,
                self.sources,
                &inspected.id,
                cancel,
            )
            .await?;
        let reference = format!("{}:{tag}", self.component.image);
        let tagged = docker::tag(self.daemon, &inspected.id, &reference);
        let tagged = process::capture(&tagged, cancel).await;
        if !tagged.is_ok_and(|captured| captured.ending.is_success()) {
            return Err(lost().into());
        }
        // Only the name goes; a failure leaves a second name behind, which does no harm.
        let _ = process::capture(&docker::untag(self.daemon, &self.working), cancel).await;
        Ok(BuiltImage {
            reference,
            id: inspected.id,
            size_bytes: inspected.size_bytes,
            built: clock::now(),
            user: inspected.user,
        })
    }
}

/// What a daemon knows of an image.
pub async fn inspect(
    daemon: &Daemon,
    reference: &str,
    cancel: &CancellationToken,
) -> Option<docker::InspectedImage> {
    let captured = process::capture(&docker::inspect(daemon, reference), cancel)
        .await
        .ok()?;
    docker::parse_inspect(&captured.stdout)
}
