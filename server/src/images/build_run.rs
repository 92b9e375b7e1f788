//! A build from the inside: programs are built one after the other, because they share a target
//! folder; packing, loading and proving of one goes on while the next is built.

use std::sync::Arc;

use app::model::{Builder, BuiltImage, ComponentName, ImageState, ImageView, humanize_bytes};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::pack_build::Tail;
use super::plan::Job;
use super::{Inner, docker_build, findings, known, pack_build, prove};
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
    let count = jobs.len();
    let mut finishing: JoinSet<Result<(), RunError>> = JoinSet::new();
    let mut first_failure = None;
    for job in jobs {
        if run.cancelled().is_cancelled() {
            first_failure.get_or_insert(RunError::Cancelled);
            break;
        }
        let stages = Stages::of(run, &job);
        let (inner, connected) = (Arc::clone(inner), Arc::clone(connected));
        let cancel = run.cancelled().clone();
        match (job.builder, job.component.pack.clone()) {
            (Builder::Pack, Some(recipe)) => {
                let built =
                    pack_build::build(&inner, &job.component, &recipe, &stages.build, &cancel)
                        .await;
                if let Err(error) = built {
                    stages.build.fail_with(&error);
                    first_failure.get_or_insert(error);
                    break;
                }
                finishing.spawn(async move {
                    let packed = pack_build::pack_and_load(
                        &inner,
                        &connected,
                        &job.component,
                        &recipe,
                        &stages.second,
                        &cancel,
                    )
                    .await;
                    let image = or_fail(&stages.second, packed)?;
                    finish(&inner, &connected, &job, image, &stages.prove, &cancel).await
                });
            }
            _ => {
                finishing.spawn(async move {
                    let built = docker_build::build(
                        &inner,
                        &connected,
                        &job.component,
                        &stages.build,
                        &cancel,
                    )
                    .await;
                    let built = or_fail(&stages.build, built)?;
                    let loaded = docker_build::load(
                        &connected,
                        &job.component,
                        built,
                        &stages.second,
                        &cancel,
                    )
                    .await;
                    let image = or_fail(&stages.second, loaded)?;
                    finish(&inner, &connected, &job, image, &stages.prove, &cancel).await
                });
            }
        }
    }
    while let Some(ended) = finishing.join_next().await {
        let failure = match ended {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            // A panic goes on to the run, which reports it as one.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => RunError::Cancelled,
        };
        first_failure.get_or_insert(failure);
    }
    match first_failure {
        Some(failure) => Err(failure),
        None if count == 1 => Ok("1 image is built and in the cluster".to_owned()),
        None => Ok(format!("{count} images are built and in the cluster")),
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
}

trait FailWith {
    fn fail_with(&self, error: &RunError);
}

impl FailWith for StageHandle {
    /// A cancelled stage gets its ending from the run.
    fn fail_with(&self, error: &RunError) {
        if let RunError::Failed(finding) = error {
            self.fail((**finding).clone());
        }
    }
}

fn or_fail<T>(stage: &StageHandle, result: Result<T, RunError>) -> Result<T, RunError> {
    result.inspect_err(|error| stage.fail_with(error))
}

/// Remembers the image and waits for the cluster to list it.
async fn finish(
    inner: &Inner,
    connected: &Connected,
    job: &Job,
    image: BuiltImage,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<(), RunError> {
    let name = &job.component.name;
    stage.start();
    stage.log(format!("Looking for {} ({})", image.reference, image.id));
    known::put(&inner.core.journal, &connected.id, name, &image).await?;
    let proved = prove::wait(connected, &inner.nodes, name, &image, cancel).await;
    let state = match &proved {
        Ok(()) => ImageState::InCluster {
            image: image.clone(),
            proved: clock::now(),
        },
        Err(_) => ImageState::NotInCluster {
            image: image.clone(),
        },
    };
    let view = ImageView {
        component: name.clone(),
        builder: job.builder,
        state,
    };
    inner.set_state(&connected.voice, view);
    if let Err(finding) = proved {
        if cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        stage.fail(finding.clone());
        return Err(finding.into());
    }
    let mut note = format!("{} is in the cluster", image.reference);
    if let Some(budget) = job.component.size_budget_bytes
        && image.size_bytes > budget
    {
        let finding = findings::over_budget(name, image.size_bytes, budget);
        stage.log(format!("{}: {}", finding.what, finding.why));
        note.push_str(&format!(
            ", {} over its budget",
            humanize_bytes(image.size_bytes - budget)
        ));
    }
    stage.succeed(note);
    Ok(())
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
            &format!("{program} did not succeed ({ending:?})"),
            &tail.lines(),
        )
        .into()),
    }
}
