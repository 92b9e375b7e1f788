//! Role-based access control over the stored Roles and Bindings. Rights only add up.

use std::sync::Arc;

use serde_json::Value;

use super::super::kinds::{self, Kind};
use super::super::serve::ApiServer;
use super::super::status::{Resource, StatusError};
use super::Identity;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Something a client wants to do to a resource.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: Option<&'a str>,
    /// `None` across namespaces and for cluster-wide kinds.
    pub namespace: Option<&'a str>,
    pub name: Option<&'a str>,
}

impl Ask<'_> {
    fn path(&self) -> String {
        match self.subresource {
            Some(sub) => format!("{}/{sub}", self.resource),
            None => self.resource.to_owned(),
        }
    }
}

/// A binding that counts for an identity, with its role's rules.
struct Grant {
    binding: Arc<Value>,
    rules: Vec<Value>,
    subject: String,
}

/// Why the roles allow it; `None` when they do not.
pub fn allows(api: &ApiServer, identity: &Identity, ask: &Ask<'_>) -> Option<String> {
    if identity.is_master() {
        return Some(String::new());
    }
    grants(api, identity, ask.namespace)
        .find(|grant| grant.rules.iter().any(|rule| rule_allows(rule, ask)))
        .map(|grant| why(&grant))
}

fn why(grant: &Grant) -> String {
    let (binding, role) = (&grant.binding, &grant.binding["roleRef"]);
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let name = text(&binding["metadata"]["name"]);
    let kind = text(&binding["kind"]);
    let place = match binding["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{name}/{namespace}"),
        None => name,
    };
    format!(
        "RBAC: allowed by {kind} \"{place}\" of {} \"{}\" to {}",
        text(&role["kind"]),
        text(&role["name"]),
        grant.subject
    )
}

/// Whether the roles allow a path that is no resource.
pub fn allows_path(api: &ApiServer, identity: &Identity, verb: &str, path: &str) -> bool {
    identity.is_master()
        || grants(api, identity, None)
            .flat_map(|grant| grant.rules)
            .any(|rule| {
                let urls = strings(&rule["nonResourceURLs"]);
                has(&rule["verbs"], verb)
                    && urls.into_iter().any(|url| match url.strip_suffix('*') {
                        Some(stem) => path.starts_with(stem),
                        None => url == path,
                    })
            })
}

/// All rules that count for the identity in a namespace.
pub fn rules(api: &ApiServer, identity: &Identity, namespace: &str) -> Vec<Value> {
    grants(api, identity, Some(namespace))
        .flat_map(|grant| grant.rules)
        .collect()
}

fn kind(name: &str) -> Option<&'static Kind> {
    kinds::by_kind(GROUP, name)
}

fn grants<'a>(
    api: &'a ApiServer,
    identity: &'a Identity,
    namespace: Option<&'a str>,
) -> impl Iterator<Item = Grant> + 'a {
    let everywhere = kind("ClusterRoleBinding").map(|kind| api.store.list(kind, None).objects);
    let here = namespace
        .zip(kind("RoleBinding"))
        .map(|(namespace, kind)| api.store.list(kind, Some(namespace)).objects);
    let all = everywhere.into_iter().chain(here).flatten();
    all.filter_map(move |binding| {
        let subject = subject_of(&binding, identity)?;
        let rules = role_rules(api, &binding);
        Some(Grant {
            binding,
            rules,
            subject,
        })
    })
}

/// The subject of a binding that is this identity, in words.
fn subject_of(binding: &Value, identity: &Identity) -> Option<String> {
    let own_namespace = binding["metadata"]["namespace"].as_str().unwrap_or("");
    let subjects = binding["subjects"].as_array()?;
    subjects.iter().find_map(|subject| {
        let name = subject["name"].as_str()?;
        let kind = subject["kind"].as_str()?;
        match kind {
            "User" if name == identity.user => Some(format!("User \"{name}\"")),
            "Group" if identity.groups.iter().any(|group| group == name) => {
                Some(format!("Group \"{name}\""))
            }
            "ServiceAccount" => {
                let namespace = subject["namespace"].as_str().unwrap_or(own_namespace);
                (identity.as_service_account() == Some((namespace, name)))
                    .then(|| format!("ServiceAccount \"{name}/{namespace}\""))
            }
            _ => None,
        }
    })
}

