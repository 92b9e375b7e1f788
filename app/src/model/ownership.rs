//! Who the objects of a project belong to, and how they change hands.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Finding, UnixMillis};

/// How a project gets into the cluster. One project, one owner: never both at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployMode {
    /// Server-side apply of the manifests by Slipway itself.
    Raw,
    /// A release of the user's own `helm`.
    Helm,
}

impl DeployMode {
    pub fn title(self) -> &'static str {
        match self {
            Self::Raw => "Raw",
            Self::Helm => "Helm",
        }
    }
}

/// Who keeps an object as it is, read from its labels, annotations and managed fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Slipway's raw deploys of this project.
    Raw,
    /// Slipway's raw deploys of another project.
    OtherProject { project: String },
    /// A Helm release.
    Helm { release: String, namespace: String },
    /// `kubectl apply`, from the client side.
    KubectlApply,
    /// A tool that puts the object back by itself, such as Argo CD or Flux.
    Controller { name: String },
    /// Anything else, by the field manager that wrote most recently; such as `kubectl-create`.
    Other { manager: String },
}

impl Owner {
    /// For a sentence: "Helm release web".
    pub fn title(&self) -> String {
        match self {
            Self::Raw => "Slipway".to_owned(),
            Self::OtherProject { project } => format!("Slipway project {project}"),
            Self::Helm { release, .. } => format!("Helm release {release}"),
            Self::KubectlApply => "kubectl apply".to_owned(),
            Self::Controller { name } => name.clone(),
            Self::Other { manager } => manager.clone(),
        }
    }

    /// The mode this owner stands for, when it is one of this project's two.
    pub fn mode(&self) -> Option<DeployMode> {
        match self {
            Self::Raw => Some(DeployMode::Raw),
            Self::Helm { .. } => Some(DeployMode::Helm),
            _ => None,
        }
    }
}

/// Names one object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    pub api_version: String,
    pub kind: String,
    /// Empty for objects outside namespaces.
    pub namespace: String,
    pub name: String,
}

impl ObjectId {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Whether both name the same object, whatever version of the API each speaks.
    pub fn is_same(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedObject {
    pub id: ObjectId,
    pub owner: Owner,
}

/// Everything in the project's namespace that someone deployed, by owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipView {
    pub objects: Vec<OwnedObject>,
    /// A change of hands that was broken off; the same wish finishes it.
    pub unfinished: Option<Handover>,
}

impl OwnershipView {
    /// How many objects each owner has.
    pub fn owners(&self) -> BTreeMap<&Owner, usize> {
        let mut owners = BTreeMap::new();
        for object in &self.objects {
            *owners.entry(&object.owner).or_default() += 1;
        }
        owners
    }

    /// The mode the project is deployed by; none when by neither, or by both.
    pub fn mode(&self) -> Option<DeployMode> {
        let mut modes = self.objects.iter().filter_map(|object| object.owner.mode());
        let first = modes.next()?;
        modes.all(|mode| mode == first).then_some(first)
    }
}

/// What becomes of one object when the project changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoverAct {
    /// The new owner gets it as it is: no pod restarts.
    Take,
    /// The new owner does not know it: it is deleted.
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoverObject {
    pub id: ObjectId,
    pub from: Owner,
    pub act: HandoverAct,
}

/// A change of hands, as it is planned, confirmed and remembered until it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Stands for exactly this plan.
    pub hash: String,
    pub at: UnixMillis,
    pub to: DeployMode,
    /// The Helm release that is left or entered; none when no release has a part in it.
    pub release: Option<String>,
    pub objects: Vec<HandoverObject>,
    /// What is forgotten at the end, in words: `3 revision records of release web`.
    pub forgets: Option<String>,
    /// What stands in the way; a `Failed` one stops it.
    pub findings: Vec<Finding>,
}

impl Handover {
    pub fn count(&self, act: HandoverAct) -> usize {
        self.objects
            .iter()
            .filter(|object| object.act == act)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, owner: Owner) -> OwnedObject {
        OwnedObject {
            id: ObjectId {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "todo".into(),
                name: name.into(),
            },
            owner,
        }
    }

    #[test]
    fn a_project_in_two_hands_has_no_mode() {
        let helm = Owner::Helm {
            release: "web".into(),
            namespace: "todo".into(),
        };
        let mut view = OwnershipView::default();
        assert_eq!(view.mode(), None);
        view.objects.push(object("a", Owner::KubectlApply));
        view.objects.push(object("b", Owner::Raw));
        assert_eq!(view.mode(), Some(DeployMode::Raw));
        view.objects.push(object("c", helm.clone()));
        assert_eq!(view.mode(), None);
        assert_eq!(view.owners()[&helm], 1);
    }

    #[test]
    fn another_version_of_the_api_is_the_same_object() {
        let mut one = object("a", Owner::Raw).id;
        one.api_version = "autoscaling/v2".into();
        let mut two = one.clone();
        two.api_version = "autoscaling/v1".into();
        assert!(one.is_same(&two));
        two.api_version = "v1".into();
        assert!(!one.is_same(&two));
    }
}
