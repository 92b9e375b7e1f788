//! Hashes of file contents, remembered by what tells that a file is still the same.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::walk::{Context, ContextError, Kind, Stamp};

/// A file that changed less than this before it was read is read again the next time: a second
/// change within one tick of the file system's clock would leave the same stamp.
const SETTLED_NS: i128 = 2_000_000_000;
const WORKERS: usize = 4;

/// The contents' hashes of one context, in the order of its entries; empty for what has none.
#[derive(Clone, Debug, Default)]
pub struct Hashed {
    pub contents: Vec<Option<[u8; 32]>>,
    /// How many files had to be read.
    pub read: u64,
}

/// What is remembered of one context.
#[derive(Debug, Default)]
pub struct HashCache {
    known: HashMap<PathBuf, (Stamp, [u8; 32])>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a>(
    std::borrow::Cow<'a, str>,
    u64,
    i64,
    i64,
    u64,
    std::borrow::Cow<'a, str>,
);

impl HashCache {
    /// What was saved before; empty when there is nothing usable.
    pub fn open(path: &Path) -> Self {
        let Ok(bytes) = fs::read(path) else {
            return Self::default();
        };
        let known = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok())
            .filter_map(|Line(path, size_bytes, modified, changed, inode, hash)| {
                let mut content = [0; 32];
                hex::decode_to_slice(hash.as_bytes(), &mut content).ok()?;
                let stamp = Stamp {
                    size_bytes,
                    modified_ns: modified.into(),
                    changed_ns: changed.into(),
                    inode,
                };
                Some((PathBuf::from(path.into_owned()), (stamp, content)))
            })
            .collect();
        Self { known }
    }

    /// Saves it whole or not at all, in a folder that is made where it is missing.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let file = tempfile::NamedTempFile::new_in(folder)?;
        {
            let mut out = BufWriter::new(file.as_file());
            for (path, (stamp, content)) in &self.known {
                // Rare names and times are simply read again.
                let (Some(path), Ok(modified), Ok(changed)) = (
                    path.to_str(),
                    i64::try_from(stamp.modified_ns),
                    i64::try_from(stamp.changed_ns),
                ) else {
                    continue;
                };
                let line = Line(
                    path.into(),
                    stamp.size_bytes,
                    modified,
                    changed,
                    stamp.inode,
                    hex::encode(content).into(),
                );
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
            out.flush()?;
        }
        file.persist(path)?;
        Ok(())
    }

    /// Hashes what is new or changed and forgets what is gone. `on_bytes` hears how many bytes of
    /// the context are done, now and then.
    pub fn hash(
        &mut self,
        context: &Context,
        cancel: &CancellationToken,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<Hashed, ContextError> {
        let mut contents = vec![None; context.entries.len()];
        let mut wanted = Vec::new();
        let mut done = 0;
        for (at, entry) in context.entries.iter().enumerate() {
            let Kind::File(stamp) = entry.kind else {
                continue;
            };
            match self.known.get(&entry.path) {
                Some((known, content)) if *known == stamp => {
                    contents[at] = Some(*content);
                    done += stamp.size_bytes;
                }
                _ => wanted.push(at),
            }
        }
        on_bytes(done);
        let fresh = hash_files(context, &wanted, done, cancel, on_bytes)?;
        let read = wanted.len() as u64;
        let mut known = HashMap::with_capacity(context.entries.len());
        let now = now_ns();
        for (at, fresh) in fresh {
            contents[at] = Some(fresh.content);
            let settled = now - fresh.stamp.modified_ns.max(fresh.stamp.changed_ns) > SETTLED_NS;
            if settled && Kind::File(fresh.stamp) == context.entries[at].kind {
                known.insert(
                    context.entries[at].path.clone(),
                    (fresh.stamp, fresh.content),
                );
            }
        }
        for (entry, content) in context.entries.iter().zip(&contents) {
            if let (Kind::File(stamp), Some(content)) = (&entry.kind, content)
                && let Some(kept) = self.known.get(&entry.path)
                && kept == &(*stamp, *content)
            {
                known.insert(entry.path.clone(), *kept);
            }
        }
        self.known = known;
        Ok(Hashed { contents, read })
    }
}

struct Fresh {
    /// As it was when the reading began.
    stamp: Stamp,
    content: [u8; 32],
}

fn hash_files(
    context: &Context,
    wanted: &[usize],
    done: u64,
    cancel: &CancellationToken,
    on_bytes: &(dyn Fn(u64) + Sync),
) -> Result<Vec<(usize, Fresh)>, ContextError> {
    let next = AtomicUsize::new(0);
    let bytes = AtomicU64::new(done);
    let out = Mutex::new(Vec::with_capacity(wanted.len()));
    let failed = Mutex::new(None);
    let work = || {
        let mut mine = Vec::new();
        while let Some(&at) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.lock().is_ok_and(|failed| failed.is_some()) {
                return;
            }
            let path = context.spec.root.join(&context.entries[at].path);
            let heard = |count: u64| on_bytes(bytes.fetch_add(count, Ordering::Relaxed) + count);
            match hash_file(&path, cancel, &heard) {
                Ok(fresh) => mine.push((at, fresh)),
                Err(error) => {
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(error);
                    }
                    return;
                }
            }
        }
        if let Ok(mut out) = out.lock() {
            out.append(&mut mine);
        }
    };
    let workers = WORKERS.min(wanted.len().div_ceil(64)).max(1);
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    match failed.into_inner() {
        Ok(None) => Ok(out.into_inner().unwrap_or_default()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(ContextError::Cancelled),
    }
}

fn hash_file(
    path: &Path,
    cancel: &CancellationToken,
    on_bytes: &dyn Fn(u64),
) -> Result<Fresh, ContextError> {
    let failed = |source| ContextError::read(path, source);
    let file = File::open(path).map_err(failed)?;
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if cancel.is_cancelled() {
            return Err(ContextError::Cancelled);
        }
        let count = reader.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        on_bytes(count as u64);
    }
    Ok(Fresh {
        stamp,
        content: hash.finalize().into(),
    })
}

fn now_ns() -> i128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0))
}
