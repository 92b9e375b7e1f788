//! kind and k3d: archives are copied into the cluster's nodes, which are containers of the local
//! daemon; their runtime is asked by `crictl` inside them.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::listed_image::ListedImage;
use crate::process::CommandSpec;

/// The container of a kind cluster's first node.
pub fn kind_node(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// The container of a k3d cluster's first node.
pub fn k3d_node(cluster: &str) -> String {
    format!("k3d-{cluster}-server-0")
}

/// Asks what a node's container is doing. Exits with 1 when there is none.
pub fn node_state(container: &str) -> CommandSpec {
    CommandSpec::new("docker")
        .args(["inspect", "--type", "container"])
        .args(["--format", "{{.State.Status}}", container])
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
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

/// Reads `crictl images --output json`.
pub fn parse_crictl_images(stdout: &str) -> Option<Vec<ListedImage>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Image {
        id: String,
        #[serde(default)]
        repo_tags: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    struct Output {
        images: Option<Vec<Image>>,
    }
    let output: Output = serde_json::from_str(stdout.trim()).ok()?;
    Some(
        output
            .images
            .unwrap_or_default()
            .into_iter()
            .map(|image| ListedImage::new(image.id, image.repo_tags.iter().flatten()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_s_own_list_is_read() {
        // crictl 1.32, as kind's nodes have it
        let said = r#"{"images":[{"id":"sha256:ab12","repoTags":["docker.io/library/todo-backend:3f9a"],"repoDigests":[],"size":"763000","uid":{"value":"65532"},"username":"","spec":null,"pinned":false},{"id":"sha256:cd","repoTags":[],"repoDigests":["x@sha256:ef"],"size":"1","uid":null,"username":"","spec":null,"pinned":true}]}"#;
        let images = parse_crictl_images(said).expect("it is read");
        assert_eq!(images.len(), 2);
        assert!(images[0].is_called("todo-backend:3f9a"));
        assert!(!images[0].is_called("todo-backend:other"));
        assert_eq!(parse_crictl_images("{}"), Some(vec![]));
        assert_eq!(parse_crictl_images("FATA[0000] no runtime"), None);
    }
}
