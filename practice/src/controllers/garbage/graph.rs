//! Who owns whom: every object by its UID, and the owners it names.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::controllers::cluster::ServedKind;

/// Keeps an object until its dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Keeps an object until its dependents are let go.
pub const ORPHAN: &str = "orphan";

/// What the collector knows of one object.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: ServedKind,
    pub namespace: Option<String>,
    pub name: String,
    pub owners: Vec<OwnerReference>,
    pub finalizers: Vec<String>,
    pub deleting: bool,
}

impl Item {
    /// What matters of an object's metadata.
    pub fn new(kind: ServedKind, meta: &ObjectMeta) -> Self {
        Self {
            kind,
            namespace: meta.namespace.clone(),
            name: meta.name.clone().unwrap_or_default(),
            owners: meta.owner_references.clone().unwrap_or_default(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    /// Goes, but only after its dependents.
    pub fn waits_for_dependents(&self) -> bool {
        self.deleting
            && self
                .finalizers
                .iter()
                .any(|finalizer| finalizer == FOREGROUND)
    }

    /// Goes, after letting its dependents go.
    pub fn orphans_dependents(&self) -> bool {
        self.deleting && self.finalizers.iter().any(|finalizer| finalizer == ORPHAN)
    }

    /// Whether this object holds its owner's foreground deletion up.
    pub fn blocks(&self, owner_uid: &str) -> bool {
        self.owners
            .iter()
            .any(|owner| owner.uid == owner_uid && owner.block_owner_deletion == Some(true))
    }
}

/// All objects and their dependents.
#[derive(Debug, Default)]
pub struct Graph {
    items: HashMap<String, Item>,
    dependents: HashMap<String, HashSet<String>>,
}

impl Graph {
    /// The object with this UID.
    pub fn item(&self, uid: &str) -> Option<&Item> {
        self.items.get(uid)
    }

    /// The UIDs of the objects that name this one as an owner.
    pub fn dependents(&self, uid: &str) -> Vec<String> {
        self.dependents
            .get(uid)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Takes an object's new state; says which UIDs need a look because of it.
    pub fn put(&mut self, uid: &str, item: Item) -> Vec<String> {
        let mut look = Vec::new();
        let before = self
            .items
            .remove(uid)
            .map(|old| old.owners)
            .unwrap_or_default();
        for owner in before.iter().filter(|owner| !item.owners.contains(owner)) {
            self.unlink(&owner.uid, uid, &item, &mut look);
        }
        for owner in &item.owners {
            self.dependents
                .entry(owner.uid.clone())
                .or_default()
                .insert(uid.to_owned());
            if self
                .items
                .get(&owner.uid)
                .is_some_and(Item::waits_for_dependents)
            {
                look.push(owner.uid.clone());
            }
        }
        if !item.owners.is_empty() || item.waits_for_dependents() || item.orphans_dependents() {
            look.push(uid.to_owned());
        }
        if item.waits_for_dependents() {
            look.extend(self.dependents(uid));
        }
        self.items.insert(uid.to_owned(), item);
        look
    }

    /// The reference from `uid` to `owner` is gone or changed.
    fn unlink(&mut self, owner: &str, uid: &str, item: &Item, look: &mut Vec<String>) {
        if !item.owners.iter().any(|still| still.uid == owner)
            && let Some(dependents) = self.dependents.get_mut(owner)
        {
            dependents.remove(uid);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
        look.push(owner.to_owned());
    }

    /// Takes an object's end; says which UIDs need a look because of it.
    pub fn remove(&mut self, uid: &str) -> Vec<String> {
        let mut look = self.dependents(uid);
        if let Some(item) = self.items.remove(uid) {
            for owner in item.owners {
                if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                    dependents.remove(uid);
                    if dependents.is_empty() {
                        self.dependents.remove(&owner.uid);
                    }
                }
                look.push(owner.uid);
            }
        }
        look
    }

    /// Whether a dependent that must go first is still there.
    pub fn is_blocked(&self, uid: &str) -> bool {
        self.dependents
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|dependent| self.items.get(dependent))
            .any(|dependent| dependent.blocks(uid))
    }
}

/// What an owner's state means for its dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// It exists and stays.
    Solid,
    /// It waits for its dependents to go.
    Waiting,
    /// It is gone, or another object has its name.
    Absent,
}

/// What to do about an object, given its owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    /// Somebody still needs it: drop the references to these UIDs.
    DropOwners(Vec<String>),
    /// Delete; in the foreground when a waiting owner must also wait for what it owns itself.
    Delete {
        foreground: bool,
    },
}

/// Decides about one object.
pub fn judge(owners: &[(String, OwnerState)], has_dependents: bool) -> Verdict {
    if owners.is_empty() {
        return Verdict::Keep;
    }
    let solid = owners.iter().any(|(_, state)| *state == OwnerState::Solid);
    let others: Vec<String> = owners
        .iter()
        .filter(|(_, state)| *state != OwnerState::Solid)
        .map(|(uid, _)| uid.clone())
        .collect();
    match (solid, others.is_empty()) {
        (true, true) => Verdict::Keep,
        (true, false) => Verdict::DropOwners(others),
        (false, _) => {
            let waiting = owners
                .iter()
                .any(|(_, state)| *state == OwnerState::Waiting);
            Verdict::Delete {
                foreground: waiting && has_dependents,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};

    use super::*;

    fn kind() -> ServedKind {
        let gvk = GroupVersionKind::gvk("", "v1", "ConfigMap");
        ServedKind {
            resource: ApiResource::from_gvk_with_plural(&gvk, "configmaps"),
            namespaced: true,
        }
    }

    fn item(owners: &[(&str, bool)]) -> Item {
        let owners = owners.iter().map(|(uid, block)| OwnerReference {
            uid: (*uid).to_owned(),
            block_owner_deletion: Some(*block),
            ..OwnerReference::default()
        });
        Item::new(
            kind(),
            &ObjectMeta {
                owner_references: Some(owners.collect()),
                ..ObjectMeta::default()
            },
        )
    }

    fn owners(states: &[OwnerState]) -> Vec<(String, OwnerState)> {
        states
            .iter()
            .enumerate()
            .map(|(at, state)| (at.to_string(), *state))
            .collect()
    }

    #[test]
    fn one_living_owner_is_enough_to_stay() {
        use OwnerState::{Absent, Solid, Waiting};
        assert_eq!(judge(&[], true), Verdict::Keep);
        assert_eq!(judge(&owners(&[Solid]), true), Verdict::Keep);
        let drop = Verdict::DropOwners(vec!["1".to_owned(), "2".to_owned()]);
        assert_eq!(judge(&owners(&[Solid, Absent, Waiting]), true), drop);
        assert_eq!(
            judge(&owners(&[Absent]), true),
            Verdict::Delete { foreground: false }
        );
        assert_eq!(
            judge(&owners(&[Waiting]), true),
            Verdict::Delete { foreground: true }
        );
        assert_eq!(
            judge(&owners(&[Waiting]), false),
            Verdict::Delete { foreground: false }
        );
    }

    #[test]
    fn the_end_of_an_owner_wakes_its_dependents() {
        let mut graph = Graph::default();
        graph.put("owner", item(&[]));
        assert_eq!(graph.put("pod", item(&[("owner", true)])), ["pod"]);
        assert!(graph.is_blocked("owner"));
        assert_eq!(graph.remove("owner"), ["pod"]);
        assert!(graph.item("owner").is_none());
    }

    #[test]
    fn only_blocking_dependents_hold_an_owner() {
        let mut graph = Graph::default();
        graph.put("owner", item(&[]));
        graph.put("free", item(&[("owner", false)]));
        assert!(!graph.is_blocked("owner"));
        graph.put("bound", item(&[("owner", true)]));
        assert!(graph.is_blocked("owner"));
        assert_eq!(
            graph.put("bound", item(&[("owner", false)])),
            ["owner", "bound"]
        );
        assert!(!graph.is_blocked("owner"));
        graph.remove("free");
        graph.remove("bound");
        assert!(graph.dependents("owner").is_empty());
    }
}
