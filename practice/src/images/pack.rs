//! The daemonless builder: an already-built binary plus files become an OCI image, without a
//! Dockerfile or a daemon. The same input gives the same digest on every run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::config::{
    CONFIG, ConfigDocument, ConfigSection, Descriptor, INDEX, Index, LAYER_GZIP, MANIFEST,
    Manifest, Platform, RootfsSection, host_architecture,
};
use super::elf::{self, Closure, ElfError};
use super::import::{self, ImportError};
use super::reference::normalize;
use super::store::{ImageRecord, ImageStore, StoreError};

/// What to pack.
#[derive(Clone, Debug, Default)]
pub struct PackSpec {
    /// The program on this machine.
    pub binary: PathBuf,
    /// Where it goes in the image; `/app/NAME` when empty.
    pub binary_dest: String,
    /// More files or folders.
    pub files: Vec<PackFile>,
    /// The command; the binary alone when empty.
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// `USER`; the nonroot user 65532:65532 when empty.
    pub user: String,
    pub exposed_ports: Vec<u16>,
    /// The binary's folder when empty.
    pub workdir: String,
    pub labels: BTreeMap<String, String>,
}

/// A file or folder to put into the image.
#[derive(Clone, Debug)]
pub struct PackFile {
    pub source: PathBuf,
    /// Absolute path in the image.
    pub dest: String,
}

