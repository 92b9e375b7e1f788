//! The content-addressed image store: blobs by digest and an index of images and their names.
//! Several processes may use one store: writers hold a file lock and replace the index atomically.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::config::ImageConfig;
use super::import::{self, ImportError};
use super::reference::{normalize, repository};

/// What went wrong with the store itself.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("open the image store at {path}: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error("read the image index at {path}: {source}")]
    ReadIndex { path: PathBuf, source: io::Error },
    #[error("understand the image index at {path}: {source}")]
    ParseIndex {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("write the image index at {path}: {source}")]
    WriteIndex { path: PathBuf, source: io::Error },
    #[error("store a blob: {0}")]
    WriteBlob(io::Error),
}

/// One image: what it is, its names, and how it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Digest of the configuration, `sha256:…`: the image ID a pod's status shows.
    pub id: String,
    /// Digest of the manifest, `sha256:…`.
    pub manifest_digest: String,
    /// Canonical names (domain/repository:tag) that point here.
    pub refs: Vec<String>,
    /// Bytes of configuration and layers as stored.
    pub size_bytes: u64,
    pub config: ImageConfig,
    /// When the image was built, as the image says.
    pub created: Option<String>,
    pub layers: Vec<LayerRecord>,
}

impl ImageRecord {
    /// The names a Node's `status.images` shows: every name, then every `repository@digest`.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        let digests: BTreeSet<String> = self
            .refs
            .iter()
            .map(|name| format!("{}@{}", repository(name), self.manifest_digest))
            .collect();
        self.refs.iter().cloned().chain(digests).collect()
    }
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Digest of the blob as stored.
    pub digest: String,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    pub size_bytes: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct IndexDocument {
    version: u32,
    images: BTreeMap<String, ImageRecord>,
}

/// The image store of one state folder. Cheap to clone; safe to open in several processes at once.
#[derive(Clone, Debug)]
pub struct ImageStore {
    dir: PathBuf,
    rootfs_dir: PathBuf,
}

