//! A pod's volumes on this machine: emptyDir, configMap, secret, downwardAPI, projected and claims. Secret
//! content lives in memory-backed storage where there is one, and goes with the pod.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Pod, Volume};

use super::env::{ConfigError, PodFacts, Sources, field_value};

/// Where a pod keeps things.
#[derive(Clone, Debug)]
pub struct PodFolders {
    /// Files of the pod that are no secret.
    pub state: PathBuf,
    /// Secret volumes; memory-backed where possible.
    pub secret: PathBuf,
    /// Volumes of claims, by volume name; shared by all pods, and they outlive them.
    pub claims: PathBuf,
}

impl PodFolders {
    pub fn create(&self) -> io::Result<()> {
        for folder in [&self.state, &self.secret] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        Ok(())
    }

    pub fn remove(&self) {
        for folder in [&self.state, &self.secret] {
            if let Err(error) = fs::remove_dir_all(folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(folder = %folder.display(), %error, "pod folder not removed");
            }
        }
    }
}

/// The memory-backed folder for secrets of the node with this identity, or `fallback`.
pub fn secret_base(identity: &str, fallback: &Path) -> PathBuf {
    let user = nix::unistd::geteuid();
    let shared = Path::new("/dev/shm");
    if shared.is_dir() && nix::unistd::access(shared, nix::unistd::AccessFlags::W_OK).is_ok() {
        return shared.join(format!("slipway-practice-{user}-{identity}"));
    }
    fallback.join("secret-volumes")
}

/// A volume that could not be set up: the reason of its event and the text.
#[derive(Debug)]
pub struct MountError {
    pub message: String,
}

impl From<ConfigError> for MountError {
    fn from(error: ConfigError) -> Self {
        Self { message: error.0 }
    }
}

/// Sets up every volume; returns the folder of each by name.
pub async fn set_up(
    pod: &Pod,
    facts: &PodFacts,
    folders: &PodFolders,
    sources: &Sources,
) -> Result<HashMap<String, PathBuf>, MountError> {
    let spec = pod.spec.as_ref();
    let group = spec
        .and_then(|spec| spec.security_context.as_ref())
        .and_then(|context| context.fs_group)
        .and_then(|group| u32::try_from(group).ok());
    let mut mounted = HashMap::new();
    for volume in spec
        .and_then(|spec| spec.volumes.as_ref())
        .into_iter()
        .flatten()
    {
        let failed = |why: String| MountError {
            message: format!(
                "MountVolume.SetUp failed for volume \"{}\" : {why}",
                volume.name
            ),
        };
        let (path, files, mode) = match content(volume, pod, facts, sources).await {
            Ok(Content::Empty { memory }) => {
                let base = if memory {
                    &folders.secret
                } else {
                    &folders.state
                };
                let path = base.join("volumes").join(&volume.name);
                make_folder(&path, 0o777, group).map_err(|e| failed(e.to_string()))?;
                mounted.insert(volume.name.clone(), path);
                continue;
            }
            Ok(Content::Files { files, mode }) => {
                // ConfigMaps are treated like Secrets: one way, and people put passwords there.
                (
                    folders.secret.join("volumes").join(&volume.name),
                    files,
                    mode,
                )
            }
            Ok(Content::Claimed { volume: name }) => {
                let path = folders.claims.join(name);
                make_folder(&path, 0o777, group).map_err(|e| failed(e.to_string()))?;
                mounted.insert(volume.name.clone(), path);
                continue;
            }
            Err(error) => return Err(failed(error.0)),
        };
        write_files(&path, &files, mode, group).map_err(|e| failed(e.to_string()))?;
        mounted.insert(volume.name.clone(), path);
    }
    Ok(mounted)
}

/// Path in the volume → content and, where the item has one, its own mode.
type VolumeFiles = BTreeMap<String, (Vec<u8>, Option<u32>)>;

enum Content {
    Empty { memory: bool },
    Claimed { volume: String },
    Files { files: VolumeFiles, mode: u32 },
}