/// Why an image could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("place {0:?} in the image: the path must be absolute and without ..")]
    Destination(String),
    #[error(transparent)]
    Elf(#[from] ElfError),
    #[error("write the image: {0}")]
    Write(#[source] io::Error),
    #[error("describe the image: {0}")]
    Describe(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// The id of the unprivileged user packed images run as.
pub const NONROOT: u32 = 65532;

/// A finished image, not yet stored anywhere.
#[derive(Debug)]
pub struct PackedImage {
    layers: Vec<PackedLayer>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

#[derive(Debug)]
struct PackedLayer {
    file: NamedTempFile,
    digest: String,
    diff_id: String,
    size_bytes: u64,
}

/// The first twelve hexadecimal digits of a digest: a tag that names exactly this content.
#[must_use]
pub fn content_tag(digest: &str) -> String {
    digest
        .strip_prefix("sha256:")
        .unwrap_or(digest)
        .chars()
        .take(12)
        .collect()
}

/// Builds the image; `on_line` hears what is being done, line by line.
pub fn pack(spec: &PackSpec, on_line: &mut dyn FnMut(String)) -> Result<PackedImage, PackError> {
    let binary = fs::canonicalize(&spec.binary).map_err(|source| PackError::Read {
        path: spec.binary.clone(),
        source,
    })?;
    let name = spec
        .binary
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let binary_dest = if spec.binary_dest.is_empty() {
        format!("/app/{name}")
    } else {
        spec.binary_dest.clone()
    };
    on_line(format!(
        "Packing {} as {binary_dest}",
        spec.binary.display()
    ));

    let mut app = Tree::default();
    app.file(&binary_dest, Content::Host(binary.clone()), 0o755)?;
    for file in &spec.files {
        on_line(format!("Adding {} as {}", file.source.display(), file.dest));
        app.host_path(&file.source, &file.dest)?;
    }
    let mut closure = Closure::default();
    for program in app.programs() {
        closure.add(&program)?;
    }
    let mut base = base_tree()?;
    for (dest, host) in &closure.files {
        let host = fs::canonicalize(host).map_err(|source| PackError::Read {
            path: host.clone(),
            source,
        })?;
        base.file(dest, Content::Host(host), 0o755)?;
    }
    match closure.files.len() {
        0 => on_line("The program is static and needs no libraries".into()),
        count => on_line(format!("Including {count} shared libraries and the loader")),
    }
    let layers = vec![base.into_layer()?, app.into_layer()?];
    for (what, layer) in ["base", "app"].iter().zip(&layers) {
        on_line(format!(
            "Layer {what}: {} bytes, {}",
            layer.size_bytes, layer.digest
        ));
    }
    let image = describe(spec, &binary_dest, layers)?;
    on_line(format!(
        "Image {} ({} bytes)",
        image.id(),
        image.size_bytes()
    ));
    Ok(image)
}

fn describe(
    spec: &PackSpec,
    binary_dest: &str,
    layers: Vec<PackedLayer>,
) -> Result<PackedImage, PackError> {
    let folder = Path::new(binary_dest).parent().unwrap_or(Path::new("/"));
    let non_empty = |text: &str, default: String| {
        if text.is_empty() {
            default
        } else {
            text.to_owned()
        }
    };
    let mut env = spec.env.clone();
    env.entry("PATH".into())
        .or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    let ports: BTreeMap<_, _> = spec
        .exposed_ports
        .iter()
        .map(|port| (format!("{port}/tcp"), serde_json::json!({})))
        .collect();
    let config = serde_json::to_vec(&ConfigDocument {
        created: Some("1970-01-01T00:00:00Z".into()),
        architecture: host_architecture().into(),
        os: "linux".into(),
        config: ConfigSection {
            user: non_empty(&spec.user, format!("{NONROOT}:{NONROOT}")),
            exposed_ports: (!ports.is_empty()).then_some(ports),
            env: env
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
            entrypoint: if spec.entrypoint.is_empty() {
                vec![binary_dest.to_owned()]
            } else {
                spec.entrypoint.clone()
            },
            cmd: spec.cmd.clone(),
            working_dir: non_empty(&spec.workdir, folder.to_string_lossy().into_owned()),
            labels: spec.labels.clone(),
        },
        rootfs: RootfsSection {
            kind: "layers".into(),
            diff_ids: layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        },
    })?;
    let manifest = serde_json::to_vec(&Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.into()),
        config: descriptor(CONFIG, &digest_of(&config), config.len() as u64),
        layers: layers
            .iter()
            .map(|layer| descriptor(LAYER_GZIP, &layer.digest, layer.size_bytes))
            .collect(),
    })?;
    Ok(PackedImage {
        layers,
        config,
        manifest,
    })
}

impl PackedImage {
    /// The image ID: the digest of its configuration.
    #[must_use]
    pub fn id(&self) -> String {
        digest_of(&self.config)
    }

    #[must_use]
    pub fn manifest_digest(&self) -> String {
        digest_of(&self.manifest)
    }

    /// The OCI image configuration.
    #[must_use]
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// The layers from the bottom to the top: what is in each, and its compressed bytes.
    #[must_use]
    pub fn layers(&self) -> Vec<(&'static str, u64)> {
        ["Loader and shared libraries", "The program and its files"]
            .into_iter()
            .zip(self.layers.iter().map(|layer| layer.size_bytes))
            .collect()
    }

    /// Bytes of configuration and compressed layers.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.config.len() as u64
            + self
                .layers
                .iter()
                .map(|layer| layer.size_bytes)
                .sum::<u64>()
    }

    /// A tag that names exactly this content.
    #[must_use]
    pub fn tag(&self) -> String {
        content_tag(&self.id())
    }

    /// Puts the image into a store under the given names.
    pub fn store_in(&self, store: &ImageStore, names: &[String]) -> Result<ImageRecord, PackError> {
        for layer in &self.layers {
            let mut file = layer.file.reopen().map_err(PackError::Write)?;
            store.add_blob(&mut file)?;
        }
        let (config, _) = store.add_blob(&mut self.config.as_slice())?;
        let (manifest, _) = store.add_blob(&mut self.manifest.as_slice())?;
        let layers = self
            .layers
            .iter()
            .map(|layer| layer.digest.clone())
            .collect();
        Ok(import::record(store, &config, &manifest, layers, names)?)
    }

    /// Writes the image as an OCI image layout archive with the older `manifest.json` beside it, as
    /// `docker save` does: engines before 25 know nothing else, everyone else reads either.
    pub fn write_archive(&self, writer: impl Write, name: &str) -> Result<(), PackError> {
        let mut entry = descriptor(
            MANIFEST,
            &self.manifest_digest(),
            self.manifest.len() as u64,
        );
        entry.platform = Some(Platform {
            architecture: host_architecture().into(),
            os: "linux".into(),
        });
        let canonical = normalize(name);
        entry
            .annotations
            .insert("io.containerd.image.name".into(), canonical.clone());
        entry
            .annotations
            .insert("org.opencontainers.image.ref.name".into(), canonical);
        let index = serde_json::to_vec(&Index {
            schema_version: 2,
            media_type: Some(INDEX.into()),
            manifests: vec![entry],
        })?;
        let blob = |digest: &str| format!("blobs/sha256/{}", digest.replace("sha256:", ""));
        let saved = serde_json::to_vec(&serde_json::json!([{
            "Config": blob(&self.id()),
            "RepoTags": [name],
            "Layers": self.layers.iter().map(|layer| blob(&layer.digest)).collect::<Vec<_>>(),
        }]))?;
        let mut builder = tar::Builder::new(writer);
        let mut add = |name: &str, bytes: &[u8]| {
            builder.append_data(&mut header(bytes.len() as u64, 0o644), name, bytes)
        };
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(PackError::Write)?;
        add("index.json", &index).map_err(PackError::Write)?;
        add("manifest.json", &saved).map_err(PackError::Write)?;
        add(&blob(&self.id()), &self.config).map_err(PackError::Write)?;
        add(&blob(&self.manifest_digest()), &self.manifest).map_err(PackError::Write)?;
        for layer in &self.layers {
            let file = layer.file.reopen().map_err(PackError::Write)?;
            builder
                .append_data(
                    &mut header(layer.size_bytes, 0o644),
                    blob(&layer.digest),
                    file,
                )
                .map_err(PackError::Write)?;
        }
        builder
            .into_inner()
            .and_then(|mut writer| writer.flush())
            .map_err(PackError::Write)
    }
}

#[derive(Debug)]
enum Content {
    Host(PathBuf),
    Bytes(Vec<u8>),
}

#[derive(Debug)]
enum Node {
    Directory(u32),
    File(Content, u32),
    Symlink(PathBuf),
}

/// Files of a layer by their path, which also gives the order they are written in.
#[derive(Debug, Default)]
struct Tree(BTreeMap<String, Node>);

impl Tree {
    fn insert(&mut self, dest: &str, node: Node) -> Result<(), PackError> {
        let refuse = || PackError::Destination(dest.to_owned());
        let clean = dest
            .strip_prefix('/')
            .ok_or_else(refuse)?
            .trim_end_matches('/');
        if clean.is_empty() || clean.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(refuse());
        }
        for (at, _) in clean.match_indices('/') {
            self.0
                .entry(clean[..at].to_owned())
                .or_insert(Node::Directory(0o755));
        }
        self.0.insert(clean.to_owned(), node);
        Ok(())
    }

    fn file(&mut self, dest: &str, content: Content, mode: u32) -> Result<(), PackError> {
        self.insert(dest, Node::File(content, mode))
    }

    fn host_path(&mut self, source: &Path, dest: &str) -> Result<(), PackError> {
        use std::os::unix::fs::PermissionsExt;
        let failed = |e| PackError::Read {
            path: source.to_owned(),
            source: e,
        };
        let metadata = fs::symlink_metadata(source).map_err(failed)?;
        if metadata.is_symlink() {
            return self.insert(dest, Node::Symlink(fs::read_link(source).map_err(failed)?));
        }
        if metadata.is_dir() {
            self.insert(dest, Node::Directory(0o755))?;
            for child in fs::read_dir(source).map_err(failed)? {
                let child = child.map_err(failed)?;
                let name = child.file_name();
                let name = name.to_string_lossy();
                self.host_path(
                    &child.path(),
                    &format!("{}/{name}", dest.trim_end_matches('/')),
                )?;
            }
            return Ok(());
        }
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        self.file(dest, Content::Host(source.to_owned()), mode)
    }

    /// Executable ELF files among the contents.
    fn programs(&self) -> Vec<PathBuf> {
        self.0
            .values()
            .filter_map(|node| match node {
                Node::File(Content::Host(path), 0o755) if elf::is_elf(path) => Some(path.clone()),
                _ => None,
            })
            .collect()
    }

    fn into_layer(self) -> Result<PackedLayer, PackError> {
        let file = NamedTempFile::new().map_err(PackError::Write)?;
        let (digest, diff_id, size_bytes) = self.write(file.as_file())?;
        Ok(PackedLayer {
            file,
            digest,
            diff_id,
            size_bytes,
        })
    }

    /// Writes the gzipped tar: its digest, the digest of the plain tar, and its size.
    fn write(self, file: &File) -> Result<(String, String, u64), PackError> {
        let gzip = GzEncoder::new(Hashing::new(file), Compression::new(5));
        let mut builder = tar::Builder::new(Hashing::new(gzip));
        for (path, node) in self.0 {
            append(&mut builder, &path, node)?;
        }
        let tar = builder.into_inner().map_err(PackError::Write)?;
        let diff_id = tar.digest();
        let compressed = tar.inner.finish().map_err(PackError::Write)?;
        Ok((compressed.digest(), diff_id, compressed.bytes))
    }
}

