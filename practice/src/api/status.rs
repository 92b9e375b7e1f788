//! Errors as the API server words them: every failure is a `metav1.Status` with code, reason,
//! message and details.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

/// One entry of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

/// A failed request, ready to be sent as a `Status`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct StatusError {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
}

impl StatusError {
    /// A status with this code and reason and no details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    /// 400: the request itself makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no acceptable credentials.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403 with the wording the caller chose.
    pub fn forbidden(resource: &Resource<'_>, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        Self {
            details: Some(resource.details(name)),
            ..Self::new(403, "Forbidden", message)
        }
    }

    /// 403 about a kind as a whole.
    pub fn forbidden_kind(resource: &Resource<'_>, why: &str) -> Self {
        let mut details = resource.details("");
        if let Some(details) = details.as_object_mut() {
            details.shift_remove("name");
        }
        let message = format!("{} is forbidden: {why}", resource.qualified());
        Self {
            details: Some(details),
            ..Self::new(403, "Forbidden", message)
        }
    }

    /// 404 for an object of a known kind.
    pub fn not_found(resource: &Resource<'_>, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self {
            details: Some(resource.details(name)),
            ..Self::new(404, "NotFound", message)
        }
    }

    /// 404 for a path nobody serves.
    pub fn no_such_path() -> Self {
        Self {
            details: Some(json!({})),
            ..Self::new(
                404,
                "NotFound",
                "the server could not find the requested resource",
            )
        }
    }

    /// 405 for a known path and a verb it does not take.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &Resource<'_>, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self {
            details: Some(resource.details(name)),
            ..Self::new(409, "AlreadyExists", message)
        }
    }

    /// 409: optimistic lock or precondition.
    pub fn conflict(resource: &Resource<'_>, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        Self {
            details: Some(resource.details(name)),
            ..Self::new(409, "Conflict", message)
        }
    }

    /// 409: the write was based on an old version.
    pub fn modified(resource: &Resource<'_>, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 410: the version asked for is no longer kept.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(
            410,
            "Expired",
            format!("too old resource version: {asked} ({oldest})"),
        )
    }

    /// 415: a content type nobody takes here.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 422 from field errors, worded as the real validation aggregates them.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let lines: Vec<String> = errors.iter().map(FieldError::line).collect();
        let joined = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let causes: Vec<Value> = errors
            .iter()
            .map(|e| json!({"reason": e.reason, "message": e.message(), "field": e.field}))
            .collect();
        let mut details = Map::new();
        details.insert("name".into(), name.into());
        if !group.is_empty() {
            details.insert("group".into(), group.into());
        }
        details.insert("kind".into(), kind.into());
        details.insert("causes".into(), causes.into());
        Self {
            details: Some(Value::Object(details)),
            ..Self::new(
                422,
                "Invalid",
                format!("{qualified} \"{name}\" is invalid: {joined}"),
            )
        }
    }

    /// 500: our fault.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(
            500,
            "InternalError",
            format!("Internal error occurred: {message}"),
        )
    }

    /// 503: the other side of a proxy does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message, "reason": self.reason,
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status["code"] = self.code.into();
        status
    }
}

impl IntoResponse for StatusError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (code, self.to_value().to_string()).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
    }
}

/// The resource an error speaks about.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    pub group: &'a str,
    pub plural: &'a str,
}

impl Resource<'_> {
    fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    fn details(&self, name: &str) -> Value {
        if self.group.is_empty() {
            json!({"name": name, "kind": self.plural})
        } else {
            json!({"name": name, "group": self.group, "kind": self.plural})
        }
    }
}

/// One complaint of the validation, in the wording of the API server's `field.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub reason: &'static str,
    pub field: String,
    text: String,
}

impl FieldError {
    /// `Required value`.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let text = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        Self {
            reason: "FieldValueRequired",
            field: field.into(),
            text,
        }
    }

    /// `Invalid value: X: detail`.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            field: field.into(),
            text: format!("Invalid value: {}: {detail}", shown(value)),
        }
    }

    /// `Invalid value: X: detail`, where X is of the wrong type.
    pub fn wrong_type(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueTypeInvalid",
            ..Self::invalid(field, value, detail)
        }
    }

    /// `Too many`, with the count and the limit.
    pub fn too_many(field: impl Into<String>, count: usize, limit: usize) -> Self {
        Self {
            reason: "FieldValueTooMany",
            field: field.into(),
            text: format!("Too many: {count}: must have at most {limit} items"),
        }
    }

    /// `Unsupported value: X: supported values: ...`.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        Self {
            reason: "FieldValueNotSupported",
            field: field.into(),
            text: format!(
                "Unsupported value: {}: supported values: {}",
                shown(value),
                list.join(", ")
            ),
        }
    }

    /// `Duplicate value: X`.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            text: format!("Duplicate value: {}", shown(value)),
        }
    }

    /// `Not found: X`: a reference that leads nowhere.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueNotFound",
            field: field.into(),
            text: format!("Not found: {}", shown(value)),
        }
    }

    /// `Too long`, with the limit in bytes.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self {
            reason: "FieldValueTooLong",
            field: field.into(),
            text: format!("Too long: may not be more than {limit} bytes"),
        }
    }

    /// `Forbidden: detail`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueForbidden",
            field: field.into(),
            text: format!("Forbidden: {detail}"),
        }
    }

    fn message(&self) -> &str {
        &self.text
    }

    fn line(&self) -> String {
        format!("{}: {}", self.field, self.text)
    }
}

/// A value the way the validation prints it: strings quoted, composites as JSON.
fn shown(value: &Value) -> String {
    value.to_string()
}
