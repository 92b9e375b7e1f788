//! The proof: the cluster's own runtime lists the image. Nothing else counts as being in the cluster.

use std::sync::Arc;
use std::time::Duration;

use app::model::{BuiltImage, ClusterKind, ComponentName, Finding};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::findings;
use super::nodes::NodeImages;
use crate::adapters::minikube;
use crate::cluster::Connected;
use crate::process;

/// How long a runtime may take to show an image it was given.
const SHOWN_WITHIN: Duration = Duration::from_secs(15);
/// kubelets refresh their list of images only now and then.
const SHOWN_WITHIN_KUBELET: Duration = Duration::from_secs(75);

/// What the cluster's runtime lists at one moment.
#[derive(Debug)]
pub struct Listing {
    nodes: Arc<NodeImages>,
    /// The list of a tool that asks the runtime itself.
    tool: Option<Vec<minikube::ListedImage>>,
    asked_a_tool: bool,
    /// The names the practice cluster's store has, by image ID.
    practice: Option<practice::images::ImageStore>,
}

/// Whether an image is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Listed,
    NotListed,
    /// Nobody answered, or the list may be cut.
    Unknown,
}

/// Whether the runtime of this kind of cluster is asked through a tool instead of its nodes.
pub fn asks_a_tool(kind: &ClusterKind) -> bool {
    matches!(kind, ClusterKind::Minikube { .. }) && process::find_on_path("minikube").is_some()
}

impl Listing {
    /// Asks now.
    pub async fn take(connected: &Connected, nodes: &watch::Sender<Arc<NodeImages>>) -> Self {
        let asked_a_tool = asks_a_tool(&connected.kind);
        let tool = match &connected.kind {
            ClusterKind::Minikube { profile } if asked_a_tool => ask_minikube(profile).await,
            _ => None,
        };
        Self {
            nodes: Arc::clone(&nodes.borrow()),
            tool,
            asked_a_tool,
            practice: connected.practice.clone(),
        }
    }

    /// Whether this image is in the cluster.
    pub fn has(&self, image: &BuiltImage) -> Verdict {
        let reference = practice::images::normalize(&image.reference);
        if let Some(listed) = &self.tool {
            let found = listed.iter().any(|one| one.tags.contains(&reference));
            return if found {
                Verdict::Listed
            } else {
                Verdict::NotListed
            };
        }
        if !self.nodes.heard {
            return Verdict::Unknown;
        }
        if self.nodes.has(&reference) {
            // The practice store is ours to read, so the ID behind the name is compared as well.
            return match &self.practice {
                Some(store) if !store_has(store, &image.reference, &image.id) => Verdict::NotListed,
                _ => Verdict::Listed,
            };
        }
        if self.asked_a_tool || self.nodes.may_be_cut() {
            return Verdict::Unknown;
        }
        Verdict::NotListed
    }
}

fn store_has(store: &practice::images::ImageStore, reference: &str, id: &str) -> bool {
    store
        .resolve(reference)
        .ok()
        .flatten()
        .is_some_and(|record| record.id == id)
}

async fn ask_minikube(profile: &str) -> Option<Vec<minikube::ListedImage>> {
    let cancel = CancellationToken::new();
    let captured = process::capture(&minikube::image_list(profile), &cancel)
        .await
        .ok()?;
    // A cluster that does not run gives an empty list with exit code 0.
    minikube::parse_image_list(&captured.stdout).filter(|images| !images.is_empty())
}

/// Waits until the cluster lists the image.
pub async fn wait(
    connected: &Connected,
    nodes: &watch::Sender<Arc<NodeImages>>,
    component: &ComponentName,
    image: &BuiltImage,
    cancel: &CancellationToken,
) -> Result<(), Finding> {
    let practice = connected.kind == ClusterKind::Practice;
    let within = if practice || asks_a_tool(&connected.kind) {
        SHOWN_WITHIN
    } else {
        SHOWN_WITHIN_KUBELET
    };
    let deadline = Instant::now() + within;
    let mut news = nodes.subscribe();
    loop {
        if Listing::take(connected, nodes).await.has(image) == Verdict::Listed {
            return Ok(());
        }
        let wait_for_news = async {
            if asks_a_tool(&connected.kind) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            } else if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = wait_for_news => {}
            () = tokio::time::sleep_until(deadline) => {
                return Err(findings::not_in_cluster(component, image, within));
            }
            () = cancel.cancelled() => return Err(findings::not_in_cluster(component, image, within)),
        }
    }
}
