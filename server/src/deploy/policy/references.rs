//! ConfigMaps and Secrets that pods cannot start without, and their keys.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{Finding, NextAction, SecretKey, StepId, Subject};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::{Item, World, containers};

/// Something a pod reads when it starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub kind: &'static str,
    pub name: String,
    /// None: the object must be there, whatever is in it.
    pub key: Option<String>,
    pub optional: bool,
}

const CONFIG_MAP: &str = "ConfigMap";
const SECRET: &str = "Secret";

/// Everything a pod reads, by environment, volume or projected volume.
pub(super) fn references(spec: &PodSpec) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut add = |kind, name: &str, key: Option<&str>, optional: Option<bool>| {
        all.push(Reference {
            kind,
            name: name.to_owned(),
            key: key.map(str::to_owned),
            optional: optional.unwrap_or(false),
        });
    };
    for container in containers(spec) {
        for from in container.env_from.iter().flatten() {
            if let Some(map) = &from.config_map_ref {
                add(CONFIG_MAP, &map.name, None, map.optional);
            }
            if let Some(secret) = &from.secret_ref {
                add(SECRET, &secret.name, None, secret.optional);
            }
        }
        for from in container
            .env
            .iter()
            .flatten()
            .filter_map(|env| env.value_from.as_ref())
        {
            if let Some(map) = &from.config_map_key_ref {
                add(CONFIG_MAP, &map.name, Some(&map.key), map.optional);
            }
            if let Some(secret) = &from.secret_key_ref {
                add(SECRET, &secret.name, Some(&secret.key), secret.optional);
            }
        }
    }
    for volume in spec.volumes.iter().flatten() {
        if let Some(map) = &volume.config_map {
            add(CONFIG_MAP, &map.name, None, map.optional);
            for item in map.items.iter().flatten() {
                add(CONFIG_MAP, &map.name, Some(&item.key), map.optional);
            }
        }
        if let Some(secret) = &volume.secret
            && let Some(name) = &secret.secret_name
        {
            add(SECRET, name, None, secret.optional);
            for item in secret.items.iter().flatten() {
                add(SECRET, name, Some(&item.key), secret.optional);
            }
        }
        let sources = volume
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter().flatten());
        for source in sources {
            if let Some(map) = &source.config_map {
                add(CONFIG_MAP, &map.name, None, map.optional);
                for item in map.items.iter().flatten() {
                    add(CONFIG_MAP, &map.name, Some(&item.key), map.optional);
                }
            }
            if let Some(secret) = &source.secret {
                add(SECRET, &secret.name, None, secret.optional);
                for item in secret.items.iter().flatten() {
                    add(SECRET, &secret.name, Some(&item.key), secret.optional);
                }
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

/// What is missing: one finding for each object or key, with everybody who needs it.
pub(super) fn missing(items: &[Item<'_>], world: &World<'_>) -> Vec<Finding> {
    let mut needed: BTreeMap<(&'static str, String, Option<String>), Vec<String>> = BTreeMap::new();
    for item in items {
        let Some(spec) = item.pods() else { continue };
        for reference in references(&spec) {
            if reference.optional {
                continue;
            }
            for (key, is_there) in wanted_keys(items, world, &reference) {
                if !is_there {
                    let missing = (reference.kind, reference.name.clone(), key);
                    needed
                        .entry(missing)
                        .or_default()
                        .push(item.name().to_owned());
                }
            }
        }
    }
    // A key of an object that is missing altogether says nothing new.
    let whole: BTreeSet<(&str, String)> = needed
        .keys()
        .filter(|(_, _, key)| key.is_none())
        .map(|(kind, name, _)| (*kind, name.clone()))
        .collect();
    needed
        .into_iter()
        .filter(|((kind, name, key), _)| key.is_none() || !whole.contains(&(*kind, name.clone())))
        .map(|((kind, name, key), mut by)| {
            by.sort();
            by.dedup();
            finding(kind, &name, key.as_deref(), &by.join(" and "), world)
        })
        .collect()
}

/// The keys a reference asks for, with whether each is there; nothing when that is not known.
fn wanted_keys(
    items: &[Item<'_>],
    world: &World<'_>,
    reference: &Reference,
) -> Vec<(Option<String>, bool)> {
    let here = items
        .iter()
        .find(|item| item.kind() == reference.kind && item.name() == reference.name)
        .map(|item| Some(own_keys(item.object)));
    let known = world
        .keys
        .get(&(reference.kind, reference.name.clone()))
        .cloned();
    let Some(keys) = here.or(known) else {
        return Vec::new();
    };
    let is_projects = reference.kind == SECRET
        && world
            .project
            .is_some_and(|project| project.secret_name == reference.name);
    let Some(project) = world.project.filter(|_| is_projects) else {
        return match keys {
            None => vec![(None, false)],
            Some(keys) => {
                let is_there = reference.key.as_ref().is_none_or(|key| keys.contains(key));
                vec![(reference.key.clone(), is_there)]
            }
        };
    };
    // The project's own Secret is made by entering values, so it is its keys that are missing. What
    // must be in it for those who read all of it, the project says.
    let keys = keys.unwrap_or_default();
    let wanted: Vec<String> = match &reference.key {
        Some(key) => vec![key.clone()],
        None => project
            .secrets
            .iter()
            .filter(|secret| !secret.optional)
            .map(|secret| secret.key.to_string())
            .collect(),
    };
    wanted
        .into_iter()
        .map(|key| {
            let is_there = keys.contains(&key);
            (Some(key), is_there)
        })
        .collect()
}

fn own_keys(object: &Value) -> BTreeSet<String> {
    ["data", "stringData", "binaryData"]
        .iter()
        .filter_map(|field| object[*field].as_object())
        .flat_map(|map| map.keys().cloned())
        .collect()
}

fn finding(kind: &str, name: &str, key: Option<&str>, by: &str, world: &World<'_>) -> Finding {
    let subject = Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let is_projects = world
        .project
        .is_some_and(|project| kind == SECRET && project.secret_name == name);
    match (kind, key) {
        (SECRET, Some(key)) if is_projects => {
            let finding = Finding::new(
                "SECRET_KEY_MISSING",
                format!("{key} is not set"),
                format!(
                    "The pods of {by} read it from the Secret {name} and cannot start without it."
                ),
            );
            let subject = key
                .parse::<SecretKey>()
                .map_or(subject, |key| Subject::Secret { key });
            finding.about(subject).next(NextAction::Open {
                step: StepId::Secrets,
                label: format!("Set {key}"),
            })
        }
        (SECRET, Some(key)) => Finding::new(
            "SECRET_KEY_MISSING",
            format!("The Secret {name} has no key {key}"),
            format!("The pods of {by} read it and cannot start without it."),
        )
        .about(subject)
        .next(NextAction::advice(format!(
            "Add {key} to the Secret {name}, or mark the reference optional"
        ))),
        (SECRET, None) => Finding::new(
            "SECRET_OBJECT_MISSING",
            format!("The Secret {name} is not there"),
            format!("The pods of {by} read it and cannot start without it."),
        )
        .about(subject)
        .next(NextAction::advice(format!(
            "Make the Secret {name} in the namespace, or mark the reference optional"
        ))),
        (_, key) => Finding::new(
            "CONFIGMAP_MISSING",
            match key {
                Some(key) => format!("The ConfigMap {name} has no key {key}"),
                None => format!("The ConfigMap {name} is not there"),
            },
            format!("The pods of {by} read it and cannot start without it."),
        )
        .about(subject)
        .next(NextAction::advice(
            "Add it to the manifests, or correct its name",
        )),
    }
}