async fn content(
    volume: &Volume,
    pod: &Pod,
    facts: &PodFacts,
    sources: &Sources,
) -> Result<Content, ConfigError> {
    if let Some(empty) = &volume.empty_dir {
        return Ok(Content::Empty {
            memory: empty.medium.as_deref() == Some("Memory"),
        });
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let volume = sources.claimed_volume(&claim.claim_name).await?;
        return Ok(Content::Claimed { volume });
    }
    if let Some(map) = &volume.config_map {
        let data = sources
            .config_map(&map.name, map.optional.unwrap_or(false))
            .await?;
        let optional = map.optional.unwrap_or(false);
        let files = project(data, map.items.as_deref(), optional)?;
        return Ok(Content::Files {
            files,
            mode: file_mode(map.default_mode),
        });
    }
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.clone().unwrap_or_default();
        let optional = secret.optional.unwrap_or(false);
        let data = sources.secret(&name, optional).await?;
        let files = project(data, secret.items.as_deref(), optional)?;
        return Ok(Content::Files {
            files,
            mode: file_mode(secret.default_mode),
        });
    }
    if let Some(downward) = &volume.downward_api {
        let files = fields(downward.items.as_deref(), pod, facts)?;
        return Ok(Content::Files {
            files,
            mode: file_mode(downward.default_mode),
        });
    }
    if let Some(projected) = &volume.projected {
        let mut files = BTreeMap::new();
        for source in projected.sources.iter().flatten() {
            if let Some(map) = &source.config_map {
                let optional = map.optional.unwrap_or(false);
                let data = sources.config_map(&map.name, optional).await?;
                files.extend(project(data, map.items.as_deref(), optional)?);
            } else if let Some(secret) = &source.secret {
                let optional = secret.optional.unwrap_or(false);
                let data = sources.secret(&secret.name, optional).await?;
                files.extend(project(data, secret.items.as_deref(), optional)?);
            } else if let Some(downward) = &source.downward_api {
                files.extend(fields(downward.items.as_deref(), pod, facts)?);
            } else {
                return Err(ConfigError(
                    "this projection source is not available on the practice node".into(),
                ));
            }
        }
        return Ok(Content::Files {
            files,
            mode: file_mode(projected.default_mode),
        });
    }
    Err(ConfigError(
        "this volume type is not available on the practice node; use emptyDir, configMap, \
         secret, downwardAPI, projected or persistentVolumeClaim"
            .into(),
    ))
}

fn file_mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok())
        .unwrap_or(0o644)
        & 0o777
}

fn project(
    data: Option<BTreeMap<String, Vec<u8>>>,
    items: Option<&[KeyToPath]>,
    optional: bool,
) -> Result<VolumeFiles, ConfigError> {
    let mut data = data.unwrap_or_default();
    let Some(items) = items else {
        return Ok(data
            .into_iter()
            .map(|(key, value)| (key, (value, None)))
            .collect());
    };
    let mut files = BTreeMap::new();
    for item in items {
        match data.remove(&item.key) {
            Some(value) => {
                let mode = item.mode.and_then(|mode| u32::try_from(mode).ok());
                files.insert(item.path.clone(), (value, mode));
            }
            None if optional => {}
            None => {
                return Err(ConfigError(format!(
                    "references non-existent config key: {}",
                    item.key
                )));
            }
        }
    }
    Ok(files)
}

fn fields(
    items: Option<&[DownwardAPIVolumeFile]>,
    pod: &Pod,
    facts: &PodFacts,
) -> Result<VolumeFiles, ConfigError> {
    let mut files = BTreeMap::new();
    for item in items.into_iter().flatten() {
        let Some(field) = &item.field_ref else {
            continue;
        };
        let value = field_value(field, pod, facts)?.into_bytes();
        files.insert(item.path.clone(), (value, None));
    }
    Ok(files)
}

fn make_folder(path: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let special = if group.is_some() { 0o2000 } else { 0 };
    own(path, group);
    fs::set_permissions(path, fs::Permissions::from_mode(mode | special))
}

fn write_files(path: &Path, files: &VolumeFiles, mode: u32, group: Option<u32>) -> io::Result<()> {
    make_folder(path, 0o755, group)?;
    for (name, (bytes, own_mode)) in files {
        // Keys cannot hold slashes, but an item's path may.
        if Path::new(name)
            .components()
            .any(|c| !matches!(c, std::path::Component::Normal(_)))
        {
            return Err(io::Error::other(format!(
                "path {name:?} must stay in the volume"
            )));
        }
        let file = path.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        // Replaced as a whole, so that a running container never reads half a file.
        let mut fresh = tempfile::Builder::new().prefix("..").tempfile_in(path)?;
        io::Write::write_all(&mut fresh, bytes)?;
        let readable = if group.is_some() { 0o040 } else { 0 };
        let mode = own_mode.unwrap_or(mode) | readable;
        own(fresh.path(), group);
        fresh
            .as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
        fresh.persist(&file).map_err(|e| e.error)?;
    }
    Ok(())
}

fn own(path: &Path, group: Option<u32>) {
    if let Some(group) = group
        && nix::unistd::geteuid().is_root()
    {
        // Failing leaves the volume to root, which the container will say clearly enough.
        let _ = std::os::unix::fs::lchown(path, None, Some(group));
    }
}
