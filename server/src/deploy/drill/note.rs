//! What a fault changes in a Deployment, and the note on the Deployment itself that says how it was:
//! whoever finds it there after a crash can take the fault out again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deploy::identity::as_map;

/// Annotation: a drill put a fault in; how it was before.
pub const DRILL: &str = "slipway.dev/drill";
/// The tag of an image that nobody builds.
const NO_SUCH_TAG: &str = "slipway-drill-no-such-image";
/// Where nothing listens: a reserved port that no container can open without privileges.
const DEAF_PORT: u16 = 1;

/// How it was before the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
enum Before {
    Image {
        container: String,
        image: String,
    },
    Readiness {
        container: String,
        /// None when there was no such probe.
        probe: Option<Value>,
    },
}

impl Before {
    fn container(&self) -> &str {
        match self {
            Self::Image { container, .. } | Self::Readiness { container, .. } => container,
        }
    }
}

/// Faults that are a change of the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Readiness,
    Image,
}

/// Puts the fault in and the note on. Nothing is changed when there is a note already, or no container.
pub fn put_in(deployment: &mut Value, component: &str, change: Change) -> bool {
    if is_noted(deployment) {
        return false;
    }
    let Some(container) = container(deployment, component) else {
        return false;
    };
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let before = match change {
        Change::Image => {
            let image = container["image"].as_str().unwrap_or_default().to_owned();
            container["image"] = json!(bad_image(&image));
            Before::Image {
                container: name,
                image,
            }
        }
        Change::Readiness => {
            let probe = as_map(container).insert("readinessProbe".to_owned(), deaf_probe());
            Before::Readiness {
                container: name,
                probe: probe.filter(|probe| !probe.is_null()),
            }
        }
    };
    let annotations = as_map(&mut deployment["metadata"]["annotations"]);
    annotations.insert(DRILL.to_owned(), json!(json!(before).to_string()));
    true
}

/// Whether a drill's fault is in.
pub fn is_noted(deployment: &Value) -> bool {
    deployment["metadata"]["annotations"][DRILL].is_string()
}

/// Takes the fault out and the note off. What somebody else has put in its place meanwhile stays.
/// Tells whether there was a note.
pub fn take_out(deployment: &mut Value) -> bool {
    let note = deployment["metadata"]["annotations"]
        .as_object_mut()
        .and_then(|annotations| annotations.remove(DRILL));
    let Some(note) = note else {
        return false;
    };
    // A note that cannot be read says nothing that could be put back.
    let Some(before) = note
        .as_str()
        .and_then(|text| serde_json::from_str::<Before>(text).ok())
    else {
        return true;
    };
    let Some(container) = containers(deployment)
        .into_iter()
        .flatten()
        .find(|container| container["name"] == before.container())
    else {
        return true;
    };
    match before {
        Before::Image { image, .. } => {
            if container["image"] == bad_image(&image).as_str() {
                container["image"] = json!(image);
            }
        }
        Before::Readiness { probe, .. } => {
            let is_ours = container["readinessProbe"]["tcpSocket"]["port"] == DEAF_PORT;
            match probe {
                Some(probe) if is_ours => container["readinessProbe"] = probe,
                None if is_ours => {
                    as_map(container).remove("readinessProbe");
                }
                _ => {}
            }
        }
    }
    true
}

/// The same repository with a tag that does not exist.
fn bad_image(image: &str) -> String {
    let image = image.split('@').next().unwrap_or(image);
    let name_at = image.rfind('/').map_or(0, |slash| slash + 1);
    let end = image[name_at..]
        .find(':')
        .map_or(image.len(), |colon| name_at + colon);
    format!("{}:{NO_SUCH_TAG}", &image[..end])
}

fn deaf_probe() -> Value {
    json!({"tcpSocket": {"port": DEAF_PORT}, "periodSeconds": 1, "failureThreshold": 1})
}

fn containers(deployment: &mut Value) -> Option<&mut Vec<Value>> {
    deployment
        .pointer_mut("/spec/template/spec/containers")?
        .as_array_mut()
}

/// The container named like the component, else the first.
fn container<'a>(deployment: &'a mut Value, component: &str) -> Option<&'a mut Value> {
    let all = containers(deployment)?;
    let at = all
        .iter()
        .position(|container| container["name"] == component)
        .unwrap_or(0);
    all.get_mut(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deployment(image: &str, probe: Option<Value>) -> Value {
        let mut container = json!({"name": "app", "image": image});
        if let Some(probe) = probe {
            container["readinessProbe"] = probe;
        }
        json!({
            "metadata": {"name": "app", "annotations": {"mine": "1"}},
            "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}, container]}}},
        })
    }

    proptest! {
        #[test]
        fn whatever_is_put_in_can_be_taken_out_again(
            image in "[a-z]{1,8}(:[0-9]{2,4}/[a-z]{1,5})?(:[a-z0-9.]{1,8})?(@sha256:[0-9a-f]{8})?",
            path in proptest::option::of("/[a-z]{0,8}"),
            image_fault: bool,
        ) {
            let probe = path.map(|path| json!({"httpGet": {"path": path, "port": "http"}}));
            let before = deployment(&image, probe);
            let mut now = before.clone();
            let change = if image_fault { Change::Image } else { Change::Readiness };
            prop_assert!(put_in(&mut now, "app", change));
            prop_assert!(is_noted(&now));
            prop_assert_ne!(&now["spec"], &before["spec"]);
            prop_assert!(!put_in(&mut now, "app", change), "one fault at a time");
            prop_assert!(take_out(&mut now));
            prop_assert_eq!(now, before);
        }
    }

    #[test]
    fn the_bad_image_keeps_the_repository() {
        for image in [
            "localhost:5000/a/app:1",
            "localhost:5000/a/app",
            "localhost:5000/a/app@sha256:ab",
        ] {
            assert_eq!(
                bad_image(image),
                "localhost:5000/a/app:slipway-drill-no-such-image"
            );
        }
    }

    #[test]
    fn what_was_deployed_meanwhile_stays() {
        let mut now = deployment("app:1", None);
        put_in(&mut now, "app", Change::Image);
        now["spec"]["template"]["spec"]["containers"][1]["image"] = json!("app:2");
        assert!(take_out(&mut now));
        assert_eq!(now["spec"], deployment("app:2", None)["spec"]);
        assert!(!take_out(&mut now));
    }

    #[test]
    fn a_note_that_is_nonsense_goes_and_changes_nothing() {
        let mut now = deployment("app:1", None);
        now["metadata"]["annotations"][DRILL] = json!("{]");
        assert!(take_out(&mut now));
        assert_eq!(now, deployment("app:1", None));
    }
}
