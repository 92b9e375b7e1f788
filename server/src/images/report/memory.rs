//! What each image was built from, kept in the state folder over restarts.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use app::model::{Builder, ComponentName, ImageFacts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::private_file;
use crate::images::context::Snapshot;

/// The last build of a component for a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFrom {
    pub image_id: String,
    pub builder: Builder,
    /// Of all inputs.
    pub digest: String,
    pub snapshot: Snapshot,
    /// Nothing changed while it was built, so the image is what the digest says.
    pub clean: bool,
    pub facts: Option<ImageFacts>,
}

fn file(folder: &Path, cluster: &str, component: &ComponentName) -> PathBuf {
    let cluster = hex::encode(&Sha256::digest(cluster.as_bytes())[..6]);
    folder.join(cluster).join(format!("{component}.json"))
}

pub fn read(folder: &Path, cluster: &str, component: &ComponentName) -> Option<BuiltFrom> {
    let bytes = fs::read(file(folder, cluster, component)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub fn write(
    folder: &Path,
    cluster: &str,
    component: &ComponentName,
    built: &BuiltFrom,
) -> io::Result<()> {
    let path = file(folder, cluster, component);
    let parent = path.parent().unwrap_or(folder);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)?;
    private_file::write(&path, &serde_json::to_vec(built)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_remembered_for_its_cluster_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let name: ComponentName = "backend".parse().expect("a name");
        let built = BuiltFrom {
            image_id: "sha256:1".into(),
            builder: Builder::Docker,
            digest: "sha256:2".into(),
            snapshot: Snapshot::default(),
            clean: true,
            facts: Some(ImageFacts::default()),
        };
        write(folder.path(), "a/../b", &name, &built).expect("written");
        assert_eq!(read(folder.path(), "a/../b", &name), Some(built));
        assert_eq!(read(folder.path(), "other", &name), None);
    }
}
