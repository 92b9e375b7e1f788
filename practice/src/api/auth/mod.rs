//! Who asks, and whether they may: tokens of ServiceAccounts, impersonation, and the RBAC objects.

mod identity;
pub mod rbac;
pub mod reviews;
pub mod tokens;

pub use identity::Identity;

use axum::body::Body;
use http::Request;

use super::kinds::Sub;
use super::request::{Target, Verb};
use super::serve::ApiServer;
use super::status::StatusError;
use rbac::Ask;

/// The identity behind a request: of the front door, of a token, or the one it is to be taken for.
pub fn identify(api: &ApiServer, request: &Request<Body>) -> Result<Identity, StatusError> {
    let identity = match request.extensions().get::<Identity>() {
        Some(identity) => identity.clone(),
        None => {
            let token = tokens::bearer(request.headers()).ok_or_else(StatusError::unauthorized)?;
            tokens::authenticate(api, token).ok_or_else(StatusError::unauthorized)?
        }
    };
    match Identity::wanted(request.headers())? {
        None => Ok(identity),
        Some(wanted) => {
            identity::may_impersonate(api, &identity, &wanted)?;
            Ok(wanted)
        }
    }
}

/// Refuses a request for a resource that the roles do not allow.
pub fn authorize(
    api: &ApiServer,
    identity: &Identity,
    target: &Target,
    verb: &str,
) -> Result<(), StatusError> {
    let ask = Ask {
        verb,
        group: target.kind.group,
        resource: target.kind.plural,
        subresource: target.subresource.as_deref(),
        namespace: target.namespace.as_deref(),
        name: target.name.as_deref(),
    };
    if rbac::allows(api, identity, &ask).is_some() {
        return Ok(());
    }
    Err(rbac::refusal(identity, &ask))
}

/// Refuses a request for a path that is no resource.
pub fn authorize_path(
    api: &ApiServer,
    identity: &Identity,
    verb: &str,
    path: &str,
) -> Result<(), StatusError> {
    if rbac::allows_path(api, identity, verb, path) {
        return Ok(());
    }
    Err(StatusError {
        details: Some(serde_json::json!({})),
        ..StatusError::new(
            403,
            "Forbidden",
            format!(
                "forbidden: User \"{}\" cannot {verb} path \"{path}\"",
                identity.user
            ),
        )
    })
}

/// The verbs a request needs, as RBAC names them: reaching into a pod needs `create` too, however
/// the connection is opened.
pub fn verbs(target: &Target, method: &http::Method, verb: Option<Verb>) -> Vec<&'static str> {
    let sub = |wanted: Sub| {
        target.kind.has(wanted) && target.subresource.as_deref() == Some(wanted.name())
    };
    if sub(Sub::Exec) || sub(Sub::Attach) || sub(Sub::PortForward) {
        return if *method == http::Method::GET {
            vec!["get", "create"]
        } else {
            vec!["create"]
        };
    }
    if sub(Sub::Proxy) {
        return vec![match method.as_str() {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "get",
        }];
    }
    verb.map(Verb::name).into_iter().collect()
}
