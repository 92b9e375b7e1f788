//! What is wrong with objects before they run: rules of our own, each with the evidence and a fix.
//! A finding without `.attention()` stops the deploy, because it could not work; advice does not.

mod api_versions;
mod pods;
mod references;
mod rollout;
mod services;
#[cfg(test)]
mod tests;
pub mod world;

use std::collections::HashMap;

use app::model::{Finding, NextAction, Subject};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::{Value, json};

use super::templates::{pod_spec, template};
pub use world::World;

/// An object as it will be applied, and where it comes from.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    pub object: &'a Value,
    pub source: &'a str,
}

impl Item<'_> {
    fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn api_version(&self) -> &str {
        self.object["apiVersion"].as_str().unwrap_or_default()
    }

    fn pods(&self) -> Option<PodSpec> {
        pod_spec(self.object)
    }

    fn labels(&self) -> Option<&Value> {
        template(self.object).map(|template| &template["metadata"]["labels"])
    }

    /// The file without the line.
    fn file(&self) -> &str {
        self.source
            .rsplit_once(':')
            .map_or(self.source, |(file, _)| file)
    }

    fn about(&self, finding: Finding) -> Finding {
        finding.about(Subject::Object {
            kind: self.kind().to_owned(),
            name: self.name().to_owned(),
        })
    }

    /// A fix as a piece of YAML to merge into the manifest.
    fn patch(&self, patch: &Value) -> NextAction {
        NextAction::Patch {
            file: self.file().to_owned(),
            patch: serde_yaml::to_string(patch).unwrap_or_default(),
        }
    }

    /// A fix of the pod spec, wrapped in what is around it in this kind.
    fn pod_patch(&self, pod: &Value) -> NextAction {
        let template = json!({"spec": pod});
        self.patch(&match self.kind() {
            "Pod" => template,
            "CronJob" => json!({"spec": {"jobTemplate": {"spec": {"template": template}}}}),
            _ => json!({"spec": {"template": template}}),
        })
    }

    /// A fix of some containers, by their names.
    fn container_patch(&self, names: &[&str], fix: &Value) -> NextAction {
        let containers: Vec<Value> = names
            .iter()
            .map(|name| {
                let mut container = json!({"name": name});
                if let (Some(all), Some(fix)) = (container.as_object_mut(), fix.as_object()) {
                    all.extend(fix.clone());
                }
                container
            })
            .collect();
        self.pod_patch(&json!({"containers": containers}))
    }

    fn is_long_running(&self) -> bool {
        matches!(
            self.kind(),
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
        )
    }
}

/// All containers of a pod, those that run first among them.
fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
}

/// Looks at the objects taken together. The same findings in the same order every time.
pub fn check(items: &[Item<'_>], world: &World<'_>) -> Vec<Finding> {
    let mut findings = doubles(items);
    findings.extend(references::missing(items, world));
    for item in items {
        findings.extend(pods::check(item, world));
        findings.extend(api_versions::check(item, world));
        findings.extend(rollout::downtime(item));
        findings.extend(rollout::budget(item, items));
        if item.kind() == "Service" {
            findings.extend(services::check(item, items, world));
        }
    }
    findings
}

/// The same object twice: which one wins would be chance.
fn doubles(items: &[Item<'_>]) -> Vec<Finding> {
    let mut seen = HashMap::new();
    let mut findings = Vec::new();
    for item in items {
        let namespace = &item.object["metadata"]["namespace"];
        let key = (
            item.api_version(),
            item.kind(),
            namespace.to_string(),
            item.name(),
        );
        if let Some(first) = seen.insert(key, item.source) {
            findings.push(double(item.kind(), item.name(), first, item.source));
        }
    }
    findings
}

/// Two documents describe one object.
fn double(kind: &str, name: &str, first: &str, second: &str) -> Finding {
    Finding::new(
        "MANIFEST_DOUBLE",
        format!("{kind} {name} is there twice"),
        format!("{first} and {second} describe the same object; which one wins would be chance."),
    )
    .about(Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
    .next(NextAction::advice("Remove one of them"))
}
