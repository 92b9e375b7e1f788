//! What the cluster's nodes say about the images they hold, watched.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::sync::Arc;
use tokio::sync::watch;

/// A kubelet lists only so many of its images unless told otherwise, the largest first.
const USUAL_LIMIT: usize = 50;

/// The images of all nodes, by every name they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeImages {
    /// Whether the nodes were listed at all.
    pub heard: bool,
    nodes: BTreeMap<String, NodeList>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct NodeList {
    names: BTreeSet<String>,
    images: usize,
    /// `docker://28.0.4`
    runtime: String,
    /// As Go names it: `amd64`.
    architecture: String,
}

impl NodeImages {
    /// Whether every node lists this reference, however it is spelled.
    pub fn has(&self, reference: &str) -> bool {
        let reference = practice::images::normalize(reference);
        !self.nodes.is_empty()
            && self
                .nodes
                .values()
                .all(|node| node.names.contains(&reference))
    }

    /// Whether some node lists what was pushed under this digest: only those that run it do.
    pub fn has_pulled(&self, digest: &str) -> bool {
        self.nodes
            .values()
            .flat_map(|node| &node.names)
            .any(|name| name.rsplit('@').next() == Some(digest))
    }

    /// The nodes' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A runtime that is known not to be docker, such as `containerd`.
    pub fn other_runtime(&self) -> Option<&str> {
        self.nodes
            .values()
            .filter_map(|node| node.runtime.split_once("://"))
            .map(|(name, _)| name)
            .find(|name| matches!(*name, "containerd" | "cri-o"))
    }

    /// What the nodes can run, as Go names it; empty before they were heard.
    pub fn architectures(&self) -> BTreeSet<String> {
        self.nodes
            .values()
            .map(|node| node.architecture.clone())
            .filter(|architecture| !architecture.is_empty())
            .collect()
    }

    /// Whether a node lists as many images as it ever does, so that one may be left out.
    pub fn may_be_cut(&self) -> bool {
        self.nodes.values().any(|node| node.images >= USUAL_LIMIT)
    }
}

/// Watches the nodes until dropped.
pub async fn watch(client: &Client, tell: &watch::Sender<Arc<NodeImages>>) {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut events = watcher(nodes, watcher::Config::default())
        .default_backoff()
        .boxed();
    let mut now = NodeImages::default();
    let mut fresh = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => fresh = BTreeMap::new(),
            Ok(watcher::Event::InitApply(node)) => {
                fresh.insert(node.name_any(), list_of(&node));
                continue;
            }
            Ok(watcher::Event::InitDone) => {
                now.nodes = std::mem::take(&mut fresh);
                now.heard = true;
            }
            Ok(watcher::Event::Apply(node)) => {
                now.nodes.insert(node.name_any(), list_of(&node));
            }
            Ok(watcher::Event::Delete(node)) => {
                now.nodes.remove(&node.name_any());
            }
            // The heartbeat says that the cluster is silent; the watch only tries again.
            Err(error) => {
                tracing::debug!(%error, "the watch on nodes was interrupted");
                continue;
            }
        }
        tell.send_if_modified(|told| {
            let news = **told != now;
            if news {
                *told = Arc::new(now.clone());
            }
            news
        });
    }
}

fn list_of(node: &Node) -> NodeList {
    let images = node
        .status
        .as_ref()
        .and_then(|status| status.images.as_deref())
        .unwrap_or_default();
    NodeList {
        names: images
            .iter()
            .flat_map(|image| image.names.iter().flatten())
            .map(|name| practice::images::normalize(name))
            .collect(),
        images: images.len(),
        runtime: node
            .status
            .as_ref()
            .and_then(|status| status.node_info.as_ref())
            .map(|info| info.container_runtime_version.clone())
            .unwrap_or_default(),
        architecture: node
            .status
            .as_ref()
            .and_then(|status| status.node_info.as_ref())
            .map(|info| info.architecture.clone())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(names: &[&str]) -> Node {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n"},
            "status": {"images": names.iter().map(|n| serde_json::json!({"names": [n]})).collect::<Vec<_>>()}
        }))
        .expect("a node")
    }

    #[test]
    fn an_image_counts_only_when_every_node_has_it() {
        let wanted = "app:1";
        let mut images = NodeImages::default();
        assert!(!images.has(wanted));
        images.nodes.insert("a".into(), list_of(&node(&["app:1"])));
        assert!(images.has(wanted));
        images.nodes.insert("b".into(), list_of(&node(&["app:2"])));
        assert!(!images.has(wanted));
        assert!(!images.may_be_cut());
    }
}
