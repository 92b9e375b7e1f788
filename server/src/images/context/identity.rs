//! What a context is worth as an identity: one digest over everything that goes into a build, the
//! tag that follows from it, and what differs from an earlier one.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::Hashed;
use super::walk::{Context, Entry, Kind};

/// Everything besides the files that decides what comes out of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInputs {
    /// The Dockerfile's bytes, wherever it lies, or the pack recipe.
    pub recipe: Vec<u8>,
    /// Build arguments with their values. They may be secrets: only a keyed hash of them is kept.
    pub args: BTreeMap<String, String>,
    pub target: Option<String>,
    pub platform: Option<String>,
    /// Which builder it is: `docker` or `pack`.
    pub builder: &'static str,
}

/// The digest of a build's inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextIdentity {
    /// `sha256:…`
    pub digest: String,
    pub snapshot: Snapshot,
}

impl ContextIdentity {
    /// The first twelve digits: a tag that names exactly these inputs.
    pub fn tag(&self) -> String {
        practice::images::content_tag(&self.digest)
    }
}

/// The parts of an identity, short: enough to say which of them changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// By path relative to the context.
    pub entries: BTreeMap<String, String>,
    /// `Dockerfile`, `build arguments` and so on.
    pub inputs: BTreeMap<String, String>,
}

/// What is not the same any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub inputs: Vec<String>,
    pub changed: Vec<String>,
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub fn count(&self) -> usize {
        self.inputs.len() + self.changed.len() + self.added.len() + self.removed.len()
    }

    /// All of it as words: inputs first, then files with what became of them.
    pub fn words(&self) -> Vec<String> {
        let with = |paths: &[String], what: &str| {
            paths
                .iter()
                .map(|path| match what {
                    "" => path.clone(),
                    what => format!("{path} ({what})"),
                })
                .collect::<Vec<_>>()
        };
        [
            self.inputs.clone(),
            with(&self.changed, ""),
            with(&self.added, "new"),
            with(&self.removed, "gone"),
        ]
        .concat()
    }
}

impl Snapshot {
    /// What is different now.
    pub fn difference(&self, now: &Self) -> Difference {
        let mut difference = Difference::default();
        let names = self.inputs.keys().chain(now.inputs.keys());
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            if self.inputs.get(name) != now.inputs.get(name) {
                difference.inputs.push(name.clone());
            }
        }
        for (path, entry) in &now.entries {
            match self.entries.get(path) {
                None => difference.added.push(path.clone()),
                Some(before) if before != entry => difference.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        difference.removed = self
            .entries
            .keys()
            .filter(|path| !now.entries.contains_key(*path))
            .cloned()
            .collect();
        difference
    }
}

impl Context {
    /// The identity of a build from this context. `key` is this installation's own: without it no
    /// build argument can be guessed from what is kept.
    pub fn identity(&self, hashed: &Hashed, inputs: &BuildInputs, key: &[u8]) -> ContextIdentity {
        let mut all = Sha256::new();
        all.update(b"slipway build inputs 1\0");
        let mut snapshot = Snapshot::default();
        for (name, value) in inputs.hashes(key) {
            length_first(&mut all, name.as_bytes());
            all.update(value);
            snapshot.inputs.insert(name.to_owned(), short(&value));
        }
        for (entry, content) in self.entries.iter().zip(&hashed.contents) {
            let value = entry_hash(entry, content.as_ref());
            length_first(&mut all, entry.path.as_os_str().as_bytes());
            all.update(value);
            snapshot
                .entries
                .insert(entry.path.to_string_lossy().into_owned(), short(&value));
        }
        ContextIdentity {
            digest: format!("sha256:{}", hex::encode(all.finalize())),
            snapshot,
        }
    }
}

impl BuildInputs {
    fn hashes(&self, key: &[u8]) -> Vec<(&'static str, [u8; 32])> {
        let plain = |text: &str| Sha256::digest(text.as_bytes()).into();
        let mut out = vec![
            ("builder", plain(self.builder)),
            (
                match self.builder {
                    "pack" => "pack recipe",
                    _ => "Dockerfile",
                },
                Sha256::digest(&self.recipe).into(),
            ),
        ];
        if !self.args.is_empty() {
            // A key of any length is fine for HMAC.
            if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
                for (name, value) in &self.args {
                    for part in [name, value] {
                        mac.update(&(part.len() as u64).to_be_bytes());
                        mac.update(part.as_bytes());
                    }
                }
                out.push(("build arguments", mac.finalize().into_bytes().into()));
            }
        }
        for (name, value) in [("target", &self.target), ("platform", &self.platform)] {
            if let Some(value) = value {
                out.push((name, plain(value)));
            }
        }
        out
    }
}

fn entry_hash(entry: &Entry, content: Option<&[u8; 32]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    match &entry.kind {
        Kind::File(_) => {
            hash.update(b"file");
            hash.update(entry.mode.to_be_bytes());
            hash.update(content.copied().unwrap_or_default());
        }
        Kind::Folder => {
            hash.update(b"folder");
            hash.update(entry.mode.to_be_bytes());
        }
        // A link's own mode means nothing.
        Kind::Link(target) => {
            hash.update(b"link");
            length_first(&mut hash, target.as_os_str().as_bytes());
        }
        Kind::Special => {
            hash.update(b"special");
            hash.update(entry.mode.to_be_bytes());
        }
    }
    hash.finalize().into()
}

fn length_first(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn short(hash: &[u8; 32]) -> String {
    hex::encode(&hash[..8])
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
