//! The docker builder: BuildKit through the CLI, in the daemon the cluster reads images from where
//! it has one, else in the local daemon with a copy into the cluster's nodes.

use std::path::Path;
use std::time::Duration;

use app::model::{BuiltImage, ClusterKind, Progress};
use tokio_util::sync::CancellationToken;

use super::pack_build::Tail;
use super::{Inner, build_run, findings};
use crate::adapters::docker::{self, BuildCommand, Daemon, ProgressReader};
use crate::adapters::{kind, minikube};
use crate::cluster::Connected;
use crate::engine::{RunError, StageHandle, clock};
use crate::process::{self, Ending};
use crate::project::ComponentSpec;

const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// An image in a docker daemon.
#[derive(Debug)]
pub struct Built {
    pub image: BuiltImage,
    daemon: Daemon,
}

/// The daemon to build in: minikube's own, asked for anew each time, or the user's.
async fn daemon_of(
    connected: &Connected,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Daemon {
    let ClusterKind::Minikube { profile } = &connected.kind else {
        return Daemon::Users;
    };
    let answer = process::capture(&minikube::docker_env(profile), cancel).await;
    let variables = answer
        .ok()
        .filter(|captured| captured.ending.is_success())
        .and_then(|captured| minikube::parse_docker_env(&captured.stdout));
    match variables {
        Some(variables) => {
            stage.log(format!(
                "Building in the docker daemon of minikube profile {profile}"
            ));
            Daemon::Named(variables)
        }
        None => {
            stage.log(format!(
                "The minikube profile {profile} has no docker daemon to build in; building here and loading"
            ));
            Daemon::Users
        }
    }
}

/// Builds the image and gives it a tag made from its ID.
pub async fn build(
    inner: &Inner,
    connected: &Connected,
    component: &ComponentSpec,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<Built, RunError> {
    let Some(dockerfile) = &component.dockerfile else {
        return Err(findings::no_builder(component, true).into());
    };
    stage.start();
    let daemon = daemon_of(connected, stage, cancel).await;
    let working = format!("{}:slipway-building", component.image);
    let engine = engine(cancel).await;
    let id_folder = tempfile::tempdir().map_err(|error| {
        findings::load_failed(
            &component.name,
            &format!("A temporary folder could not be made: {error}"),
            &[],
        )
    })?;
    let spec = BuildCommand {
        daemon: &daemon,
        engine: &engine,
        reference: &working,
        dockerfile: &inner.project.path(dockerfile),
        context: &inner.project.path(&component.context),
        args: &[],
        secrets: &[],
        id_file: &id_folder.path().join("id"),
        deadline: BUILD_DEADLINE,
    }
    .spec();
    let mut tail = Tail::default();
    let mut reader = ProgressReader::new(engine.format());
    let ending = process::stream(&spec, cancel, |pipe, bytes| {
        reader.push(pipe, bytes, clock::now(), |line| {
            stage.log(line);
            tail.push(line);
        });
        if let Some((done, total, step)) = reader.steps().now() {
            stage.progress(Progress {
                done,
                total: Some(total),
                note: step.name.clone(),
            });
        }
    })
    .await
    .map_err(|error| findings::spawn_failed(&component.name, &error))?;
    match ending {
        Ending::Exited(0) => {}
        Ending::Cancelled { .. } => return Err(RunError::Cancelled),
        ending => {
            return Err(findings::build_failed(&component.name, ending, &tail.lines()).into());
        }
    }
    let inspected = inspect(&daemon, &working, cancel)
        .await
        .ok_or_else(|| build_lost(component))?;
    let tag = practice::images::content_tag(&inspected.id);
    let reference = format!("{}:{tag}", component.image);
    let tagged = process::capture(&docker::tag(&daemon, &working, &reference), cancel).await;
    if !tagged.is_ok_and(|captured| captured.ending.is_success()) {
        return Err(build_lost(component).into());
    }
    stage.succeed(format!(
        "{reference}, {}",
        app::model::humanize_bytes(inspected.size_bytes)
    ));
    Ok(Built {
        image: BuiltImage {
            reference,
            id: inspected.id,
            size_bytes: inspected.size_bytes,
            built: clock::now(),
            user: inspected.user,
        },
        daemon,
    })
}

/// What builds on this machine.
async fn engine(cancel: &CancellationToken) -> docker::BuildEngine {
    let buildx = process::capture(&docker::buildx_version(), cancel)
        .await
        .ok()
        .filter(|captured| captured.ending.is_success())
        .map(|captured| captured.stdout);
    let switch = std::env::var("DOCKER_BUILDKIT").ok();
    docker::engine(buildx.as_deref(), switch.as_deref())
}

fn build_lost(component: &ComponentSpec) -> app::model::Finding {
    findings::load_failed(
        &component.name,
        "docker says the build succeeded, but its daemon does not know the image",
        &[],
    )
}

async fn inspect(
    daemon: &Daemon,
    reference: &str,
    cancel: &CancellationToken,
) -> Option<docker::InspectedImage> {
    let captured = process::capture(&docker::inspect(daemon, reference), cancel)
        .await
        .ok()?;
    docker::parse_inspect(&captured.stdout)
}

/// Brings the image from the daemon it was built in into the cluster.
pub async fn load(
    connected: &Connected,
    component: &ComponentSpec,
    built: Built,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<BuiltImage, RunError> {
    let Built { mut image, daemon } = built;
    let name = &component.name;
    let archive_folder = tempfile::tempdir().map_err(|error| {
        findings::load_failed(
            name,
            &format!("A temporary folder could not be made: {error}"),
            &[],
        )
    })?;
    let archive = archive_folder.path().join("image.tar");
    match &connected.kind {
        ClusterKind::Minikube { .. } if daemon != Daemon::Users => {
            stage.skip("built in the cluster's own docker daemon");
            return Ok(image);
        }
        ClusterKind::Minikube { profile } => {
            stage.start();
            save(
                component,
                &daemon,
                &image.reference,
                &archive,
                stage,
                cancel,
            )
            .await?;
            let spec = minikube::image_load(profile, &archive);
            build_run::run_loader(name, &spec, stage, cancel).await?;
        }
        ClusterKind::Kind { name: cluster } => {
            stage.start();
            let spec = kind::kind_load(cluster, &image.reference);
            build_run::run_loader(name, &spec, stage, cancel).await?;
        }
        ClusterKind::K3d { name: cluster } => {
            stage.start();
            let spec = kind::k3d_load(cluster, &image.reference);
            build_run::run_loader(name, &spec, stage, cancel).await?;
        }
        ClusterKind::Practice => {
            stage.start();
            save(
                component,
                &daemon,
                &image.reference,
                &archive,
                stage,
                cancel,
            )
            .await?;
            let Some(store) = connected.practice.clone() else {
                return Err(findings::cannot_load().into());
            };
            let imported = tokio::task::spawn_blocking(move || store.import_archive(&archive))
                .await
                .map_err(|error| findings::pack_failed(name, &error))?
                .map_err(|error| findings::pack_failed(name, &error))?;
            // The daemon may count with manifests; the practice cluster shows the config's digest.
            image.id = imported.id;
        }
        ClusterKind::Desktop { .. } | ClusterKind::OtherLocal | ClusterKind::Remote => {
            return Err(findings::cannot_load().into());
        }
    }
    stage.succeed("handed over");
    Ok(image)
}

async fn save(
    component: &ComponentSpec,
    daemon: &Daemon,
    reference: &str,
    archive: &Path,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<(), RunError> {
    let spec = docker::save(daemon, reference, archive);
    build_run::run_loader(&component.name, &spec, stage, cancel).await
}
