//! The review kinds: questions that are answered and not stored. The one identity there is may do
//! everything, and that is what they say.

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use serde_json::{Value, json};

use super::body;
use super::objects::accept_body;
use super::request::Target;
use super::serve::{Identity, json_response};
use super::status::StatusError;

/// Answers a review.
pub async fn answer(target: &Target, request: Request<Body>) -> Result<Response, StatusError> {
    if request.method() != Method::POST || target.name.is_some() {
        return Err(StatusError::method_not_allowed());
    }
    let identity = request
        .extensions()
        .get::<Identity>()
        .cloned()
        .ok_or_else(StatusError::unauthorized)?;
    let (headers, bytes) = body::read(request).await?;
    let mut review = accept_body(target.kind, body::decode(&headers, &bytes)?)?;
    review["status"] = match target.kind.kind {
        "SelfSubjectAccessReview" => {
            json!({"allowed": true, "reason": "the practice cluster's admin may do everything"})
        }
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false
        }),
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": identity.user, "groups": identity.groups}})
        }
        _ => Value::Null,
    };
    Ok(json_response(201, &review))
}
