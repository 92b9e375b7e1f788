//! Images: what was built, and whether it is in the cluster's runtime.

use serde::{Deserialize, Serialize};

use super::{ComponentName, UnixMillis};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    pub component: ComponentName,
    /// The builder the next build takes.
    pub builder: Builder,
    /// The builders `slipway.toml` describes for it.
    #[serde(default)]
    pub builders: Vec<Builder>,
    /// Where its images go, as a phrase: `into minikube profile demo`; empty when nowhere.
    #[serde(default)]
    pub goes: String,
    /// How the image was found in the cluster, as a phrase; empty when it was not.
    #[serde(default)]
    pub proof: String,
    pub state: ImageState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builder {
    /// Daemonless: an already-built binary plus files become an OCI image.
    Pack,
    /// BuildKit through the docker CLI.
    Docker,
}

/// What becomes of a component whose image of exactly these sources is in the cluster already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rebuild {
    /// It is left alone.
    #[default]
    IfChanged,
    /// It is built all the same, every step anew and without the builder's cache.
    Anyway,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    NotBuilt,
    /// Built, but the cluster's runtime does not list it (any more).
    NotInCluster {
        image: BuiltImage,
        /// When it was seen there last: it was lost since, by a prune or a new node.
        #[serde(default)]
        lost: Option<UnixMillis>,
    },
    /// The image ID was read back from the cluster's runtime.
    InCluster {
        image: BuiltImage,
        proved: UnixMillis,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// With the content-derived tag: `todo-backend:3f9a0c12be77`.
    pub reference: String,
    /// `sha256:…` of the image's config.
    pub id: String,
    pub size_bytes: u64,
    pub built: UnixMillis,
    /// The user it runs as; empty or `0` is root.
    pub user: String,
}