impl ImageStore {
    /// Opens (and creates if needed) the store in `dir`. Unpacked root file systems are cached in
    /// the folder `rootfs` beside it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        let rootfs_dir = dir.parent().unwrap_or(&dir).join("rootfs");
        for folder in [&dir.join("blobs/sha256"), &dir.join("tmp"), &rootfs_dir] {
            fs::create_dir_all(folder).map_err(|source| StoreError::Open {
                path: folder.clone(),
                source,
            })?;
        }
        Ok(Self { dir, rootfs_dir })
    }

    /// Imports every image of an OCI image layout archive or a docker-save archive (either may be
    /// gzipped) and returns the first one's record.
    pub fn import_archive(&self, path: &Path) -> Result<ImageRecord, ImportError> {
        let file = File::open(path).map_err(|source| ImportError::Open {
            path: path.to_owned(),
            source,
        })?;
        self.import_reader(file)
    }

    /// Like [`Self::import_archive`], from any reader.
    pub fn import_reader(&self, reader: impl Read) -> Result<ImageRecord, ImportError> {
        import::import(self, reader)
    }

    /// All images, ordered by ID.
    pub fn list(&self) -> Result<Vec<ImageRecord>, StoreError> {
        Ok(self.read_index()?.images.into_values().collect())
    }

    /// The image a reference means: a name in any spelling, `name@digest`, or an image ID.
    pub fn resolve(&self, reference: &str) -> Result<Option<ImageRecord>, StoreError> {
        let wanted = normalize(reference);
        let digest = wanted.split_once('@').map(|(_, digest)| digest.to_owned());
        Ok(self.read_index()?.images.into_values().find(|image| {
            image.id == wanted
                || image.refs.contains(&wanted)
                || digest.as_ref().is_some_and(|digest| {
                    *digest == image.manifest_digest
                        && image
                            .refs
                            .iter()
                            .any(|name| repository(name) == repository(&wanted))
                })
        }))
    }

    /// Removes a name, and with its last name (or by ID) the image, its blobs nobody else uses and
    /// its unpacked root file system. False when there was nothing of that name.
    pub fn remove(&self, reference: &str) -> Result<bool, StoreError> {
        let wanted = normalize(reference);
        let _lock = self.lock()?;
        let mut index = self.read_index()?;
        let Some(id) = index
            .images
            .values()
            .find(|image| image.id == wanted || image.refs.contains(&wanted))
            .map(|image| image.id.clone())
        else {
            return Ok(false);
        };
        let mut gone = wanted == id;
        if let Some(image) = index.images.get_mut(&id) {
            image.refs.retain(|name| *name != wanted);
            gone |= image.refs.is_empty();
        }
        if gone {
            index.images.remove(&id);
        }
        self.write_index(&index)?;
        if gone {
            self.drop_unused_blobs(&index);
            // The cache is rebuilt from blobs when needed, so a failure here loses nothing.
            let _ = fs::remove_dir_all(self.cached_rootfs_path(&id));
        }
        Ok(true)
    }

    /// Records an image whose blobs are already stored; its names move here from other images.
    pub(super) fn record(&self, mut image: ImageRecord) -> Result<ImageRecord, StoreError> {
        let _lock = self.lock()?;
        let mut index = self.read_index()?;
        for other in index.images.values_mut() {
            if other.id != image.id {
                other.refs.retain(|name| !image.refs.contains(name));
            } else {
                let known = std::mem::take(&mut other.refs);
                image.refs.extend(known);
            }
        }
        image.refs.sort();
        image.refs.dedup();
        index.images.insert(image.id.clone(), image.clone());
        self.write_index(&index)?;
        Ok(image)
    }

    /// Changes whenever the index was replaced: what a watcher polls.
    #[must_use]
    pub fn changed_at(&self) -> Option<(SystemTime, u64)> {
        let metadata = fs::metadata(self.index_path()).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    pub(super) fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.dir.join("blobs/sha256").join(hex)
    }

    pub(super) fn cached_rootfs_path(&self, id: &str) -> PathBuf {
        self.rootfs_dir
            .join(id.strip_prefix("sha256:").unwrap_or(id))
    }

    /// The folder of unpacked root file systems.
    #[must_use]
    pub fn rootfs_dir(&self) -> &Path {
        &self.rootfs_dir
    }

    /// Streams bytes into the store and returns their digest and size.
    pub(super) fn add_blob(&self, reader: &mut dyn Read) -> Result<(String, u64), StoreError> {
        let mut file = self.temporary_file().map_err(StoreError::WriteBlob)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 128 * 1024];
        let mut size = 0;
        loop {
            let read = reader.read(&mut buffer).map_err(StoreError::WriteBlob)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read])
                .map_err(StoreError::WriteBlob)?;
            size += read as u64;
        }
        let digest = format!("sha256:{}", hex::encode(hasher.finalize()));
        file.persist(self.blob_path(&digest))
            .map_err(|e| StoreError::WriteBlob(e.error))?;
        Ok((digest, size))
    }

    pub(super) fn temporary_file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.dir.join("tmp"))
    }

    fn index_path(&self) -> PathBuf {
        self.dir.join("images.json")
    }

    fn lock(&self) -> Result<File, StoreError> {
        let path = self.dir.join("lock");
        let open = || -> io::Result<File> {
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })
    }

    fn read_index(&self) -> Result<IndexDocument, StoreError> {
        let path = self.index_path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| StoreError::ParseIndex { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(IndexDocument::default()),
            Err(source) => Err(StoreError::ReadIndex { path, source }),
        }
    }

    fn write_index(&self, index: &IndexDocument) -> Result<(), StoreError> {
        let path = self.index_path();
        let write = || -> io::Result<()> {
            let mut file = self.temporary_file()?;
            serde_json::to_writer_pretty(&mut file, index)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|source| StoreError::WriteIndex {
            path: path.clone(),
            source,
        })
    }

    fn drop_unused_blobs(&self, index: &IndexDocument) {
        let used: BTreeSet<&str> = index
            .images
            .values()
            .flat_map(|image| {
                image
                    .layers
                    .iter()
                    .map(|layer| layer.digest.as_str())
                    .chain([image.id.as_str(), image.manifest_digest.as_str()])
            })
            .collect();
        let Ok(blobs) = fs::read_dir(self.dir.join("blobs/sha256")) else {
            return;
        };
        let now = SystemTime::now();
        for blob in blobs.flatten() {
            let digest = format!("sha256:{}", blob.file_name().to_string_lossy());
            // An import in another process stores its blobs before it records the image.
            let fresh = blob
                .metadata()
                .and_then(|m| m.modified())
                .ok()
                .and_then(|modified| now.duration_since(modified).ok())
                .is_none_or(|age| age.as_secs() < 600);
            if !used.contains(digest.as_str()) && !fresh {
                let _ = fs::remove_file(blob.path());
            }
        }
    }
}
