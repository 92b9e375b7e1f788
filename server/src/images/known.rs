//! Which image of a component was built last for which cluster, and how it was proved; kept over
//! restarts.

use app::model::{Builder, BuiltImage, ComponentName, Finding, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::engine::Journal;

const IMAGE: &str = "image";
const BUILDER: &str = "builder";

/// What is remembered of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    #[serde(flatten)]
    pub image: BuiltImage,
    /// None when it never was seen in the cluster.
    #[serde(default, rename = "proof")]
    pub proved: Option<Proved>,
}

/// When it was seen in the cluster, and who showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    pub at: UnixMillis,
    pub by: String,
}

fn key(cluster: &str, component: &ComponentName) -> String {
    format!("{cluster}/{component}")
}

/// The image that was built last for this cluster.
pub fn get(journal: &Journal, cluster: &str, component: &ComponentName) -> Option<Known> {
    let json = journal.get_fact(IMAGE, &key(cluster, component))?;
    serde_json::from_str(&json).ok()
}

/// Remembers an image, durably.
pub async fn put(
    journal: &Journal,
    cluster: &str,
    component: &ComponentName,
    image: &BuiltImage,
    proved: Option<Proved>,
) -> Result<(), Finding> {
    let known = Known {
        image: image.clone(),
        proved,
    };
    // The model has string keys only, so it always encodes.
    let json = serde_json::to_string(&known).unwrap_or_default();
    journal
        .put_fact_durably(IMAGE, &key(cluster, component), &json)
        .await
}

/// The builder a person chose for this component on this cluster.
pub fn builder(journal: &Journal, cluster: &str, component: &ComponentName) -> Option<Builder> {
    let json = journal.get_fact(BUILDER, &key(cluster, component))?;
    serde_json::from_str(&json).ok()
}

pub fn put_builder(journal: &Journal, cluster: &str, component: &ComponentName, builder: Builder) {
    let json = serde_json::to_string(&builder).unwrap_or_default();
    journal.put_fact(BUILDER, &key(cluster, component), &json);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_slipway_remembered_is_still_known() {
        let old = r#"{"reference":"app:1","id":"sha256:ab","size_bytes":1,"built":5,"user":""}"#;
        let known: Known = serde_json::from_str(old).expect("readable");
        assert_eq!(known.image.reference, "app:1");
        assert_eq!(known.proved, None);
    }
}
