//! Which image of a component was built last for which cluster, kept over restarts.

use app::model::{BuiltImage, ComponentName, Finding};

use crate::engine::Journal;

const SCOPE: &str = "image";

fn key(cluster: &str, component: &ComponentName) -> String {
    format!("{cluster}/{component}")
}

/// The image that was built last for this cluster.
pub fn get(journal: &Journal, cluster: &str, component: &ComponentName) -> Option<BuiltImage> {
    let json = journal.get_fact(SCOPE, &key(cluster, component))?;
    serde_json::from_str(&json).ok()
}

/// Remembers an image, durably.
pub async fn put(
    journal: &Journal,
    cluster: &str,
    component: &ComponentName,
    image: &BuiltImage,
) -> Result<(), Finding> {
    // The model has string keys only, so it always encodes.
    let json = serde_json::to_string(image).unwrap_or_default();
    journal
        .put_fact_durably(SCOPE, &key(cluster, component), &json)
        .await
}
