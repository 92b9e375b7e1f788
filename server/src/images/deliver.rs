//! Brings an image that was made on this machine to where the cluster takes it from.

use std::fs::File;
use std::path::{Path, PathBuf};

use app::model::BuiltImage;
use practice::images::PackedImage;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::destination::{ArchiveTo, Destination};
use super::pack_build::in_background;
use super::{build_run::run_loader, findings};
use crate::adapters::docker::{self, Daemon};
use crate::adapters::{kind, minikube};
use crate::engine::{RunError, StageHandle};
use crate::process::{self, Ending};
use crate::project::ComponentSpec;

/// An image on this machine.
#[derive(Debug)]
pub struct Made {
    pub image: BuiltImage,
    pub lies: Lies,
}

/// Where it lies until it is handed over.
#[derive(Debug)]
pub enum Lies {
    InDaemon(Daemon),
    Packed(PackedImage),
}

/// Puts it into the cluster. The image that comes back has the reference the cluster knows it by.
pub async fn deliver(
    made: Made,
    destination: &Destination,
    component: &ComponentSpec,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<BuiltImage, RunError> {
    let Made { mut image, lies } = made;
    let name = &component.name;
    match (destination, lies) {
        (Destination::ClustersDaemon { .. }, Lies::InDaemon(_)) => {
            stage.skip("built where the cluster takes its images from");
            return Ok(image);
        }
        (Destination::Practice(store), Lies::Packed(packed)) => {
            stage.start();
            let (store, names) = (store.clone(), vec![image.reference.clone()]);
            in_background(stage, move |_| packed.store_in(&store, &names))
                .await?
                .map_err(|error| findings::pack_failed(name, &error))?;
        }
        (Destination::Registry { registry }, lies) => {
            stage.start();
            let daemon = match lies {
                Lies::InDaemon(daemon) => daemon,
                Lies::Packed(packed) => {
                    let archive =
                        Archive::of(Lies::Packed(packed), &image, component, stage, cancel).await?;
                    run_loader(
                        name,
                        &docker::load(&Daemon::Users, &archive.path),
                        stage,
                        cancel,
                    )
                    .await?;
                    Daemon::Users
                }
            };
            image.reference = push(
                &daemon,
                registry,
                &image.reference,
                component,
                stage,
                cancel,
            )
            .await?;
        }
        (destination, lies) => {
            stage.start();
            let archive = Archive::of(lies, &image, component, stage, cancel).await?;
            // A daemon may count with manifests; runtimes show the config's digest.
            if let Some(id) = &archive.config_digest {
                image.id.clone_from(id);
            }
            match destination {
                Destination::Practice(store) => {
                    let (store, path) = (store.clone(), archive.path.clone());
                    let imported = in_background(stage, move |_| store.import_archive(&path))
                        .await?
                        .map_err(|error| findings::pack_failed(name, &error))?;
                    image.id = imported.id;
                }
                Destination::ClustersDaemon { daemon, .. } => {
                    run_loader(name, &docker::load(daemon, &archive.path), stage, cancel).await?;
                }
                Destination::Archive { to, .. } => {
                    let spec = match to {
                        ArchiveTo::Minikube { profile } => {
                            minikube::image_load(profile, &archive.path)
                        }
                        ArchiveTo::Kind { name } => kind::kind_load_archive(name, &archive.path),
                        ArchiveTo::K3d { name } => kind::k3d_load_archive(name, &archive.path),
                    };
                    run_loader(name, &spec, stage, cancel).await?;
                }
                Destination::Registry { .. } => {}
            }
        }
    }
    stage.succeed("handed over");
    Ok(image)
}

/// Tags and pushes; the answer names the image by the digest the registry gave it.
async fn push(
    daemon: &Daemon,
    registry: &str,
    reference: &str,
    component: &ComponentSpec,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<String, RunError> {
    let remote = in_registry(registry, reference);
    run_loader(
        &component.name,
        &docker::tag(daemon, reference, &remote),
        stage,
        cancel,
    )
    .await?;
    stage.log(format!("$ docker image push {remote}"));
    let mut said = String::new();
    let ending = process::run(&docker::push(daemon, &remote), cancel, |_, line| {
        stage.log(line);
        said.push_str(line);
        said.push('\n');
    })
    .await
    .map_err(|error| findings::spawn_failed(&component.name, &error))?;
    match ending {
        Ending::Exited(0) => {}
        Ending::Cancelled { .. } => return Err(RunError::Cancelled),
        ending => {
            return Err(findings::push_failed(&component.name, &remote, ending, &said).into());
        }
    }
    let digest = docker::pushed_digest(&said)
        .ok_or_else(|| findings::push_failed(&component.name, &remote, Ending::Exited(0), &said))?;
    Ok(format!("{remote}@{digest}"))
}

/// `ghcr.io/team` and `todo-backend:1` make `ghcr.io/team/todo-backend:1`; a name that stands in
/// that registry already stays.
fn in_registry(registry: &str, reference: &str) -> String {
    let registry = registry.trim_end_matches('/');
    if reference.starts_with(&format!("{registry}/")) {
        return reference.to_owned();
    }
    format!("{registry}/{reference}")
}

/// An image as a file; gone when dropped.
struct Archive {
    path: PathBuf,
    config_digest: Option<String>,
    _folder: tempfile::TempDir,
}

impl Archive {
    async fn of(
        lies: Lies,
        image: &BuiltImage,
        component: &ComponentSpec,
        stage: &StageHandle,
        cancel: &CancellationToken,
    ) -> Result<Self, RunError> {
        let name = &component.name;
        let folder = tempfile::Builder::new()
            .prefix("slipway-image-")
            .tempdir()
            .map_err(|error| {
                findings::pack_failed(name, &format!("make a temporary folder: {error}"))
            })?;
        let path = folder.path().join("image.tar");
        match lies {
            Lies::InDaemon(daemon) => {
                stage.log(format!("$ docker image save {}", image.reference));
                run_loader(
                    name,
                    &docker::save(&daemon, &image.reference, &path),
                    stage,
                    cancel,
                )
                .await?;
            }
            Lies::Packed(packed) => {
                let (to, reference) = (path.clone(), image.reference.clone());
                in_background(stage, move |_| {
                    let file =
                        File::create(&to).map_err(|error| format!("write the archive: {error}"))?;
                    packed
                        .write_archive(file, &reference)
                        .map_err(|error| error.to_string())
                })
                .await?
                .map_err(|error| findings::pack_failed(name, &error))?;
            }
        }
        let read = path.clone();
        let config_digest = in_background(stage, move |_| config_digest(&read)).await?;
        Ok(Self {
            path,
            config_digest,
            _folder: folder,
        })
    }
}

/// The digest of the image's config, from the `manifest.json` that `docker save` and the pack
/// builder write: `<hex>.json` in older archives, `blobs/sha256/<hex>` in newer ones.
fn config_digest(archive: &Path) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Manifest {
        config: String,
    }
    let mut archive = tar::Archive::new(File::open(archive).ok()?);
    let entry = archive.entries().ok()?.flatten().find(|entry| {
        entry
            .path()
            .is_ok_and(|path| path.as_os_str() == "manifest.json")
    })?;
    // A small file; what claims to be a large one is none.
    let manifests: Vec<Manifest> =
        serde_json::from_reader(std::io::Read::take(entry, 1024 * 1024)).ok()?;
    let config = &manifests.first()?.config;
    let hex = config.rsplit('/').next()?.trim_end_matches(".json");
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| format!("sha256:{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gets_its_registry_once() {
        assert_eq!(in_registry("ghcr.io/team/", "app:1"), "ghcr.io/team/app:1");
        assert_eq!(
            in_registry("ghcr.io/team", "ghcr.io/team/app:1"),
            "ghcr.io/team/app:1"
        );
    }

    #[test]
    fn the_config_s_digest_is_read_from_both_kinds_of_archive() {
        let hex = "ab".repeat(32);
        for config in [format!("{hex}.json"), format!("blobs/sha256/{hex}")] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            let json = serde_json::json!([{"Config": config, "RepoTags": ["app:1"], "Layers": []}])
                .to_string();
            let mut builder = tar::Builder::new(file.reopen().expect("opened"));
            let mut header = tar::Header::new_gnu();
            header.set_size(json.len() as u64);
            builder
                .append_data(&mut header, "manifest.json", json.as_bytes())
                .expect("added");
            builder.finish().expect("written");
            assert_eq!(config_digest(file.path()), Some(format!("sha256:{hex}")));
        }
        let empty = tempfile::NamedTempFile::new().expect("a file");
        assert_eq!(config_digest(empty.path()), None);
    }
}
