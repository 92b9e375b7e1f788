//! Owner references: who controls an object, and how a controller marks what is its own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The one owner that manages the object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
}

/// Whether the object with this UID manages the object.
pub fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|owner| owner.uid == uid)
}

/// The reference a controller puts on what it creates or adopts.
pub fn controller_reference(api_version: &str, kind: &str, owner: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: owner.name.clone().unwrap_or_default(),
        uid: owner.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// What a controller should do about an object it found by selector or by ownership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours and stays ours.
    Keep,
    /// It has no controller and matches: take it.
    Adopt,
    /// It is ours but no longer matches: let it go.
    Release,
    /// It is none of our business.
    Ignore,
}

/// Decides about one object as the real controllers' reference manager does.
pub fn claim(owner: &ObjectMeta, object: &ObjectMeta, selector_matches: bool) -> Claim {
    let owner_going = owner.deletion_timestamp.is_some();
    match controller_of(object) {
        Some(controller) if Some(&controller.uid) != owner.uid.as_ref() => Claim::Ignore,
        Some(_) if selector_matches => Claim::Keep,
        Some(_) if owner_going => Claim::Ignore,
        Some(_) => Claim::Release,
        None if owner_going || !selector_matches => Claim::Ignore,
        None if object.deletion_timestamp.is_some() => Claim::Ignore,
        None => Claim::Adopt,
    }
}

/// The merge patch that adopts: the UID makes sure it is still the object we looked at.
pub fn adoption_patch(object: &ObjectMeta, reference: &OwnerReference) -> serde_json::Value {
    let mut references = object.owner_references.clone().unwrap_or_default();
    references.push(reference.clone());
    serde_json::json!({"metadata": {
        "ownerReferences": references,
        "uid": object.uid,
        "resourceVersion": object.resource_version,
    }})
}

/// The merge patch that lets go.
pub fn release_patch(object: &ObjectMeta, owner_uid: &str) -> serde_json::Value {
    let references: Vec<&OwnerReference> = object
        .owner_references
        .iter()
        .flatten()
        .filter(|reference| reference.uid != owner_uid)
        .collect();
    serde_json::json!({"metadata": {
        "ownerReferences": references,
        "uid": object.uid,
        "resourceVersion": object.resource_version,
    }})
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn meta(uid: &str) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.to_owned()),
            name: Some(uid.to_owned()),
            ..Default::default()
        }
    }

    fn owned(uid: &str, owner: &ObjectMeta) -> ObjectMeta {
        let reference = controller_reference("apps/v1", "ReplicaSet", owner);
        ObjectMeta {
            owner_references: Some(vec![reference]),
            ..meta(uid)
        }
    }

    fn going(meta: ObjectMeta) -> ObjectMeta {
        ObjectMeta {
            deletion_timestamp: Some(Time(Timestamp::UNIX_EPOCH)),
            ..meta
        }
    }

    #[test]
    fn orphans_are_adopted_only_by_a_living_matching_owner() {
        let owner = meta("rs");
        assert_eq!(claim(&owner, &meta("pod"), true), Claim::Adopt);
        assert_eq!(claim(&owner, &meta("pod"), false), Claim::Ignore);
        assert_eq!(claim(&owner, &going(meta("pod")), true), Claim::Ignore);
        assert_eq!(claim(&going(owner), &meta("pod"), true), Claim::Ignore);
    }

    #[test]
    fn own_objects_stay_until_their_labels_leave() {
        let owner = meta("rs");
        let pod = owned("pod", &owner);
        assert_eq!(claim(&owner, &pod, true), Claim::Keep);
        assert_eq!(claim(&owner, &pod, false), Claim::Release);
        assert_eq!(claim(&going(owner), &pod, false), Claim::Ignore);
        assert_eq!(claim(&meta("other"), &pod, true), Claim::Ignore);
    }

    #[test]
    fn letting_go_keeps_the_other_owners() {
        let owner = meta("rs");
        let mut pod = owned("pod", &owner);
        let other = OwnerReference {
            controller: None,
            ..controller_reference("v1", "ConfigMap", &meta("cm"))
        };
        pod.owner_references.as_mut().unwrap().push(other);
        let patch = release_patch(&pod, "rs");
        assert_eq!(
            patch["metadata"]["ownerReferences"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(patch["metadata"]["ownerReferences"][0]["uid"], "cm");
    }
}
