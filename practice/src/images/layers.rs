//! Applies layer tars to a folder: whiteouts, links, modes and owners, and never a byte outside
//! the folder, whatever paths and links the layer names.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

/// Why a layer was refused.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error("read the layer: {0}")]
    Read(#[source] io::Error),
    #[error("accept the layer: its entry {0:?} leads outside the image")]
    Escapes(PathBuf),
    #[error("accept the layer: it is compressed with zstd; rebuild the image with gzip layers")]
    Zstd,
    #[error("unpack {path:?}: {source}")]
    Unpack { path: PathBuf, source: io::Error },
    #[error("unpack {0:?}: too many levels of symbolic links")]
    LinkLoop(PathBuf),
}

const MAX_LINKS: usize = 40;

/// Opens a layer blob of either kind (plain or gzip) as a tar stream.
fn open_layer(reader: impl Read + 'static) -> Result<Box<dyn Read>, LayerError> {
    let mut reader = BufReader::with_capacity(128 * 1024, reader);
    let magic = reader.fill_buf().map_err(LayerError::Read)?;
    if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(LayerError::Zstd);
    }
    if magic.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(MultiGzDecoder::new(reader)));
    }
    Ok(Box::new(reader))
}

/// Reads a layer to its end and refuses one that could not be unpacked safely.
pub(super) fn check_layer(reader: impl Read + 'static) -> Result<(), LayerError> {
    let mut archive = tar::Archive::new(open_layer(reader)?);
    for entry in archive.entries().map_err(LayerError::Read)? {
        let entry = entry.map_err(LayerError::Read)?;
        inside(&entry.path().map_err(LayerError::Read)?)?;
        if entry.header().entry_type() == EntryType::Link
            && let Some(target) = entry.link_name().map_err(LayerError::Read)?
        {
            inside(&target)?;
        }
    }
    Ok(())
}

/// Applies one layer on top of what is in `root`.
pub(super) fn apply_layer(reader: impl Read + 'static, root: &Path) -> Result<(), LayerError> {
    let mut archive = tar::Archive::new(open_layer(reader)?);
    let mut layer = Layer {
        root,
        keep_owners: nix::unistd::geteuid().is_root(),
        added: HashSet::new(),
        directory_modes: Vec::new(),
    };
    for entry in archive.entries().map_err(LayerError::Read)? {
        layer.apply(&mut entry.map_err(LayerError::Read)?)?;
    }
    // Modes last: a read-only folder would refuse its own content.
    for (path, mode) in layer.directory_modes.into_iter().rev() {
        set_mode(&path, mode).map_err(|source| LayerError::Unpack { path, source })?;
    }
    Ok(())
}

struct Layer<'a> {
    root: &'a Path,
    keep_owners: bool,
    /// Paths this layer itself brought; an opaque marker must not remove those.
    added: HashSet<PathBuf>,
    directory_modes: Vec<(PathBuf, u32)>,
}

