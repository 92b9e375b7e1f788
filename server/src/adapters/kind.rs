//! kind and k3d: an image of the local docker daemon is copied into the cluster's nodes.

use std::path::Path;
use std::time::Duration;

use crate::process::CommandSpec;

/// Copies an image into a kind cluster's nodes.
pub fn kind_load(cluster: &str, reference: &str) -> CommandSpec {
    CommandSpec::new("kind")
        .args(["load", "docker-image", reference, "--name", cluster])
        .deadline(Duration::from_secs(300))
}

/// Copies an image into a k3d cluster's nodes.
pub fn k3d_load(cluster: &str, reference: &str) -> CommandSpec {
    CommandSpec::new("k3d")
        .args(["image", "import", reference, "--cluster", cluster])
        .deadline(Duration::from_secs(300))
}

/// Copies an archive into a kind cluster's nodes.
pub fn kind_load_archive(cluster: &str, archive: &Path) -> CommandSpec {
    CommandSpec::new("kind")
        .args(["load", "image-archive"])
        .arg(archive)
        .args(["--name", cluster])
        .deadline(Duration::from_secs(300))
}

/// Copies an archive into a k3d cluster's nodes.
pub fn k3d_load_archive(cluster: &str, archive: &Path) -> CommandSpec {
    CommandSpec::new("k3d")
        .args(["image", "import"])
        .arg(archive)
        .args(["--cluster", cluster])
        .deadline(Duration::from_secs(300))
}
