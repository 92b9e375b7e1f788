//! Whether pods run the very image that was built and proved.

use app::model::{BuiltImage, ComponentName};

use super::pod_facts::{ContainerFacts, PodFacts};

/// None when no container tells yet what it runs.
pub fn is_proved<'a>(
    component: &ComponentName,
    image: &BuiltImage,
    pods: impl Iterator<Item = &'a PodFacts>,
) -> Option<bool> {
    let told: Vec<bool> = pods
        .filter_map(|pod| container_of(component, image, pod))
        .filter(|container| !container.image_id.is_empty())
        .map(|container| runs(container, image))
        .collect();
    (!told.is_empty()).then(|| told.into_iter().all(|same| same))
}

fn container_of<'a>(
    component: &ComponentName,
    image: &BuiltImage,
    pod: &'a PodFacts,
) -> Option<&'a ContainerFacts> {
    let wanted = practice::images::repository(&image.reference);
    let mut main = pod.containers.iter().filter(|container| !container.init);
    main.clone()
        .find(|container| container.name == component.as_str())
        .or_else(|| {
            main.clone()
                .find(|container| practice::images::repository(&container.image) == wanted)
        })
        .or_else(|| main.next())
}

/// Runtimes report the image in several ways: `sha256:ID`, `docker://sha256:ID`, or with the
/// digest of a manifest (`repository@sha256:…`), which is not the image's ID.
fn runs(container: &ContainerFacts, image: &BuiltImage) -> bool {
    let id = container.image_id.as_str();
    if let Some((_, digest)) = id.split_once('@') {
        return digest == image.id || same_reference(&container.image, &image.reference);
    }
    id.rsplit("://").next() == Some(image.id.as_str())
}

/// The tag is made from the content, so the same reference is the same image.
fn same_reference(one: &str, other: &str) -> bool {
    practice::images::normalize(one) == practice::images::normalize(other)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use app::model::{ContainerState, UnixMillis};

    use super::*;

    fn pod(image: &str, image_id: &str) -> PodFacts {
        PodFacts {
            containers: vec![ContainerFacts {
                name: "backend".into(),
                init: false,
                image: image.into(),
                image_id: image_id.into(),
                state: ContainerState::Unknown,
                started: true,
                ready: true,
                restarts: 0,
                last_termination: None,
                probes: BTreeMap::new(),
                cpu: app::model::Bounds::default(),
                memory: app::model::Bounds::default(),
            }],
            ..PodFacts::default()
        }
    }

    #[test]
    fn an_image_is_proved_by_its_id_however_the_runtime_writes_it() {
        let built = BuiltImage {
            reference: "todo-backend:abc".into(),
            id: "sha256:11".into(),
            size_bytes: 1,
            built: UnixMillis(0),
            user: String::new(),
        };
        let name: ComponentName = "backend".parse().expect("a name");
        let cases = [
            ("todo-backend:abc", "sha256:11", Some(true)),
            ("todo-backend:abc", "docker://sha256:11", Some(true)),
            ("todo-backend:abc", "sha256:22", Some(false)),
            (
                "docker.io/library/todo-backend:abc",
                "docker.io/library/import@sha256:99",
                Some(true),
            ),
            (
                "todo-backend:old",
                "docker.io/library/import@sha256:99",
                Some(false),
            ),
            ("todo-backend:abc", "", None),
        ];
        for (image, id, expected) in cases {
            let pods = [pod(image, id)];
            assert_eq!(
                is_proved(&name, &built, pods.iter()),
                expected,
                "{image} {id}"
            );
        }
        let mixed = [
            pod("todo-backend:abc", "sha256:11"),
            pod("todo-backend:old", "sha256:22"),
        ];
        assert_eq!(is_proved(&name, &built, mixed.iter()), Some(false));
    }
}
