//! The proved images as values: where the chart takes a component's image from, and whether what it
//! renders really uses it.

use std::collections::BTreeMap;

use app::model::{BuiltImage, ComponentName};
use serde_json::{Map, Value};

use super::layers::{at, put};
use crate::deploy::templates::pod_spec;
use crate::project::ProjectSpec;

/// How a chart takes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// `repository` and `tag` of their own.
    Parts,
    /// One text.
    Whole,
}

/// The place of a component's image in the chart's values: the one named in `slipway.toml`, else
/// `COMPONENT.image`, else `image` when the project has one component only.
pub fn image_path(
    component: &ComponentName,
    project: &ProjectSpec,
    defaults: &Map<String, Value>,
) -> Option<Vec<String>> {
    let named = project.deploy.image_values.get(component);
    if let Some(named) = named {
        return Some(named.split('.').map(str::to_owned).collect());
    }
    let usual = vec![component.to_string(), "image".to_owned()];
    let alone = vec!["image".to_owned()];
    let camel = vec![camel_case(component.as_str()), "image".to_owned()];
    [usual, camel]
        .into_iter()
        .chain((project.components.len() == 1).then_some(alone))
        .find(|path| at(defaults, path).and_then(shape).is_some())
}

/// `my-api` is `myApi` in most charts: a dash cannot be written in a template's path.
fn camel_case(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .filter_map(|c| {
            if c == '-' {
                upper = true;
                return None;
            }
            Some(if std::mem::take(&mut upper) {
                c.to_ascii_uppercase()
            } else {
                c
            })
        })
        .collect()
}

fn shape(value: &Value) -> Option<Shape> {
    match value {
        Value::Object(map) if map.contains_key("repository") || map.contains_key("tag") => {
            Some(Shape::Parts)
        }
        Value::String(_) => Some(Shape::Whole),
        _ => None,
    }
}

/// What becomes of the images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageValues {
    pub values: Map<String, Value>,
    /// Components whose image is not proved to be in the cluster.
    pub unproved: Vec<ComponentName>,
    /// Components that no value of the chart takes an image for.
    pub placeless: Vec<ComponentName>,
}

/// The values that make the chart use the proved images.
pub fn image_values(
    project: &ProjectSpec,
    defaults: &Map<String, Value>,
    proved: &BTreeMap<ComponentName, BuiltImage>,
) -> ImageValues {
    let mut found = ImageValues::default();
    for component in &project.components {
        let name = &component.name;
        let Some(image) = proved.get(name) else {
            found.unproved.push(name.clone());
            continue;
        };
        let Some(path) = image_path(name, project, defaults) else {
            found.placeless.push(name.clone());
            continue;
        };
        let there = at(defaults, &path);
        match there.and_then(shape).unwrap_or(Shape::Parts) {
            Shape::Whole => put(
                &mut found.values,
                &path,
                Value::String(image.reference.clone()),
            ),
            Shape::Parts => {
                let (repository, tag) = split(&image.reference);
                let mut set = |key: &str, value: &str| {
                    let mut path = path.clone();
                    path.push(key.to_owned());
                    put(&mut found.values, &path, Value::String(value.to_owned()));
                };
                set("repository", repository);
                set("tag", tag);
                let map = there.and_then(Value::as_object);
                for (key, value) in [("registry", ""), ("digest", "")] {
                    // A registry in front, or a digest behind, would make it another image.
                    if map.is_some_and(|map| map.contains_key(key)) {
                        set(key, value);
                    }
                }
            }
        }
    }
    found
}

/// `registry:5000/app:tag` in two: the last colon after the last slash divides.
fn split(reference: &str) -> (&str, &str) {
    let name_from = reference.rfind('/').map_or(0, |at| at + 1);
    match reference[name_from..].rfind(':') {
        Some(at) => (
            &reference[..name_from + at],
            &reference[name_from + at + 1..],
        ),
        None => (reference, "latest"),
    }
}

