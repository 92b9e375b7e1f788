//! Pod templates inside manifests: where they are, and what Slipway writes into them.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{BuiltImage, ComponentName};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::identity::as_map;
use crate::project::{ComponentSpec, ProjectSpec};
use crate::secrets::fingerprint::{FINGERPRINT_ANNOTATION, FingerprintKey};
use crate::secrets::reads::{SecretRead, secret_reads};

/// The pod template of a workload, or the pod itself; none for other kinds.
pub fn template(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            Some(&object["spec"]["template"])
        }
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        "Pod" => Some(object),
        _ => None,
    }
    .filter(|template| template["spec"].is_object())
}

fn template_mut(object: &mut Value) -> Option<&mut Value> {
    template(object)?;
    match object["kind"].as_str()? {
        "CronJob" => Some(&mut object["spec"]["jobTemplate"]["spec"]["template"]),
        "Pod" => Some(object),
        _ => Some(&mut object["spec"]["template"]),
    }
}

/// The template's pod spec in typed form; none when it is not one (the API server will say why).
pub fn pod_spec(object: &Value) -> Option<PodSpec> {
    serde_json::from_value(template(object)?["spec"].clone()).ok()
}

/// What pods of this object read from Secrets.
pub fn reads(object: &Value) -> Vec<SecretRead> {
    pod_spec(object)
        .map(|spec| secret_reads(&spec))
        .unwrap_or_default()
}

/// What became of the images of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Components whose image was put in.
    pub placed: BTreeSet<ComponentName>,
    /// Components that are meant here, but whose image is not proved to be in the cluster.
    pub unproved: BTreeSet<ComponentName>,
}

/// Puts the proved images in the place of the components' images.
pub fn place_images(
    object: &mut Value,
    project: &ProjectSpec,
    proved: &BTreeMap<ComponentName, BuiltImage>,
) -> Placed {
    let workload = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut done = Placed::default();
    let Some(template) = template_mut(object) else {
        return done;
    };
    for list in ["initContainers", "containers"] {
        // `get_mut`, because indexing would put a `null` where nothing was.
        let containers = template
            .get_mut("spec")
            .and_then(|spec| spec.get_mut(list))
            .and_then(Value::as_array_mut);
        let Some(containers) = containers else {
            continue;
        };
        let alone = list == "containers" && containers.len() == 1;
        for container in containers {
            let Some(component) = component_of(container, project, alone.then_some(&workload))
            else {
                continue;
            };
            match proved.get(&component.name) {
                Some(image) => {
                    as_map(container)
                        .insert("image".to_owned(), Value::String(image.reference.clone()));
                    done.placed.insert(component.name.clone());
                }
                None => {
                    done.unproved.insert(component.name.clone());
                }
            }
        }
    }
    done
}

/// By the image's repository, else by the container's name, else (when the manifest names no image)
/// as the only container of a workload of that name.
fn component_of<'a>(
    container: &Value,
    project: &'a ProjectSpec,
    only_in: Option<&String>,
) -> Option<&'a ComponentSpec> {
    let image = container["image"].as_str().unwrap_or_default();
    if let Some(component) = project
        .component_of_image(image)
        .filter(|_| !image.is_empty())
    {
        return Some(component);
    }
    let by_name = |name: &str| {
        project
            .components
            .iter()
            .find(|component| component.name.as_str() == name)
    };
    container["name"]
        .as_str()
        .and_then(by_name)
        .or_else(|| by_name(only_in.filter(|_| image.is_empty())?))
}

/// What stands for the secret values that pods of this object will start with; none when they read
/// none, and none for a bare pod, which cannot be changed once it runs.
pub fn stamp_of(
    object: &Value,
    secret: &str,
    key: &FingerprintKey,
    fingerprints: &BTreeMap<String, String>,
) -> Option<String> {
    if object["kind"] == "Pod" {
        return None;
    }
    key.of_reads(secret, &reads(object), fingerprints)
}

