//! Which kinds the cluster serves, asked once per group version.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::Client;
use kube::core::ApiResource;

use super::client::{KubeError, REQUEST_LIMIT, within};

/// How to address a kind.
#[derive(Clone, Debug)]
pub struct Served {
    pub resource: ApiResource,
    pub namespaced: bool,
    pub can_list: bool,
}

/// Remembers what was asked; made anew for each plan, because CRDs come and go.
#[derive(Debug, Default)]
pub struct Discovery {
    lists: HashMap<String, Option<APIResourceList>>,
}

impl Discovery {
    /// None when the cluster does not serve that kind.
    pub async fn find(
        &mut self,
        client: &Client,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Served>, KubeError> {
        if !self.lists.contains_key(api_version) {
            let answer = if api_version.contains('/') {
                within(REQUEST_LIMIT, client.list_api_group_resources(api_version)).await
            } else {
                within(REQUEST_LIMIT, client.list_core_api_resources(api_version)).await
            };
            let list = match answer {
                Ok(list) => Some(list),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error),
            };
            self.lists.insert(api_version.to_owned(), list);
        }
        let found = self
            .lists
            .get(api_version)
            .and_then(Option::as_ref)
            .and_then(|list| {
                list.resources
                    .iter()
                    .find(|resource| resource.kind == kind && !resource.name.contains('/'))
            });
        Ok(found.map(|resource| {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            Served {
                resource: ApiResource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                    plural: resource.name.clone(),
                },
                namespaced: resource.namespaced,
                can_list: resource.verbs.iter().any(|verb| verb == "list"),
            }
        }))
    }
}
