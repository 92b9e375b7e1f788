//! The build context: exactly the files a builder sees, what they are worth as an identity, and what
//! to say about them before they are sent.

mod cache;
mod identity;
pub mod ignore_file;
pub mod pattern;
mod preview;
mod walk;

use std::path::PathBuf;

pub use cache::{HashCache, Hashed};
pub use identity::{BuildInputs, ContextIdentity, Difference, Snapshot};
pub use preview::{preview, warnings};
pub use walk::{Context, ContextError, Entry, Excluded, Kind, Stamp, read};

/// Whose rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// BuildKit, through buildx or `DOCKER_BUILDKIT=1`.
    BuildKit,
    /// The builder inside dockerd that came before it.
    Classic,
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextSpec {
    /// The context folder, absolute.
    pub root: PathBuf,
    /// The Dockerfile, absolute; none for builds without one.
    pub dockerfile: Option<PathBuf>,
    pub reader: Reader,
    /// Patterns that come after those of the ignore file.
    pub more_patterns: Vec<String>,
}
