//! A build from the inside: every component goes its own way beside the others and can be cancelled
//! alone. Only programs for packed images are built one after the other, because they share a target
//! folder.

use std::sync::Arc;

use app::model::{
    Builder, BuiltImage, ComponentName, ImageFacts, ImageState, Rebuild, humanize_bytes,
};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::destination::Destination;
use super::pack_build::Tail;
use super::plan::Job;
use super::report::Look;
use super::{Inner, deliver, docker_build, findings, known, pack_build, prove};
use crate::cluster::Connected;
use crate::engine::{RunError, RunHandle, StageHandle, clock};
use crate::process::{self, CommandSpec, Ending};

/// The body of the run; its summary counts what is in the cluster.
pub async fn build(
    inner: &Arc<Inner>,
    connected: &Arc<Connected>,
    jobs: Vec<Job>,
    run: &RunHandle,
) -> Result<String, RunError> {
    let target_folder = Arc::new(Mutex::new(()));
    let mut going: JoinSet<(ComponentName, Result<Done, RunError>)> = JoinSet::new();
    for job in jobs {
        let one = OneBuild {
            cancel: inner.going.begin(&job.component.name, run.cancelled()),
            stages: Stages::of(run, &job),
            inner: Arc::clone(inner),
            connected: Arc::clone(connected),
            run: run.clone(),
            target_folder: Arc::clone(&target_folder),
            job,
        };
        going.spawn(async move {
            let name = one.job.component.name.clone();
            let ended = one.go().await;
            one.inner.going.end(&name);
            (name, ended)
        });
    }
    let (mut built, mut unchanged) = (0, 0);
    let mut cancelled = Vec::new();
    let mut first_failure = None;
    while let Some(ended) = going.join_next().await {
        match ended {
            Ok((_, Ok(Done::Built))) => built += 1,
            Ok((_, Ok(Done::Unchanged))) => unchanged += 1,
            Ok((name, Err(RunError::Cancelled))) => cancelled.push(name),
            Ok((_, Err(failure))) => {
                first_failure.get_or_insert(failure);
            }
            // A panic goes on to the run, which reports it as one.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                first_failure.get_or_insert(RunError::Cancelled);
            }
        }
    }
    if let Some(failure) = first_failure {
        return Err(failure);
    }
    if built + unchanged == 0 && !cancelled.is_empty() {
        return Err(RunError::Cancelled);
    }
    Ok(summary(built, unchanged, &cancelled))
}

/// How a component came to be in the cluster.
enum Done {
    Built,
    /// It was there already, from the same sources.
    Unchanged,
}

fn summary(built: usize, unchanged: usize, cancelled: &[ComponentName]) -> String {
    let images = |count| match count {
        1 => "1 image is".to_owned(),
        count => format!("{count} images are"),
    };
    let mut words = match (built, unchanged) {
        (0, 1) => "The image was already built and in the cluster".to_owned(),
        (0, count) => format!("{count} images were already built and in the cluster"),
        (built, 0) => format!("{} built and in the cluster", images(built)),
        (built, unchanged) => format!(
            "{} built and in the cluster, {unchanged} already there",
            images(built)
        ),
    };
    if !cancelled.is_empty() {
        let names: Vec<&str> = cancelled.iter().map(ComponentName::as_str).collect();
        words.push_str(&format!(
            "; the build of {} was cancelled",
            names.join(" and ")
        ));
    }
    words
}

struct OneBuild {
    inner: Arc<Inner>,
    connected: Arc<Connected>,
    run: RunHandle,
    job: Job,
    stages: Stages,
    cancel: CancellationToken,
    target_folder: Arc<Mutex<()>>,
}

impl OneBuild {
    async fn go(&self) -> Result<Done, RunError> {
        let ended = self.steps().await;
        match &ended {
            Err(RunError::Cancelled) => self.stages.cancel(),
            // What fails after a cancel mostly fails because of it.
            Err(RunError::Failed(_)) if self.cancel.is_cancelled() => {
                self.stages.cancel();
                return Err(RunError::Cancelled);
            }
            _ => {}
        }
        ended
    }

