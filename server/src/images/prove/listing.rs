//! What the cluster lists at one moment, asked of whoever knows best.

use std::sync::Arc;

use app::model::{BuiltImage, ClusterKind};
use practice::images::ImageStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::same_id;
use crate::adapters::docker::{self, Daemon};
use crate::adapters::listed_image::ListedImage;
use crate::adapters::{kind, minikube};
use crate::cluster::Connected;
use crate::images::nodes::NodeImages;
use crate::process;

/// Who is asked.
#[derive(Clone, Debug)]
pub enum Source {
    /// The practice cluster's store is ours to read.
    Practice(ImageStore),
    /// minikube asks the runtime itself.
    Minikube { profile: String },
    /// The nodes are containers of the local daemon: their runtime is asked inside them.
    NodeContainers,
    /// Only the API server, which knows what the kubelets told it.
    Nodes,
}

impl Source {
    pub fn of(connected: &Connected) -> Self {
        let here = |program: &str| process::find_on_path(program).is_some();
        match (&connected.kind, &connected.practice) {
            (ClusterKind::Practice, Some(store)) => Self::Practice(store.clone()),
            (ClusterKind::Minikube { profile }, _) if here("minikube") => Self::Minikube {
                profile: profile.clone(),
            },
            (ClusterKind::Kind { .. } | ClusterKind::K3d { .. }, _) if here("docker") => {
                Self::NodeContainers
            }
            _ => Self::Nodes,
        }
    }

    /// Whether it has to be asked again and again: it tells nothing by itself.
    pub fn must_be_polled(&self) -> bool {
        matches!(self, Self::Minikube { .. } | Self::NodeContainers)
    }
}

/// Whether an image is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Listed,
    NotListed,
    /// Nobody answered, or the list may be cut.
    Unknown,
}

/// The lists of one moment.
#[derive(Debug)]
pub struct Listing {
    source: Source,
    nodes: Arc<NodeImages>,
    /// One list for each runtime that was asked; none when not all of them answered.
    runtimes: Option<Vec<Vec<ListedImage>>>,
}

impl Listing {
    /// Asks now.
    pub async fn take(source: &Source, nodes: &watch::Sender<Arc<NodeImages>>) -> Self {
        let nodes = Arc::clone(&nodes.borrow());
        let runtimes = match source {
            Source::Minikube { profile } => ask_minikube(profile).await.map(|list| vec![list]),
            Source::NodeContainers => ask_nodes(&nodes).await,
            Source::Practice(_) | Source::Nodes => None,
        };
        Self {
            source: source.clone(),
            nodes,
            runtimes,
        }
    }

    /// Whether this image is in the cluster.
    pub fn has(&self, image: &BuiltImage) -> Verdict {
        if let Some(runtimes) = &self.runtimes {
            let found = runtimes.iter().all(|list| {
                list.iter()
                    .any(|one| one.is_called(&image.reference) && same_id(&one.id, image))
            });
            return if found {
                Verdict::Listed
            } else {
                Verdict::NotListed
            };
        }
        if !self.nodes.heard {
            return Verdict::Unknown;
        }
        if self.nodes.has(&image.reference) {
            return match &self.source {
                Source::Practice(store) if !store_has(store, image) => Verdict::NotListed,
                _ => Verdict::Listed,
            };
        }
        if let Some((_, digest)) = image.reference.split_once('@')
            && self.nodes.has_pulled(digest)
        {
            return Verdict::Listed;
        }
        match self.source {
            // It did not answer, and the kubelets' lists are not trusted for an absence.
            Source::Minikube { .. } | Source::NodeContainers | Source::Nodes => Verdict::Unknown,
            Source::Practice(_) if self.nodes.may_be_cut() => Verdict::Unknown,
            Source::Practice(_) => Verdict::NotListed,
        }
    }

    /// Who showed it, as the proof.
    pub fn proof(&self) -> String {
        match (&self.source, &self.runtimes) {
            (Source::Practice(_), _) => {
                "its ID was read back from the practice cluster's store".to_owned()
            }
            (Source::Minikube { .. }, Some(_)) => "its ID stands in `minikube image ls`".to_owned(),
            (_, Some(runtimes)) => match runtimes.len() {
                1 => "its ID was read back from the node's runtime".to_owned(),
                count => format!("its ID was read back from the runtimes of {count} nodes"),
            },
            (_, None) => "the nodes list it".to_owned(),
        }
    }

    /// What comes nearest to the image that is not there, for the finding.
    pub fn nearest(&self, image: &BuiltImage) -> String {
        let other = self
            .runtimes
            .iter()
            .flatten()
            .flatten()
            .find(|one| one.is_called(&image.reference));
        match (other, &self.runtimes) {
            (Some(other), _) if !same_id(&other.id, image) => {
                format!(
                    "Under that name the cluster has another image, {}",
                    other.id
                )
            }
            (Some(_), _) => "Not all nodes have it".to_owned(),
            (None, Some(_)) => "The cluster's runtime has no image of that name".to_owned(),
            (None, None) => "The cluster does not list an image of that name".to_owned(),
        }
    }
}

fn store_has(store: &ImageStore, image: &BuiltImage) -> bool {
    store
        .resolve(&image.reference)
        .ok()
        .flatten()
        .is_some_and(|record| same_id(&record.id, image))
}

async fn ask_minikube(profile: &str) -> Option<Vec<ListedImage>> {
    let cancel = CancellationToken::new();
    let captured = process::capture(&minikube::image_list(profile), &cancel)
        .await
        .ok()?;
    // A cluster that does not run gives an empty list with exit code 0; one that runs has images of
    // its own.
    minikube::parse_image_list(&captured.stdout).filter(|images| !images.is_empty())
}

/// None unless every node answered.
async fn ask_nodes(nodes: &NodeImages) -> Option<Vec<Vec<ListedImage>>> {
    let cancel = CancellationToken::new();
    let mut lists = Vec::new();
    for node in nodes.names() {
        let captured = process::capture(&docker::node_images(&Daemon::Users, node), &cancel)
            .await
            .ok()
            .filter(|captured| captured.ending.is_success())?;
        lists.push(kind::parse_crictl_images(&captured.stdout)?);
    }
    (!lists.is_empty()).then_some(lists)
}
