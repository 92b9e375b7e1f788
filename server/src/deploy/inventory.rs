//! What the project has in the cluster: every object that carries its label.

use std::collections::BTreeSet;

use app::model::{DeployedView, ObjectId};
use kube::Client;
use kube::api::ListParams;
use serde_json::Value;

use super::identity::{APPLY_SET, RECORD_OF, stamped};
use crate::adapters::kube::apply::api;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::adapters::kube::discovery::{Discovery, Served};

/// Kinds that are looked through even when no manifest names them (any more).
const COMMON: [(&str, &str); 16] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
];
/// How many objects one answer brings.
const PAGE: u32 = 500;

/// An object in the cluster.
#[derive(Clone, Debug)]
pub struct Owned {
    pub served: Served,
    pub object: Value,
}

impl Owned {
    pub fn kind(&self) -> &str {
        &self.served.resource.kind
    }

    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn uid(&self) -> Option<String> {
        self.object["metadata"]["uid"].as_str().map(str::to_owned)
    }

    pub fn id(&self) -> ObjectId {
        ObjectId {
            api_version: self.served.resource.api_version.clone(),
            kind: self.kind().to_owned(),
            namespace: self.object["metadata"]["namespace"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            name: self.name().to_owned(),
        }
    }
}

/// Lists the project's objects in the namespace. `more` are the kinds of the manifests, as
/// (apiVersion, kind). Kinds that are not served or that may not be listed are left out.
pub async fn owned(
    client: &Client,
    discovery: &mut Discovery,
    namespace: &str,
    project: &str,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Owned>, KubeError> {
    let of_project = ListParams::default().labels(&format!("{APPLY_SET}={project}"));
    list(client, discovery, namespace, &of_project, Read::Whole, more).await
}

/// Lists everything that somebody deployed into the namespace, whoever it was. Only the metadata is
/// read, so no value of a Secret ever is.
pub async fn everything(
    client: &Client,
    discovery: &mut Discovery,
    namespace: &str,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Owned>, KubeError> {
    let mut found = list(
        client,
        discovery,
        namespace,
        &ListParams::default(),
        Read::Metadata,
        more,
    )
    .await?;
    found.retain(|owned| !is_furniture(owned));
    Ok(found)
}

/// What every namespace has, and what tools keep their books in.
fn is_furniture(owned: &Owned) -> bool {
    let metadata = &owned.object["metadata"];
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    match owned.kind() {
        "ServiceAccount" => owned.name() == "default",
        "ConfigMap" if owned.name() == "kube-root-ca.crt" => true,
        "ConfigMap" | "Secret" => {
            labels["owner"] == "helm"
                || labels[RECORD_OF].is_string()
                || annotations["kubernetes.io/service-account.name"].is_string()
        }
        _ => false,
    }
}

/// How much of the objects is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Whole,
    Metadata,
}

async fn list(
    client: &Client,
    discovery: &mut Discovery,
    namespace: &str,
    params: &ListParams,
    read: Read,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Owned>, KubeError> {
    let kinds: BTreeSet<(String, String)> = COMMON
        .iter()
        .map(|(version, kind)| ((*version).to_owned(), (*kind).to_owned()))
        .chain(more)
        .collect();
    let mut found = Vec::new();
    for (version, kind) in kinds {
        let Some(served) = discovery.find(client, &version, &kind).await? else {
            continue;
        };
        if !served.namespaced || !served.can_list {
            continue;
        }
        let api = api(client, &served, namespace);
        let mut params = params.clone().limit(PAGE);
        loop {
            let page = match read {
                Read::Whole => within(REQUEST_LIMIT, api.list(&params)).await.map(|page| {
                    let items = page.items.iter().map(serde_json::to_value).collect();
                    (page.metadata, items)
                }),
                Read::Metadata => {
                    within(REQUEST_LIMIT, api.list_metadata(&params))
                        .await
                        .map(|page| {
                            let items = page.items.iter().map(serde_json::to_value).collect();
                            (page.metadata, items)
                        })
                }
            };
            let (metadata, items): (_, Vec<Result<Value, _>>) = match page {
                Ok(page) => page,
                Err(error) if error.is_forbidden() || error.is_not_found() => break,
                Err(error) => return Err(error),
            };
            found.extend(items.into_iter().flatten().filter_map(|mut object| {
                // What a controller made carries its owner's labels sometimes; it goes with its owner.
                let owners = object["metadata"]["ownerReferences"].as_array();
                if owners.is_some_and(|owners| !owners.is_empty()) {
                    return None;
                }
                // Items of a list need not say what they are, and bare metadata says something else.
                object["apiVersion"] = Value::from(served.resource.api_version.as_str());
                object["kind"] = Value::from(served.resource.kind.as_str());
                Some(Owned {
                    served: served.clone(),
                    object,
                })
            }));
            match metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(found)
}

/// The newest deploy as the objects carry it; none when no object carries one.
pub fn deployed<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Option<DeployedView> {
    let mut count = 0;
    let mut newest = None;
    for object in objects {
        if let Some(stamp) = stamped(object) {
            count += 1;
            newest = newest.max(Some(stamp));
        }
    }
    newest.map(|(revision, at)| DeployedView {
        revision,
        at,
        objects: count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::identity::stamp;
    use app::model::UnixMillis;
    use serde_json::json;

    #[test]
    fn the_newest_deploy_counts_and_unmarked_objects_do_not() {
        let marked = |revision| {
            let mut object = json!({"metadata": {"name": "a"}});
            stamp(&mut object, revision, UnixMillis(revision as i64 * 1000));
            object
        };
        let objects = [marked(2), marked(3), json!({"metadata": {"name": "b"}})];
        assert_eq!(
            deployed(&objects),
            Some(DeployedView {
                revision: 3,
                at: UnixMillis(3000),
                objects: 2
            })
        );
        assert_eq!(deployed(&objects[2..]), None);
    }
}
