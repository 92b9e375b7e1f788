//! A user or a ServiceAccount, and the groups it is in.

use http::HeaderMap;

use super::super::serve::ApiServer;
use super::super::status::{Resource, StatusError};
use super::rbac::{self, Ask};

const AUTHENTICATED: &str = "system:authenticated";
const MASTERS: &str = "system:masters";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
}

impl Identity {
    /// The holder of the admin kubeconfig, and the cluster's own parts.
    pub fn admin() -> Self {
        Self {
            user: "practice-admin".to_owned(),
            uid: None,
            groups: vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()],
        }
    }

    /// A ServiceAccount.
    pub fn service_account(namespace: &str, name: &str, uid: Option<&str>) -> Self {
        Self {
            user: format!("{SERVICE_ACCOUNT}{namespace}:{name}"),
            uid: uid.map(str::to_owned),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                AUTHENTICATED.to_owned(),
            ],
        }
    }

    /// Whether no role is asked.
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// Namespace and name of a ServiceAccount.
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        self.user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
    }

    /// The identity the request asks to be taken for.
    pub fn wanted(headers: &HeaderMap) -> Result<Option<Self>, StatusError> {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .filter(|value| !value.is_empty())
        };
        let mut groups: Vec<String> = headers
            .get_all("impersonate-group")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect();
        let Some(user) = text("impersonate-user") else {
            if groups.is_empty() && text("impersonate-uid").is_none() {
                return Ok(None);
            }
            return Err(StatusError::bad_request(
                "requested impersonation of groups without impersonating a user",
            ));
        };
        let named = Self {
            user: user.to_owned(),
            uid: text("impersonate-uid").map(str::to_owned),
            groups: Vec::new(),
        };
        if groups.is_empty()
            && let Some((namespace, name)) = named.as_service_account()
        {
            groups = Self::service_account(namespace, name, None).groups;
        }
        if user != "system:anonymous" && !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Ok(Some(Self { groups, ..named }))
    }
}

/// Refuses impersonation that the roles do not allow.
pub fn may_impersonate(
    api: &ApiServer,
    identity: &Identity,
    wanted: &Identity,
) -> Result<(), StatusError> {
    let (resource, namespace, name) = match wanted.as_service_account() {
        Some((namespace, name)) => ("serviceaccounts", Some(namespace), name),
        None => ("users", None, wanted.user.as_str()),
    };
    let asked_groups = wanted
        .groups
        .iter()
        .filter(|group| !group.starts_with("system:serviceaccounts") && *group != AUTHENTICATED);
    let mut asks = vec![(resource, namespace, name)];
    asks.extend(asked_groups.map(|group| ("groups", None, group.as_str())));
    for (resource, namespace, name) in asks {
        let ask = Ask {
            verb: "impersonate",
            group: "",
            resource,
            subresource: None,
            namespace,
            name: Some(name),
        };
        if rbac::allows(api, identity, &ask).is_none() {
            let resource = Resource {
                group: "",
                plural: resource,
            };
            return Err(StatusError::forbidden(
                &resource,
                name,
                &rbac::cannot(identity, &ask),
            ));
        }
    }
    Ok(())
}
