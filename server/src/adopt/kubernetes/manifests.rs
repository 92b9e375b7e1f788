//! Manifests and kustomize folders: which of them are deployed, and what their workloads say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use app::model::{Guess, Note};
use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Found, LOCAL, Read, Workload, repository};
use crate::adopt::tree::{Tree, folder_of, is_below, name_of, shown};
use crate::deploy::manifests::{self, Manifest};
use crate::deploy::templates::{pod_spec, reads};

/// An object and the file it is in.
pub(super) struct Placed {
    manifest: Manifest,
    file: String,
}

fn is_yaml(path: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|end| path.ends_with(end))
}

pub(super) fn objects(tree: &Tree, charts: &[String], found: &mut Found) -> Vec<Placed> {
    let mut objects = Vec::new();
    for path in tree.files() {
        let in_chart = charts.iter().any(|chart| is_below(path, chart));
        let is_hidden = path.starts_with('.') && !path.starts_with(".k8s");
        if !is_yaml(path) || in_chart || is_hidden || is_kustomization(name_of(path)) {
            continue;
        }
        let Some(text) = tree.read(path) else {
            continue;
        };
        if !["apiVersion", "kind"].iter().all(|key| text.contains(key)) {
            continue;
        }
        let reading = manifests::read(&tree.root.join(path), Path::new(path));
        for finding in reading.findings {
            if finding.severity == app::model::Severity::Failed {
                found.notes.push(Note {
                    source: path.to_owned(),
                    text: format!("{}. {}", finding.what, finding.why),
                });
            }
        }
        let is_deployed = |manifest: &Manifest| {
            ![
                "skaffold/",
                "kind.x-k8s.io/",
                "kustomize.config",
                "tilt.dev",
                "backstage.io",
            ]
            .iter()
            .any(|start| manifest.api_version().starts_with(start))
        };
        objects.extend(
            reading
                .manifests
                .into_iter()
                .filter(is_deployed)
                .map(|manifest| Placed {
                    manifest,
                    file: path.to_owned(),
                }),
        );
    }
    objects
}