    async fn steps(&self) -> Result<Done, RunError> {
        let Self {
            inner, job, cancel, ..
        } = self;
        let component = &job.component;
        let stages = &self.stages;
        stages.build.start();
        let nodes = inner.nodes.borrow().clone();
        let resolved = Destination::resolve(&job.way, &self.connected, &nodes, cancel).await;
        let destination = or_fail(&stages.build, resolved.map_err(RunError::from))?;
        if job.builder == Builder::Docker {
            inner.learn_docker(Some(&self.connected.kind), cancel).await;
        }
        let sources = inner
            .sources_of(component, job.builder, &stages.build, cancel)
            .await;
        let sources = or_fail(&stages.build, sources)?;
        if job.builder == Builder::Docker
            && job.rebuild == Rebuild::IfChanged
            && let Some(image) = self.unchanged(&sources).await
        {
            let why = format!("the sources are those of {}", image.reference);
            stages.build.skip(why);
            stages.second.skip("it is in the cluster already");
            self.finish(image, &destination).await?;
            return Ok(Done::Unchanged);
        }
        let made = match (job.builder, &component.pack) {
            (Builder::Pack, Some(recipe)) => {
                let waiting_for_others = async {
                    tokio::select! {
                        turn = self.target_folder.lock() => Ok(turn),
                        () = cancel.cancelled() => Err(RunError::Cancelled),
                    }
                };
                let turn = waiting_for_others.await?;
                let built =
                    pack_build::build(inner, component, recipe, &stages.build, cancel).await;
                or_fail(&stages.build, built)?;
                drop(turn);
                stages.second.start();
                let packed = pack_build::pack_image(inner, component, recipe, &stages.second).await;
                or_fail(&stages.second, packed)?
            }
            _ => {
                let built = docker_build::build(
                    inner,
                    (&self.run, &self.connected),
                    (job, &sources),
                    &destination,
                    &stages.build,
                    cancel,
                )
                .await;
                or_fail(&stages.build, built)?
            }
        };
        let facts = inner.facts_of(component, &made, cancel).await;
        let delivered =
            deliver::deliver(made, &destination, component, &stages.second, cancel).await;
        let image = or_fail(&stages.second, delivered)?;
        let facts = facts.map(|facts| ImageFacts {
            id: image.id.clone(),
            ..facts
        });
        inner
            .remember_build(
                &self.connected,
                component,
                sources,
                &image,
                facts,
                &stages.second,
            )
            .await;
        self.finish(image, &destination).await?;
        Ok(Done::Built)
    }

    /// The image of exactly these sources, when the cluster shows it now.
    async fn unchanged(&self, sources: &Look) -> Option<BuiltImage> {
        let (inner, connected) = (&self.inner, &self.connected);
        let name = &self.job.component.name;
        let image = known::get(&inner.core.journal, &connected.id, name)?.image;
        if !inner.is_built_from(connected, name, sources, &image).await {
            return None;
        }
        let source = prove::Source::of(connected);
        let listing = prove::Listing::take(&source, &inner.nodes).await;
        (listing.has(&image) == prove::Verdict::Listed).then_some(image)
    }