/// Components whose proved image no rendered pod uses, with the images that are used for it instead.
pub fn unused(
    rendered: &[&Value],
    project: &ProjectSpec,
    proved: &BTreeMap<ComponentName, BuiltImage>,
) -> Vec<(ComponentName, Vec<String>)> {
    let images: Vec<String> = rendered
        .iter()
        .filter_map(|object| pod_spec(object))
        .flat_map(|spec| {
            let first = spec.init_containers.unwrap_or_default();
            first.into_iter().chain(spec.containers)
        })
        .filter_map(|container| container.image)
        .collect();
    proved
        .iter()
        .filter_map(|(name, image)| {
            let wanted = practice::images::normalize(&image.reference);
            if images
                .iter()
                .any(|used| practice::images::normalize(used) == wanted)
            {
                return None;
            }
            let instead = images
                .iter()
                .filter(|used| {
                    project
                        .component_of_image(used)
                        .is_some_and(|component| component.name == *name)
                })
                .cloned()
                .collect();
            Some((name.clone(), instead))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::{ProbePaths, UnixMillis};
    use serde_json::json;

    fn project(names: &[&str]) -> ProjectSpec {
        ProjectSpec {
            name: "p".into(),
            namespace: "p".parse().expect("a name"),
            secret_name: "s".into(),
            registry: None,
            components: names
                .iter()
                .map(|name| crate::project::ComponentSpec {
                    name: name.parse().expect("a name"),
                    image: format!("p-{name}"),
                    context: ".".into(),
                    dockerfile: None,
                    port: 80,
                    probes: ProbePaths::default(),
                    expose: crate::project::Expose::ClusterIp,
                    size_budget_bytes: None,
                    builder: None,
                    build_args: BTreeMap::new(),
                    build_secrets: vec![],
                    pack: None,
                })
                .collect(),
            secrets: vec![],
            deploy: Default::default(),
        }
    }

    fn proved(names: &[&str]) -> BTreeMap<ComponentName, BuiltImage> {
        names
            .iter()
            .map(|name| {
                let image = BuiltImage {
                    reference: format!("localhost:5000/p-{name}:abc123"),
                    id: "sha256:1".into(),
                    size_bytes: 1,
                    built: UnixMillis(0),
                    user: String::new(),
                };
                (name.parse().expect("a name"), image)
            })
            .collect()
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("a mapping")
    }

    #[test]
    fn each_habit_of_naming_images_is_served() {
        let image = |defaults: Value, names: &[&str]| {
            Value::Object(image_values(&project(names), &map(defaults), &proved(names)).values)
        };
        let parts = json!({"repository": "localhost:5000/p-api", "tag": "abc123"});
        assert_eq!(
            image(
                json!({"api": {"image": {"repository": "x", "tag": "y"}}}),
                &["api"]
            ),
            json!({"api": {"image": parts}})
        );
        assert_eq!(
            image(json!({"image": {"repository": "x"}}), &["api"]),
            json!({"image": parts})
        );
        assert_eq!(
            image(json!({"image": "x:y"}), &["api"]),
            json!({"image": "localhost:5000/p-api:abc123"})
        );
        assert_eq!(
            image(
                json!({"myApi": {"image": {"registry": "docker.io", "repository": "x", "tag": "", "digest": "sha256:1"}}}),
                &["my-api"]
            ),
            json!({"myApi": {"image": {"repository": "localhost:5000/p-my-api", "tag": "abc123", "registry": "", "digest": ""}}})
        );
        let two = image_values(
            &project(&["a", "b"]),
            &map(json!({"image": "x"})),
            &proved(&["a"]),
        );
        assert_eq!((two.placeless.len(), two.unproved.len()), (1, 1));
        let mut named = project(&["a"]);
        named
            .deploy
            .image_values
            .insert("a".parse().expect("a name"), "deep.down.img".into());
        let values = image_values(&named, &Map::new(), &proved(&["a"])).values;
        assert_eq!(values["deep"]["down"]["img"]["tag"], "abc123");
    }

    #[test]
    fn a_chart_that_ignores_the_values_is_found_out() {
        let deployment = |image: &str| json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}});
        let (project, proved) = (project(&["a"]), proved(&["a"]));
        let right = deployment("localhost:5000/p-a:abc123");
        assert_eq!(unused(&[&right], &project, &proved), []);
        let wrong = deployment("p-a:dev");
        let found = unused(&[&wrong], &project, &proved);
        assert_eq!(found[0].1, ["p-a:dev"]);
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(
            split("localhost:5000/app"),
            ("localhost:5000/app", "latest")
        );
        assert_eq!(split("app:1"), ("app", "1"));
    }
}
