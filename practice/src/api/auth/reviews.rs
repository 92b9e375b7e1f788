//! The review kinds: questions about identities and rights that are answered and not stored.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use serde_json::{Value, json};

use super::super::body;
use super::super::objects::accept_body;
use super::super::request::Target;
use super::super::serve::{ApiServer, json_response};
use super::super::status::StatusError;
use super::rbac::{self, Ask};
use super::{Identity, tokens};

/// Answers a review.
pub async fn answer(
    api: &ApiServer,
    identity: &Identity,
    target: &Target,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    if request.method() != Method::POST || target.name.is_some() {
        return Err(StatusError::method_not_allowed());
    }
    let (headers, bytes) = body::read(request).await?;
    let mut review = accept_body(target.kind, body::decode(&headers, &bytes)?)?;
    let spec = review["spec"].clone();
    review["status"] = match target.kind.kind {
        "SelfSubjectAccessReview" => access(api, identity, &spec),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => access(api, &subject(&spec), &spec),
        "SelfSubjectRulesReview" => rules(api, identity, &spec),
        "SelfSubjectReview" => json!({"userInfo": user_info(identity)}),
        "TokenReview" => token(api, &spec),
        _ => Value::Null,
    };
    Ok(json_response(201, &review))
}

fn user_info(identity: &Identity) -> Value {
    let mut user = json!({"username": identity.user, "groups": identity.groups});
    if let Some(uid) = &identity.uid {
        user["uid"] = uid.as_str().into();
    }
    user
}

fn subject(spec: &Value) -> Identity {
    let groups = spec["groups"].as_array().into_iter().flatten();
    Identity {
        user: spec["user"].as_str().unwrap_or("").to_owned(),
        uid: spec["uid"].as_str().map(str::to_owned),
        groups: groups
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn access(api: &ApiServer, identity: &Identity, spec: &Value) -> Value {
    let text = |value: &'_ Value| value.as_str().unwrap_or("").to_owned();
    let path = &spec["nonResourceAttributes"];
    if path.is_object() {
        let allowed = rbac::allows_path(api, identity, &text(&path["verb"]), &text(&path["path"]));
        return json!({"allowed": allowed});
    }
    let asked = &spec["resourceAttributes"];
    let filled = |field: &str| asked[field].as_str().filter(|text| !text.is_empty());
    let ask = Ask {
        verb: filled("verb").unwrap_or(""),
        group: filled("group").unwrap_or(""),
        resource: filled("resource").unwrap_or(""),
        subresource: filled("subresource"),
        namespace: filled("namespace"),
        name: filled("name"),
    };
    match rbac::allows(api, identity, &ask) {
        Some(why) if why.is_empty() => json!({"allowed": true}),
        Some(why) => json!({"allowed": true, "reason": why}),
        None => json!({"allowed": false}),
    }
}

fn rules(api: &ApiServer, identity: &Identity, spec: &Value) -> Value {
    if identity.is_master() {
        return json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false
        });
    }
    let namespace = spec["namespace"].as_str().unwrap_or("default");
    let (paths, resources): (Vec<Value>, Vec<Value>) = rbac::rules(api, identity, namespace)
        .into_iter()
        .partition(|rule| rule["nonResourceURLs"].is_array());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

fn token(api: &ApiServer, spec: &Value) -> Value {
    let token = spec["token"].as_str().unwrap_or("");
    match tokens::authenticate(api, token) {
        Some(identity) => json!({
            "authenticated": true, "user": user_info(&identity), "audiences": [tokens::ISSUER]
        }),
        None => json!({"authenticated": false, "error": "invalid bearer token"}),
    }
}
