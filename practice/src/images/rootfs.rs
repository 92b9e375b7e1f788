//! Root file systems on disk: each image is unpacked once into a shared cache that nobody writes,
//! and every container gets a private copy, so that containers cannot change each other's files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::layers::{self, LayerError};
use super::store::{ImageRecord, ImageStore};

/// Why a root file system could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    #[error("unpack image {image}: {source}")]
    Layer { image: String, source: LayerError },
    #[error("prepare the root file system {path}: {source}")]
    Prepare { path: PathBuf, source: io::Error },
}

/// How a container's copy shares files with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyMode {
    /// Real copies (reflinks where the file system has them): the container may write.
    Private,
    /// Hard links: only for a root that is mounted read-only.
    Shared,
}

impl ImageStore {
    /// The image's unpacked root file system in the shared cache; unpacks it on first use.
    pub fn cached_rootfs(&self, image: &ImageRecord) -> Result<PathBuf, RootfsError> {
        let target = self.cached_rootfs_path(&image.id);
        if target.is_dir() {
            return Ok(target);
        }
        let prepare = |source| RootfsError::Prepare {
            path: target.clone(),
            source,
        };
        let building = tempfile::Builder::new()
            .prefix(".unpacking-")
            .tempdir_in(self.rootfs_dir())
            .map_err(prepare)?;
        let root = building.path().join("root");
        fs::create_dir(&root).map_err(prepare)?;
        set_mode(&root, 0o755).map_err(prepare)?;
        for layer in &image.layers {
            let blob = File::open(self.blob_path(&layer.digest)).map_err(prepare)?;
            layers::apply_layer(blob, &root).map_err(|source| RootfsError::Layer {
                image: image.id.clone(),
                source,
            })?;
        }
        match fs::rename(&root, &target) {
            Ok(()) => Ok(target),
            // Another process was faster; its result is the same by content.
            Err(_) if target.is_dir() => Ok(target),
            Err(source) => Err(prepare(source)),
        }
    }
}

/// Copies an unpacked root file system for one container. `target` must not exist.
pub fn copy_rootfs(source: &Path, target: &Path, mode: CopyMode) -> Result<(), RootfsError> {
    let keep_owners = nix::unistd::geteuid().is_root();
    copy_directory(source, target, mode, keep_owners).map_err(|source| RootfsError::Prepare {
        path: target.to_owned(),
        source,
    })
}

fn copy_directory(
    source: &Path,
    target: &Path,
    mode: CopyMode,
    keep_owners: bool,
) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = fs::symlink_metadata(source)?;
    fs::create_dir(target)?;
    for child in fs::read_dir(source)? {
        let child = child?;
        let (from, to) = (child.path(), target.join(child.file_name()));
        let kind = child.file_type()?;
        if kind.is_dir() {
            copy_directory(&from, &to, mode, keep_owners)?;
            continue;
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else if mode == CopyMode::Private || fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        } else {
            continue;
        }
        if keep_owners {
            let file = fs::symlink_metadata(&from)?;
            std::os::unix::fs::lchown(&to, Some(file.uid()), Some(file.gid()))?;
        }
    }
    if keep_owners {
        std::os::unix::fs::lchown(target, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    set_mode(target, metadata.permissions().mode() & 0o7777)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
