//! Walks a context folder as the builder's client does: links are sent as links, sockets are
//! left out, pipes and devices are sent by the classic builder only, excluded folders are entered only where a negation may
//! bring something back. The rules are those of docker/cli 29 (`archive.TarWithOptions`) and
//! BuildKit 0.32 (`fsutil`), checked against a real daemon in the integration tests.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::ignore_file::{self, IgnoreFile};
use super::pattern::{BadPattern, Matched, Patterns};
use super::{ContextSpec, Reader};

/// Why a context could not be read. The builder would refuse it for the same reason.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Pattern { path: PathBuf, source: BadPattern },
    #[error("the reading was cancelled")]
    Cancelled,
}

impl ContextError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// Everything a builder sees, ordered by path.
#[derive(Clone, Debug)]
pub struct Context {
    pub spec: ContextSpec,
    pub ignore: Option<IgnoreFile>,
    pub entries: Vec<Entry>,
    /// What is left out: the topmost path of each part, in walking order.
    pub excluded: Vec<Excluded>,
}

/// A file, folder or link of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the context, with `/` between its parts.
    pub path: PathBuf,
    pub kind: Kind,
    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    pub mode: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File(Stamp),
    Folder,
    /// With the target as it is written in the link.
    Link(PathBuf),
    /// A named pipe or a device: sent without content.
    Special,
}

/// What tells that a file may have changed without reading it. The change time cannot be set by a
/// program, so an edit that keeps size and modification time is noticed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub size_bytes: u64,
    pub modified_ns: i128,
    pub changed_ns: i128,
    pub inode: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            size_bytes: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

/// A path that is left out, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    pub path: PathBuf,
    pub is_folder: bool,
    /// The line of the ignore file that decided, counted from 1.
    pub line: Option<u32>,
}

/// Reads the context. `on_count` hears how many entries there are so far, now and then.
///
/// Blocks: call it off the runtime.
pub fn read(
    spec: &ContextSpec,
    cancel: &CancellationToken,
    on_count: &mut dyn FnMut(u64),
) -> Result<Context, ContextError> {
    let ignore = ignore_file::find(&spec.root, spec.dockerfile.as_deref(), spec.reader)
        .map_err(|source| ContextError::read(&spec.root, source))?;
    let lines = ignore.iter().flat_map(|file| &file.lines);
    let texts = lines.map(|line| &line.pattern).chain(&spec.more_patterns);
    let patterns = Patterns::new(texts).map_err(|source| ContextError::Pattern {
        path: ignore
            .as_ref()
            .map_or_else(|| spec.root.clone(), |file| file.path.clone()),
        source,
    })?;
    let mut walk = Walk {
        enters: Enters::new(&patterns, spec.reader),
        line_of: ignore
            .iter()
            .flat_map(|file| file.lines.iter().map(|line| line.number))
            .collect(),
        patterns: &patterns,
        reader: spec.reader,
        cancel,
        on_count,
        entries: Vec::new(),
        excluded: Vec::new(),
    };
    walk.folder(&spec.root, Path::new(""), None)?;
    let Walk {
        mut entries,
        excluded,
        ..
    } = walk;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Context {
        spec: spec.clone(),
        ignore,
        entries,
        excluded,
    })
}

struct Walk<'a> {
    patterns: &'a Patterns,
    enters: Enters,
    line_of: Vec<u32>,
    reader: Reader,
    cancel: &'a CancellationToken,
    on_count: &'a mut dyn FnMut(u64),
    entries: Vec<Entry>,
    excluded: Vec<Excluded>,
}