/// Marks the template with what its pods will read from the project's Secret, so that changed
/// values make new pods.
pub fn stamp_fingerprint(
    object: &mut Value,
    secret: &str,
    key: &FingerprintKey,
    fingerprints: &BTreeMap<String, String>,
) {
    let Some(fingerprint) = stamp_of(object, secret, key, fingerprints) else {
        return;
    };
    if let Some(template) = template_mut(object) {
        let metadata = as_map(&mut template["metadata"]);
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        as_map(annotations).insert(
            FINGERPRINT_ANNOTATION.to_owned(),
            Value::String(fingerprint),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::{ProbePaths, UnixMillis};
    use serde_json::json;

    use crate::project::{DeploySpec, Expose};

    fn project() -> ProjectSpec {
        let component = |name: &str| ComponentSpec {
            name: name.parse().expect("a name"),
            image: format!("todo-{name}"),
            context: name.into(),
            dockerfile: None,
            port: 80,
            probes: ProbePaths::default(),
            expose: Expose::ClusterIp,
            size_budget_bytes: None,
            builder: None,
            build_args: Default::default(),
            build_secrets: vec![],
            pack: None,
        };
        ProjectSpec {
            name: "todo".into(),
            namespace: "todo".parse().expect("a name"),
            secret_name: "todo-secrets".into(),
            registry: None,
            components: vec![component("backend"), component("frontend")],
            secrets: vec![],
            deploy: DeploySpec::default(),
        }
    }

    fn deployment(image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "backend"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "backend", "image": image,
             "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "todo-secrets", "key": "A"}}}]},
            {"name": "proxy", "image": "envoy:1"}
        ]}}}})
    }

    fn built() -> BTreeMap<ComponentName, BuiltImage> {
        BTreeMap::from([(
            "backend".parse().expect("a name"),
            BuiltImage {
                reference: "todo-backend:abc".into(),
                id: "sha256:1".into(),
                size_bytes: 0,
                built: UnixMillis(0),
                user: String::new(),
            },
        )])
    }

    #[test]
    fn only_the_projects_own_images_are_replaced() {
        for image in ["todo-backend:dev", "todo-backend", "elsewhere/backend:1"] {
            let mut object = deployment(image);
            let done = place_images(&mut object, &project(), &built());
            let containers = &object["spec"]["template"]["spec"]["containers"];
            assert_eq!(containers[0]["image"], "todo-backend:abc", "{image}");
            assert_eq!(containers[1]["image"], "envoy:1");
            assert_eq!(done.placed.len(), 1);
        }
        let mut foreign = deployment("someone/else:1");
        foreign["spec"]["template"]["spec"]["containers"][0]["name"] = json!("other");
        assert_eq!(
            place_images(&mut foreign, &project(), &built()),
            Placed::default()
        );
    }

    #[test]
    fn an_image_that_is_not_proved_is_told_and_not_touched() {
        let mut object = deployment("todo-backend:dev");
        let done = place_images(&mut object, &project(), &BTreeMap::new());
        assert_eq!(done.unproved.len(), 1);
        assert_eq!(object, deployment("todo-backend:dev"));
    }

    #[test]
    fn the_fingerprint_changes_with_the_values_that_are_read() {
        let key = FingerprintKey::random();
        let stamped = |value: &str| {
            let mut object = deployment("x");
            let live = BTreeMap::from([("A".to_owned(), value.to_owned())]);
            stamp_fingerprint(&mut object, "todo-secrets", &key, &live);
            object["spec"]["template"]["metadata"]["annotations"][FINGERPRINT_ANNOTATION].clone()
        };
        assert!(stamped("1").is_string());
        assert_ne!(stamped("1"), stamped("2"));
        let mut other = deployment("x");
        stamp_fingerprint(&mut other, "another-secret", &key, &BTreeMap::new());
        assert_eq!(other, deployment("x"));
    }
}
