//! What the rules have to know of the world around the objects.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{BuiltImage, ClusterKind, ComponentName};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::api::Api;

use super::Item;
use super::references::{Reference, references};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::engine::Core;
use crate::live::proved_images;
use crate::project::ProjectSpec;
use crate::secrets::SecretsRoom;

/// The keys of ConfigMaps and Secrets, by kind and name. None: it is not there. What is not in here
/// is not known, and nothing is said about it.
pub type Keys = BTreeMap<(&'static str, String), Option<BTreeSet<String>>>;

/// The facts beside the objects. Whatever is not known is left empty, and its rules stay silent.
#[derive(Clone, Debug, Default)]
pub struct World<'a> {
    pub project: Option<&'a ProjectSpec>,
    /// The server's minor version, for 1.x.
    pub minor: Option<u32>,
    pub kind: Option<ClusterKind>,
    pub keys: Keys,
    pub proved: BTreeMap<ComponentName, BuiltImage>,
}

/// The minor version in `v1.35.1`.
pub fn minor(version: &str) -> Option<u32> {
    let rest = version
        .strip_prefix('v')
        .unwrap_or(version)
        .strip_prefix("1.")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The facts as they are now: the cluster's version and kind, the images that were proved, and the
/// keys of what the objects' pods read.
pub async fn observe<'a>(
    core: &Core,
    secrets: &SecretsRoom,
    connected: &Connected,
    project: &'a ProjectSpec,
    items: &[Item<'_>],
) -> World<'a> {
    let mut keys = look_up(&connected.client, project.namespace.as_str(), items).await;
    // The secrets room knows its own better than anybody who looks now.
    if let Ok(secret) = secrets.observe().borrow().as_ref() {
        let own = secret
            .as_ref()
            .map(|secret| secret.fingerprints.keys().cloned().collect());
        keys.insert(("Secret", project.secret_name.clone()), own);
    }
    let (version, proved) = core.hub.read(|state| {
        let cluster = state.cluster.as_ref();
        let version = cluster.and_then(|cluster| cluster.version.clone());
        (version, proved_images(state))
    });
    World {
        project: Some(project),
        minor: version.as_deref().and_then(minor),
        kind: Some(connected.kind.clone()),
        keys,
        proved,
    }
}

/// Looks up the keys of what the objects' pods read and the objects do not bring themselves. Only
/// names of keys are taken from an answer; what may not be read stays unknown.
async fn look_up(client: &Client, namespace: &str, items: &[Item<'_>]) -> Keys {
    let wanted: BTreeSet<(&'static str, String)> = items
        .iter()
        .filter_map(|item| item.pods())
        .flat_map(|spec| references(&spec))
        .map(|Reference { kind, name, .. }| (kind, name))
        .filter(|(kind, name)| {
            !items
                .iter()
                .any(|item| item.kind() == *kind && item.name() == name)
        })
        .collect();
    let mut asked = FuturesUnordered::new();
    for (kind, name) in wanted {
        asked.push(async move {
            let keys = keys_of(client, namespace, kind, &name).await;
            (kind, name, keys)
        });
    }
    let mut found = Keys::new();
    while let Some((kind, name, keys)) = asked.next().await {
        if let Ok(keys) = keys {
            found.insert((kind, name), keys);
        }
    }
    found
}

async fn keys_of(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<Option<BTreeSet<String>>, KubeError> {
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    if kind == "Secret" {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = within(REQUEST_LIMIT, api.get_opt(name)).await?;
        return Ok(found.map(|secret| secret.data.unwrap_or_default().into_keys().collect()));
    }
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = within(REQUEST_LIMIT, api.get_opt(name)).await?;
    Ok(found.map(|map| {
        let binary = map.binary_data.unwrap_or_default().into_keys();
        map.data
            .unwrap_or_default()
            .into_keys()
            .chain(binary)
            .collect()
    }))
}
