//! Reads OCI image layout archives and docker-save archives into the store. Nothing in the archive
//! chooses a path on disk: members are kept by digest, and every digest is computed here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

use super::config::CONFIG;
use super::config::{
    ConfigDocument, DOCKER_INDEX, Descriptor, DockerSaveEntry, INDEX, Index, LAYER_GZIP, MANIFEST,
    Manifest, host_architecture,
};
use super::layers;
use super::reference::normalize;
use super::store::{ImageRecord, ImageStore, LayerRecord, StoreError};

/// Why an archive could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("open the image archive {path}: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error("read the image archive: {0}")]
    Read(#[source] io::Error),
    #[error("find an image in the archive: it has neither index.json nor manifest.json")]
    NotAnImage,
    #[error("find {0} in the archive: it is named but missing")]
    Missing(String),
    #[error("trust {member}: its content has digest {actual}")]
    DigestMismatch { member: String, actual: String },
    #[error("understand {what}: {source}")]
    Parse {
        what: String,
        source: serde_json::Error,
    },
    #[error("find an image for {0} in the archive")]
    NoPlatform(String),
    #[error("use a layer of type {0}")]
    LayerType(String),
    #[error("use the image: it has {layers} layers but {diff_ids} diff IDs")]
    LayerCount { layers: usize, diff_ids: usize },
    #[error("check a layer: {0}")]
    Layer(#[from] layers::LayerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Documents (index, manifest, configuration) are small; larger ones are not documents.
const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn import(store: &ImageStore, reader: impl Read) -> Result<ImageRecord, ImportError> {
    let mut reader = BufReader::with_capacity(128 * 1024, reader);
    let gzipped = reader
        .fill_buf()
        .map_err(ImportError::Read)?
        .starts_with(&[0x1f, 0x8b]);
    let members = if gzipped {
        store_members(store, MultiGzDecoder::new(reader))?
    } else {
        store_members(store, reader)?
    };
    if members.contains_key("index.json") {
        import_layout(store, &members)
    } else if members.contains_key("manifest.json") {
        import_docker_save(store, &members)
    } else {
        Err(ImportError::NotAnImage)
    }
}

/// Stores every regular member as a blob; returns member name → digest.
fn store_members(
    store: &ImageStore,
    reader: impl Read,
) -> Result<BTreeMap<String, String>, ImportError> {
    let mut members = BTreeMap::new();
    let mut aliases = Vec::new();
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(ImportError::Read)? {
        let mut entry = entry.map_err(ImportError::Read)?;
        let name = entry
            .path()
            .map_err(ImportError::Read)?
            .to_string_lossy()
            .into_owned();
        let name = name.trim_start_matches("./").to_owned();
        match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let (digest, _) = store.add_blob(&mut entry)?;
                if let Some(hex) = name.strip_prefix("blobs/sha256/")
                    && digest != format!("sha256:{hex}")
                {
                    return Err(ImportError::DigestMismatch {
                        member: name,
                        actual: digest,
                    });
                }
                members.insert(name, digest);
            }
            // Older docker-save archives link a repeated layer to its first copy.
            tar::EntryType::Symlink | tar::EntryType::Link => {
                if let Ok(Some(target)) = entry.link_name() {
                    aliases.push((name, target.to_string_lossy().into_owned()));
                }
            }
            _ => {}
        }
    }
    for (name, target) in aliases {
        let target = target.trim_start_matches("../").trim_start_matches("./");
        if let Some(digest) = members.get(target).cloned() {
            members.insert(name, digest);
        }
    }
    Ok(members)
}

fn import_layout(
    store: &ImageStore,
    members: &BTreeMap<String, String>,
) -> Result<ImageRecord, ImportError> {
    let index: Index = document(store, member(members, "index.json")?, "index.json")?;
    let docker: Vec<DockerSaveEntry> = match members.get("manifest.json") {
        Some(digest) => document(store, digest, "manifest.json")?,
        None => Vec::new(),
    };
    let mut first = None;
    for descriptor in &index.manifests {
        let Some(chosen) = choose_manifest(store, descriptor)? else {
            continue;
        };
        let manifest: Manifest = document(store, &chosen.digest, "the image manifest")?;
        let mut refs = annotated_names(descriptor);
        refs.extend(
            docker
                .iter()
                .filter(|e| e.config.ends_with(hex_of(&manifest.config.digest)))
                .flat_map(|e| e.repo_tags.clone()),
        );
        let layers = manifest
            .layers
            .iter()
            .map(|layer| layer.digest.clone())
            .collect();
        let record = record(
            store,
            &manifest.config.digest,
            &chosen.digest,
            layers,
            &refs,
        )?;
        first.get_or_insert(record);
    }
    first.ok_or_else(|| ImportError::NoPlatform(format!("linux/{}", host_architecture())))
}

