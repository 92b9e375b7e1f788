//! Private folders for what assistants write: inside the state folder, and gone with the conversation.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Once};

use tempfile::TempDir;

const FOLDER: &str = "desk";

/// Makes them; clones share it.
#[derive(Clone, Debug)]
pub struct Scratch {
    all: PathBuf,
    /// Those of a Slipway that was killed go before the first one is made.
    fresh: Arc<Once>,
}

impl Scratch {
    pub fn new(state_dir: &std::path::Path) -> Self {
        Self {
            all: state_dir.join(FOLDER),
            fresh: Arc::new(Once::new()),
        }
    }

    /// A new one, for its owner only.
    pub fn folder(&self, prefix: &str) -> std::io::Result<TempDir> {
        self.fresh.call_once(|| {
            // There may be none; what cannot be removed is private all the same.
            let _ = fs::remove_dir_all(&self.all);
        });
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.all)?;
        tempfile::Builder::new()
            .prefix(prefix)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.all)
    }
}