impl Walk<'_> {
    /// One folder, which `parent` was decided about.
    fn folder(
        &mut self,
        absolute: &Path,
        relative: &Path,
        parent: Option<&Matched>,
    ) -> Result<(), ContextError> {
        if self.cancel.is_cancelled() {
            return Err(ContextError::Cancelled);
        }
        let listed = fs::read_dir(absolute).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut children = match listed {
            Ok(children) => children,
            // Gone since its parent was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && parent.is_some() => {
                return Ok(());
            }
            Err(error) => return Err(ContextError::read(absolute, error)),
        };
        children.sort_by_key(fs::DirEntry::file_name);
        for child in children {
            let kind = child
                .file_type()
                .map_err(|source| ContextError::read(&child.path(), source))?;
            if kind.is_socket() {
                continue;
            }
            self.child(
                &child.path(),
                &relative.join(child.file_name()),
                kind,
                parent,
            )?;
        }
        Ok(())
    }

    fn child(
        &mut self,
        absolute: &Path,
        relative: &Path,
        kind: FileType,
        parent: Option<&Matched>,
    ) -> Result<(), ContextError> {
        let text = relative.to_string_lossy();
        let verdict = self.patterns.verdict(&text, parent);
        if verdict.excluded {
            let left_out = Excluded {
                path: relative.to_owned(),
                is_folder: kind.is_dir(),
                line: verdict.by.and_then(|at| self.line_of.get(at).copied()),
            };
            if !kind.is_dir() || !self.enters.may_return(&text) {
                self.excluded.push(left_out);
                return Ok(());
            }
            let (entries_before, excluded_before) = (self.entries.len(), self.excluded.len());
            self.folder(absolute, relative, Some(&verdict.matched))?;
            if self.entries.len() == entries_before {
                self.excluded.truncate(excluded_before);
                self.excluded.push(left_out);
            } else if self.reader == Reader::BuildKit {
                // BuildKit sends the folders on the way to what came back; the classic builder
                // leaves it to the daemon to make them.
                self.entry(absolute, relative, kind)?;
            }
            return Ok(());
        }
        self.entry(absolute, relative, kind)?;
        if kind.is_dir() {
            self.folder(absolute, relative, Some(&verdict.matched))?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        absolute: &Path,
        relative: &Path,
        file_type: FileType,
    ) -> Result<(), ContextError> {
        let failed = |source| ContextError::read(absolute, source);
        let metadata = match fs::symlink_metadata(absolute) {
            Ok(metadata) => metadata,
            // Gone since the folder was listed: the builder does not see it either.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let is_special = !(file_type.is_dir() || file_type.is_symlink() || file_type.is_file());
        if is_special && self.reader == Reader::BuildKit {
            // It has no content to send, and no COPY brings it.
            return Ok(());
        }
        let kind = if file_type.is_dir() {
            Kind::Folder
        } else if file_type.is_symlink() {
            Kind::Link(fs::read_link(absolute).map_err(failed)?)
        } else if file_type.is_file() {
            Kind::File(Stamp::of(&metadata))
        } else {
            Kind::Special
        };
        self.entries.push(Entry {
            path: relative.to_owned(),
            kind,
            mode: metadata.permissions().mode() & 0o7777,
        });
        if self.entries.len().is_multiple_of(500) {
            (self.on_count)(self.entries.len() as u64);
        }
        Ok(())
    }
}

/// Into which excluded folders the walk goes nevertheless.
enum Enters {
    Nowhere,
    Everywhere,
    /// Where one of these texts leads: compared as words, not as patterns.
    Towards(Vec<String>),
}

impl Enters {
    fn new(patterns: &Patterns, reader: Reader) -> Self {
        let without_glob = |text: &str| {
            let text = text.strip_suffix("/**").unwrap_or(text);
            text.strip_suffix("/*").unwrap_or(text).to_owned()
        };
        let texts: Vec<String> = match reader {
            // The classic client compares the pattern as it stands, wildcards and all.
            Reader::Classic => patterns.negations().map(|one| one.text().to_owned()),
            Reader::BuildKit => {
                let plain = |text: &String| !text.contains(['*', '[', ']', '?', '^', '\\']);
                let texts: Vec<String> = patterns
                    .negations()
                    .map(|one| without_glob(one.text()))
                    .collect();
                if !texts.iter().all(plain) {
                    return Self::Everywhere;
                }
                return Self::towards(texts);
            }
        }
        .collect();
        Self::towards(texts)
    }

    fn towards(texts: Vec<String>) -> Self {
        if texts.is_empty() {
            Self::Nowhere
        } else {
            Self::Towards(texts)
        }
    }

    fn may_return(&self, folder: &str) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::Towards(texts) => texts.iter().any(|text| {
                text.strip_prefix(folder)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }),
        }
    }
}