fn append(builder: &mut tar::Builder<impl Write>, path: &str, node: Node) -> Result<(), PackError> {
    match node {
        Node::Directory(mode) => {
            let mut header = header(0, mode);
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, format!("{path}/"), io::empty())
        }
        Node::Symlink(target) => {
            let mut header = header(0, 0o777);
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header, path, target)
        }
        Node::File(Content::Bytes(bytes), mode) => builder.append_data(
            &mut header(bytes.len() as u64, mode),
            path,
            bytes.as_slice(),
        ),
        Node::File(Content::Host(source), mode) => {
            let failed = |e| PackError::Read {
                path: source.clone(),
                source: e,
            };
            let file = File::open(&source).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            builder.append_data(
                &mut header(size, mode),
                path,
                BufReader::new(file).take(size),
            )
        }
    }
    .map_err(PackError::Write)
}

/// What every image needs to be comfortable from scratch: users, name lookup, roots of trust, /tmp.
fn base_tree() -> Result<Tree, PackError> {
    let mut tree = Tree::default();
    let passwd = format!(
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin\n"
    );
    let group = format!("root:x:0:\nnonroot:x:{NONROOT}:\n");
    tree.file("/etc/passwd", Content::Bytes(passwd.into_bytes()), 0o644)?;
    tree.file("/etc/group", Content::Bytes(group.into_bytes()), 0o644)?;
    let nsswitch = b"passwd: files\ngroup: files\nhosts: files dns\n".to_vec();
    tree.file("/etc/nsswitch.conf", Content::Bytes(nsswitch), 0o644)?;
    tree.insert("/tmp", Node::Directory(0o1777))?;
    tree.insert("/var/tmp", Node::Directory(0o1777))?;
    tree.insert("/home/nonroot", Node::Directory(0o777))?;
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    if let Ok(bytes) = fs::read(certificates) {
        tree.file(certificates, Content::Bytes(bytes), 0o644)?;
    }
    Ok(tree)
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.into(),
        digest: digest.into(),
        size,
        platform: None,
        annotations: BTreeMap::new(),
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.hasher.clone().finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