/// Follows nested indexes to the manifest for this machine's Linux architecture.
fn choose_manifest(
    store: &ImageStore,
    descriptor: &Descriptor,
) -> Result<Option<Descriptor>, ImportError> {
    if let Some(platform) = &descriptor.platform
        && (platform.os != "linux" || platform.architecture != host_architecture())
    {
        return Ok(None);
    }
    if descriptor.media_type != INDEX && descriptor.media_type != DOCKER_INDEX {
        return Ok(Some(descriptor.clone()));
    }
    let index: Index = document(store, &descriptor.digest, "the image index")?;
    for inner in &index.manifests {
        if let Some(chosen) = choose_manifest(store, inner)? {
            return Ok(Some(chosen));
        }
    }
    Ok(None)
}

fn annotated_names(descriptor: &Descriptor) -> Vec<String> {
    let annotation = |key: &str| descriptor.annotations.get(key).cloned();
    if let Some(name) = annotation("io.containerd.image.name") {
        return vec![name];
    }
    // The OCI annotation may be a bare tag, which names nothing by itself.
    annotation("org.opencontainers.image.ref.name")
        .filter(|name| name.contains(['/', ':']))
        .into_iter()
        .collect()
}

fn import_docker_save(
    store: &ImageStore,
    members: &BTreeMap<String, String>,
) -> Result<ImageRecord, ImportError> {
    let entries: Vec<DockerSaveEntry> =
        document(store, member(members, "manifest.json")?, "manifest.json")?;
    let mut first = None;
    for entry in entries {
        let config = member(members, &entry.config)?;
        let layers = entry
            .layers
            .iter()
            .map(|name| member(members, name).map(str::to_owned))
            .collect::<Result<Vec<_>, _>>()?;
        let manifest = write_manifest(store, config, &layers)?;
        let record = record(store, config, &manifest, layers, &entry.repo_tags)?;
        first.get_or_insert(record);
    }
    first.ok_or(ImportError::NotAnImage)
}

/// docker-save has no manifest; ours is written in the canonical form so that it has a digest.
fn write_manifest(
    store: &ImageStore,
    config: &str,
    layers: &[String],
) -> Result<String, ImportError> {
    let descriptor = |digest: &str, media_type: &str| -> Result<Descriptor, ImportError> {
        let size = fs::metadata(store.blob_path(digest))
            .map_err(ImportError::Read)?
            .len();
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.to_owned(),
            size,
            platform: None,
            annotations: BTreeMap::new(),
        })
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        config: descriptor(config, CONFIG)?,
        layers: layers
            .iter()
            .map(|layer| descriptor(layer, LAYER_GZIP))
            .collect::<Result<_, _>>()?,
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|source| ImportError::Parse {
        what: "the image manifest".into(),
        source,
    })?;
    Ok(store.add_blob(&mut bytes.as_slice())?.0)
}

/// Checks that every layer can be used, then records the image under its names.
pub(super) fn record(
    store: &ImageStore,
    config_digest: &str,
    manifest_digest: &str,
    layers: Vec<String>,
    refs: &[String],
) -> Result<ImageRecord, ImportError> {
    let config: ConfigDocument = document(store, config_digest, "the image configuration")?;
    if config.rootfs.diff_ids.len() != layers.len() {
        return Err(ImportError::LayerCount {
            layers: layers.len(),
            diff_ids: config.rootfs.diff_ids.len(),
        });
    }
    let mut size_bytes = blob_size(store, config_digest)?;
    let mut records = Vec::new();
    for (digest, diff_id) in layers.into_iter().zip(config.rootfs.diff_ids) {
        let layer_bytes = blob_size(store, &digest)?;
        let file = File::open(store.blob_path(&digest))
            .map_err(|_| ImportError::Missing(digest.clone()))?;
        layers::check_layer(file)?;
        size_bytes += layer_bytes;
        records.push(LayerRecord {
            digest,
            diff_id,
            size_bytes: layer_bytes,
        });
    }
    Ok(store.record(ImageRecord {
        id: config_digest.to_owned(),
        manifest_digest: manifest_digest.to_owned(),
        refs: refs.iter().map(|name| normalize(name)).collect(),
        size_bytes,
        config: config.config.into_image_config(),
        created: config.created,
        layers: records,
    })?)
}

fn blob_size(store: &ImageStore, digest: &str) -> Result<u64, ImportError> {
    fs::metadata(store.blob_path(digest))
        .map(|metadata| metadata.len())
        .map_err(|_| ImportError::Missing(digest.to_owned()))
}

fn member<'a>(members: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, ImportError> {
    members
        .get(name)
        .map(String::as_str)
        .ok_or_else(|| ImportError::Missing(name.to_owned()))
}

fn hex_of(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn document<T: DeserializeOwned>(
    store: &ImageStore,
    digest: &str,
    what: &str,
) -> Result<T, ImportError> {
    let hex = hex_of(digest);
    // A digest from a document becomes a file name, so it must be nothing but a digest.
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ImportError::Missing(digest.to_owned()));
    }
    let file =
        File::open(store.blob_path(digest)).map_err(|_| ImportError::Missing(digest.to_owned()))?;
    let mut text = Vec::new();
    file.take(MAX_DOCUMENT_BYTES)
        .read_to_end(&mut text)
        .map_err(ImportError::Read)?;
    serde_json::from_slice(&text).map_err(|source| ImportError::Parse {
        what: what.to_owned(),
        source,
    })
}