fn role_rules(api: &ApiServer, binding: &Value) -> Vec<Value> {
    let role = &binding["roleRef"];
    let name = role["name"].as_str().unwrap_or("");
    let found = match role["kind"].as_str() {
        Some("ClusterRole") => kind("ClusterRole").and_then(|kind| api.store.get(kind, "", name)),
        Some("Role") => {
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("");
            kind("Role").and_then(|kind| api.store.get(kind, namespace, name))
        }
        _ => None,
    };
    found
        .and_then(|role| role["rules"].as_array().cloned())
        .unwrap_or_default()
}

fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

fn has(list: &Value, wanted: &str) -> bool {
    strings(list)
        .iter()
        .any(|one| *one == "*" || *one == wanted)
}

fn rule_allows(rule: &Value, ask: &Ask<'_>) -> bool {
    let path = ask.path();
    let resource = strings(&rule["resources"]).into_iter().any(|one| {
        one == "*"
            || one == path
            || ask
                .subresource
                .is_some_and(|sub| one.strip_prefix("*/") == Some(sub))
    });
    let names = strings(&rule["resourceNames"]);
    let named = names.is_empty() || ask.name.is_some_and(|name| names.contains(&name));
    resource && named && has(&rule["verbs"], ask.verb) && has(&rule["apiGroups"], ask.group)
}

/// The refusal in the API server's words.
pub fn refusal(identity: &Identity, ask: &Ask<'_>) -> StatusError {
    let resource = Resource {
        group: ask.group,
        plural: ask.resource,
    };
    let why = cannot(identity, ask);
    match ask.name {
        Some(name) => StatusError::forbidden(&resource, name, &why),
        None => StatusError::forbidden_kind(&resource, &why),
    }
}

/// `User "x" cannot get resource "pods/log" in API group "" in the namespace "shop"`.
pub fn cannot(identity: &Identity, ask: &Ask<'_>) -> String {
    let place = match ask.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    format!(
        "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
        identity.user,
        ask.verb,
        ask.path(),
        ask.group
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask<'a>(verb: &'a str, resource: &'a str, subresource: Option<&'a str>) -> Ask<'a> {
        Ask {
            verb,
            group: "",
            resource,
            subresource,
            namespace: Some("shop"),
            name: Some("web"),
        }
    }

    #[test]
    fn rules_name_verbs_groups_resources_and_names() {
        let rule = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]});
        assert!(rule_allows(&rule, &ask("get", "pods", None)));
        assert!(!rule_allows(&rule, &ask("delete", "pods", None)));
        assert!(!rule_allows(&rule, &ask("get", "secrets", None)));
        // A subresource is a right of its own.
        assert!(!rule_allows(&rule, &ask("get", "pods", Some("log"))));
        let logs = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]});
        assert!(rule_allows(&logs, &ask("get", "pods", Some("log"))));
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["db"]});
        assert!(!rule_allows(&named, &ask("get", "pods", None)));
    }

    #[test]
    fn refusals_are_worded_like_the_real_ones() {
        let robot = Identity::service_account("shop", "robot", None);
        let list = Ask {
            name: None,
            ..ask("list", "secrets", None)
        };
        let refused = refusal(&robot, &list);
        assert_eq!(
            refused.message,
            "secrets is forbidden: User \"system:serviceaccount:shop:robot\" cannot list resource \"secrets\" in API group \"\" in the namespace \"shop\""
        );
        assert_eq!(refused.code, 403);
    }
}
