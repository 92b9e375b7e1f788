//! What the project is made of in the cluster, and how its objects hang together.

use serde::{Deserialize, Serialize};

use super::{ObjectKey, UnixMillis};

/// Objects and what connects them; the nodes of one Deployment stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceMap {
    pub nodes: Vec<MapNode>,
    pub edges: Vec<MapEdge>,
    pub read: UnixMillis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapNode {
    pub key: ObjectKey,
    pub state: MapState,
    /// In a few words: `2 of 2 pods ready`, `revision 3`.
    pub note: String,
}

/// How an object is, with the word for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapState {
    Well(String),
    Working(String),
    Attention(String),
    Failed(String),
    Off(String),
    /// It could not be asked for.
    Unknown(String),
}

/// From one node to another, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MapEdge {
    pub from: usize,
    pub to: usize,
    pub link: MapLink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapLink {
    /// The controller of.
    Owns,
    /// A Service sends its requests to.
    Selects,
    /// Values come from.
    Reads,
}

impl MapLink {
    pub fn words(self) -> &'static str {
        match self {
            Self::Owns => "owns",
            Self::Selects => "leads to",
            Self::Reads => "reads",
        }
    }
}