impl Layer<'_> {
    fn apply(&mut self, entry: &mut tar::Entry<'_, Box<dyn Read>>) -> Result<(), LayerError> {
        let relative = inside(&entry.path().map_err(LayerError::Read)?)?;
        let Some(name) = relative.file_name().map(OsStr::to_owned) else {
            return Ok(());
        };
        let parent = relative.parent().unwrap_or(Path::new(""));
        let parent = resolve_in_root(self.root, parent)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LayerError::Unpack { path, source }
        };
        if let Some(hidden) = name.to_string_lossy().strip_prefix(".wh.") {
            return self.whiteout(&parent, hidden).map_err(failed(&relative));
        }
        self.make_parents(&parent).map_err(failed(&relative))?;
        let path = parent.join(&name);
        self.place(entry, &path)?;
        self.added.insert(path);
        Ok(())
    }

    fn place(
        &mut self,
        entry: &mut tar::Entry<'_, Box<dyn Read>>,
        path: &Path,
    ) -> Result<(), LayerError> {
        let failed = |source| LayerError::Unpack {
            path: path.to_owned(),
            source,
        };
        let kind = entry.header().entry_type();
        let mode = entry.header().mode().unwrap_or(0o644);
        let link = entry
            .link_name()
            .map_err(LayerError::Read)?
            .map(|l| l.into_owned());
        match (kind, link) {
            (EntryType::Directory, _) => {
                if !is_real_directory(path) {
                    remove_any(path).map_err(failed)?;
                    fs::create_dir(path).map_err(failed)?;
                }
                self.directory_modes.push((path.to_owned(), mode & 0o1777));
            }
            (EntryType::Regular | EntryType::Continuous, _) => {
                remove_any(path).map_err(failed)?;
                let mut file = fs::File::create_new(path).map_err(failed)?;
                io::copy(entry, &mut file).map_err(failed)?;
                set_mode(path, mode & 0o1777).map_err(failed)?;
            }
            (EntryType::Symlink, Some(target)) => {
                remove_any(path).map_err(failed)?;
                std::os::unix::fs::symlink(target, path).map_err(failed)?;
            }
            (EntryType::Link, Some(target)) => {
                let target = inside(&target)?;
                let target_parent =
                    resolve_in_root(self.root, target.parent().unwrap_or(Path::new("")))?;
                let Some(target_name) = target.file_name() else {
                    return Err(LayerError::Escapes(target));
                };
                remove_any(path).map_err(failed)?;
                // Linking never follows a link in the last component, so the target stays inside.
                fs::hard_link(target_parent.join(target_name), path).map_err(failed)?;
                return Ok(());
            }
            // Device nodes and pipes: containers get their own /dev, and nothing else is useful.
            _ => return Ok(()),
        }
        if self.keep_owners {
            let uid = entry
                .header()
                .uid()
                .ok()
                .and_then(|id| u32::try_from(id).ok());
            let gid = entry
                .header()
                .gid()
                .ok()
                .and_then(|id| u32::try_from(id).ok());
            std::os::unix::fs::lchown(path, uid, gid).map_err(failed)?;
        }
        Ok(())
    }

    fn whiteout(&self, parent: &Path, hidden: &str) -> io::Result<()> {
        if hidden != ".wh..opq" {
            let path = parent.join(hidden);
            return if self.added.contains(&path) {
                Ok(())
            } else {
                remove_any(&path)
            };
        }
        let Ok(children) = fs::read_dir(parent) else {
            return Ok(());
        };
        for child in children {
            let path = child?.path();
            if !self.added.iter().any(|added| added.starts_with(&path)) {
                remove_any(&path)?;
            }
        }
        Ok(())
    }

    fn make_parents(&self, parent: &Path) -> io::Result<()> {
        if parent.is_dir() {
            Ok(())
        } else {
            fs::create_dir_all(parent)
        }
    }
}

/// The entry's path relative to the root, or an error when it would climb out of it.
fn inside(path: &Path) -> Result<PathBuf, LayerError> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(LayerError::Escapes(path.to_owned()));
            }
        }
    }
    Ok(clean)
}

/// Resolves `path` below `root` as a process chrooted there would: links are followed, but
/// absolute ones start at `root` and `..` stops at it.
pub fn resolve_in_root(root: &Path, path: &Path) -> Result<PathBuf, LayerError> {
    let mut pending: Vec<OsString> = path
        .components()
        .rev()
        .map(|c| c.as_os_str().to_owned())
        .collect();
    let mut resolved: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = pending.pop() {
        if part == "/" {
            resolved.clear();
        } else if part == ".." {
            resolved.pop();
        } else if part != "." && !part.is_empty() {
            let here = root.join(resolved.iter().collect::<PathBuf>()).join(&part);
            match fs::read_link(&here) {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(LayerError::LinkLoop(path.to_owned()));
                    }
                    pending.extend(target.components().rev().map(|c| c.as_os_str().to_owned()));
                }
                Err(_) => resolved.push(part),
            }
        }
    }
    Ok(root.join(resolved.iter().collect::<PathBuf>()))
}

fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn remove_any(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The owner keeps access: the folder must stay removable when we are not root.
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let owner = if path.is_dir() { 0o700 } else { 0o600 };
    let mode = if nix::unistd::geteuid().is_root() {
        mode
    } else {
        mode | owner
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