fn is_kustomization(name: &str) -> bool {
    matches!(
        name,
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

/// Which of the manifests are deployed, and how `slipway.toml` names them. The files that were chosen.
pub(super) fn choose(
    tree: &Tree,
    objects: &[Placed],
    charts: &[String],
    found: &mut Found,
) -> BTreeSet<String> {
    let kustomized: Vec<&str> = tree
        .files()
        .filter(|path| {
            is_kustomization(name_of(path)) && !charts.iter().any(|chart| is_below(path, chart))
        })
        .map(folder_of)
        .collect();
    if !kustomized.is_empty() {
        let local = LOCAL
            .iter()
            .find_map(|word| kustomized.iter().find(|folder| name_of(folder) == *word));
        let folder = local.or(kustomized.first()).copied().unwrap_or_default();
        let why = match kustomized.len() {
            1 => "A kustomize folder".to_owned(),
            many => format!(
                "The one of {many} kustomize folders that is for a cluster on this machine, by its name"
            ),
        };
        found.manifests = Some(Guess::new(shown(folder), why));
        let others = kustomized.iter().filter(|other| **other != folder);
        found.notes.extend(others.map(|other| Note {
            source: shown(other).to_owned(),
            text: format!("Another kustomize folder; {} was taken", shown(folder)),
        }));
        return objects.iter().map(|object| object.file.clone()).collect();
    }
    let mut files: BTreeSet<String> = objects.iter().map(|object| object.file.clone()).collect();
    without_twins(objects, &mut files, found);
    if files.is_empty() {
        return files;
    }
    let is_pure = |folder: &str| {
        !folder.is_empty()
            && tree
                .below(folder)
                .all(|path| !is_yaml(path) || files.contains(path))
    };
    let common = files
        .iter()
        .map(|file| folder_of(file).to_owned())
        .reduce(|a, b| common_folder(&a, &b))
        .unwrap_or_default();
    let paths: Vec<String> = if is_pure(&common) {
        vec![common]
    } else {
        let mut paths = BTreeSet::new();
        for file in &files {
            let folder = folder_of(file);
            paths.insert(if is_pure(folder) {
                folder.to_owned()
            } else {
                file.clone()
            });
        }
        paths.into_iter().collect()
    };
    let why = format!(
        "{} objects for Kubernetes in {} files",
        objects
            .iter()
            .filter(|object| files.contains(&object.file))
            .count(),
        files.len()
    );
    found.manifests = Some(Guess::new(paths.join(", "), why));
    files
}

/// The same object in two folders, as for development and production: the more local one stays.
fn without_twins(objects: &[Placed], files: &mut BTreeSet<String>, found: &mut Found) {
    let mut places: BTreeMap<(String, String, String), BTreeSet<&str>> = BTreeMap::new();
    for object in objects {
        let manifest = &object.manifest;
        let namespace = manifest.namespace().unwrap_or_default().to_owned();
        places
            .entry((
                manifest.kind().to_owned(),
                manifest.name().to_owned(),
                namespace,
            ))
            .or_default()
            .insert(folder_of(&object.file));
    }
    let rivals: BTreeSet<&str> = places
        .values()
        .filter(|folders| folders.len() > 1)
        .flatten()
        .copied()
        .collect();
    if rivals.is_empty() {
        return;
    }
    let stays = LOCAL
        .iter()
        .find_map(|word| rivals.iter().find(|folder| name_of(folder) == *word))
        .or(rivals.first())
        .copied()
        .unwrap_or_default()
        .to_owned();
    for folder in rivals.iter().filter(|folder| **folder != stays) {
        found.notes.push(Note {
            source: shown(folder).to_owned(),
            text: format!(
                "It has objects that {} has too, so only that one is deployed",
                shown(&stays)
            ),
        });
        files.retain(|file| folder_of(file) != *folder);
    }
}

fn common_folder(a: &str, b: &str) -> String {
    a.split('/')
        .zip(b.split('/'))
        .take_while(|(a, b)| a == b && !a.is_empty())
        .map(|(part, _)| part)
        .collect::<Vec<_>>()
        .join("/")
}

pub(super) fn workloads(objects: &[Placed], chosen: &BTreeSet<String>, found: &mut Found) {
    let of_chosen = || {
        objects
            .iter()
            .filter(|object| chosen.contains(&object.file))
    };
    let mut seen = BTreeSet::new();
    for object in of_chosen() {
        let manifest = &object.manifest;
        let source = &manifest.source;
        if manifest.kind() == "Namespace" || manifest.namespace().is_some() {
            let name = manifest.namespace().unwrap_or(manifest.name());
            found
                .namespace
                .get_or_insert_with(|| Guess::new(name, format!("{source} is in it")));
        }
        let Some(spec) = pod_spec(&manifest.object) else {
            continue;
        };
        for read in reads(&manifest.object) {
            if let Some(key) = read.key {
                found.reads.push(Read {
                    secret: read.secret,
                    key,
                    optional: read.optional,
                    workload: Some(manifest.name().to_owned()),
                    source: source.clone(),
                });
            }
        }
        if matches!(manifest.kind(), "Deployment" | "StatefulSet" | "DaemonSet")
            && seen.insert(manifest.name().to_owned())
            && let Some(workload) = of_manifest(manifest, &spec, of_chosen())
        {
            found.workloads.push(workload);
        }
    }
}

fn of_manifest<'a>(
    manifest: &Manifest,
    spec: &PodSpec,
    objects: impl Iterator<Item = &'a Placed>,
) -> Option<Workload> {
    let container = spec.containers.first()?;
    let source = &manifest.source;
    let why = format!("{source} says so");
    let asks = |probe: &Option<Probe>| {
        let path = probe.as_ref()?.http_get.as_ref()?.path.clone()?;
        path.starts_with('/').then(|| Guess::new(path, why.clone()))
    };
    let port = container
        .ports
        .iter()
        .flatten()
        .next()
        .map(|port| port.container_port)
        .or_else(|| probed_port(container));
    let labels = &manifest.object["spec"]["template"]["metadata"]["labels"];
    let service = objects
        .filter(|object| object.manifest.kind() == "Service")
        .find(|object| {
            let selector = object.manifest.object["spec"]["selector"].as_object();
            selector.is_some_and(|selector| {
                !selector.is_empty() && selector.iter().all(|(name, value)| &labels[name] == value)
            })
        })
        .map(|object| {
            let kind = object.manifest.object["spec"]["type"]
                .as_str()
                .unwrap_or("ClusterIP");
            Guess::new(kind, format!("The Service in {}", object.manifest.source))
        })
        .filter(|kind| {
            matches!(
                kind.value.as_str(),
                "ClusterIP" | "NodePort" | "LoadBalancer"
            )
        });
    Some(Workload {
        name: manifest.name().to_owned(),
        image: repository(container.image.as_deref().unwrap_or_default()),
        source: source.clone(),
        port: port
            .filter(|port| (1..65_536).contains(port))
            .map(|port| Guess::new(port.to_string(), why.clone())),
        startup: asks(&container.startup_probe),
        liveness: asks(&container.liveness_probe),
        readiness: asks(&container.readiness_probe),
        service,
    })
}

fn probed_port(container: &Container) -> Option<i32> {
    let probe = container
        .readiness_probe
        .as_ref()
        .or(container.liveness_probe.as_ref())?;
    match probe.http_get.as_ref()?.port {
        IntOrString::Int(port) => Some(port),
        IntOrString::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::common_folder;

    #[test]
    fn the_folder_in_common_is_made_of_whole_names() {
        assert_eq!(common_folder("a/b/c", "a/b"), "a/b");
        assert_eq!(common_folder("a/bc", "a/b"), "a");
        assert_eq!(common_folder("", "a"), "");
    }
}