    /// Remembers the image and waits until the cluster's own runtime shows it.
    async fn finish(&self, image: BuiltImage, destination: &Destination) -> Result<(), RunError> {
        let Self {
            inner,
            connected,
            job,
            cancel,
            ..
        } = self;
        let stage = &self.stages.prove;
        let name = &job.component.name;
        stage.start();
        stage.log(format!("Looking for {} ({})", image.reference, image.id));
        known::put(&inner.core.journal, &connected.id, name, &image, None).await?;
        let question = prove::Question {
            connected,
            nodes: &inner.nodes,
            namespace: &inner.project.spec().namespace,
            component: name,
            image: &image,
            destination,
        };
        let proved = prove::wait(&question, cancel).await;
        if cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let state = match &proved {
            Ok(proof) => {
                let now = clock::now();
                let proof = known::Proved {
                    at: now,
                    by: proof.clone(),
                };
                known::put(
                    &inner.core.journal,
                    &connected.id,
                    name,
                    &image,
                    Some(proof),
                )
                .await?;
                ImageState::InCluster {
                    image: image.clone(),
                    proved: now,
                }
            }
            Err(_) => ImageState::NotInCluster {
                image: image.clone(),
                lost: None,
            },
        };
        let proof = proved.as_ref().map_or_else(|_| String::new(), Clone::clone);
        let view = inner.view(&job.component, connected, state, proof);
        inner.set_state(&connected.voice, view);
        let proof = or_fail(stage, proved.map_err(RunError::from))?;
        stage.succeed(self.note(&image, &proof));
        Ok(())
    }

    fn note(&self, image: &BuiltImage, proof: &str) -> String {
        let component = &self.job.component;
        let mut note = format!("{} is in the cluster: {proof}", image.reference);
        if let Some(budget) = component.size_budget_bytes
            && image.size_bytes > budget
        {
            let finding = findings::over_budget(&component.name, image.size_bytes, budget);
            self.stages
                .prove
                .log(format!("{}: {}", finding.what, finding.why));
            note.push_str(&format!(
                ", {} over its budget",
                humanize_bytes(image.size_bytes - budget)
            ));
        }
        note
    }
}

struct Stages {
    build: StageHandle,
    /// Pack or load.
    second: StageHandle,
    prove: StageHandle,
}

impl Stages {
    fn of(run: &RunHandle, job: &Job) -> Self {
        let component = &job.component.name;
        Self {
            build: run.stage(&format!("{component}/build")),
            second: run.stage(&format!(
                "{component}/{}",
                super::plan::second_stage(job.builder)
            )),
            prove: run.stage(&format!("{component}/prove")),
        }
    }

    fn cancel(&self) {
        for stage in [&self.build, &self.second, &self.prove] {
            stage.cancel();
        }
    }
}

/// A cancelled stage gets its ending elsewhere.
fn or_fail<T>(stage: &StageHandle, result: Result<T, RunError>) -> Result<T, RunError> {
    result.inspect_err(|error| {
        if let RunError::Failed(finding) = error {
            stage.fail((**finding).clone());
        }
    })
}

/// Runs a tool that moves an image; its output goes to the log.
pub async fn run_loader(
    component: &ComponentName,
    spec: &CommandSpec,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<(), RunError> {
    let program = spec.program.to_string_lossy().into_owned();
    let mut tail = Tail::default();
    let ending = process::run(spec, cancel, |_, line| {
        stage.log(line);
        tail.push(line);
    })
    .await
    .map_err(|error| findings::spawn_failed(component, &error))?;
    match ending {
        Ending::Exited(0) => Ok(()),
        Ending::Cancelled { .. } => Err(RunError::Cancelled),
        ending => Err(findings::load_failed(
            component,
            &format!("{program} ended with {}", ending.words()),
            &tail.lines(),
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_of_builds_that_were_cancelled() {
        let name: ComponentName = "backend".parse().expect("a name");
        assert_eq!(summary(2, 0, &[]), "2 images are built and in the cluster");
        assert_eq!(
            summary(1, 0, &[name]),
            "1 image is built and in the cluster; the build of backend was cancelled"
        );
    }

    #[test]
    fn the_summary_does_not_call_built_what_was_there_already() {
        assert_eq!(
            summary(0, 2, &[]),
            "2 images were already built and in the cluster"
        );
        assert_eq!(
            summary(1, 1, &[]),
            "1 image is built and in the cluster, 1 already there"
        );
    }
}
