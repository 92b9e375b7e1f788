//! Reading request bodies: JSON, YAML or protobuf, of bounded size.

use axum::body::Body;
use http::{HeaderMap, Request, header};
use serde_json::Value;

use super::protobuf;
use super::status::StatusError;

/// The API server's own limit for one request.
const LIMIT: usize = 3 * 1024 * 1024;

/// Reads the whole body.
pub async fn read(request: Request<Body>) -> Result<(HeaderMap, Vec<u8>), StatusError> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, LIMIT).await.map_err(|_| {
        StatusError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {LIMIT}"),
        )
    })?;
    Ok((parts.headers, bytes.to_vec()))
}

/// The media type without its parameters.
pub fn media_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// Decodes an object sent as JSON (the default), YAML or protobuf.
pub fn decode(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, StatusError> {
    match media_type(headers) {
        "" | "application/json" | "*/*" => json(bytes),
        protobuf::MEDIA_TYPE => protobuf::decode(bytes),
        "application/yaml" | "application/x-yaml" | "text/yaml" => yaml(bytes),
        other => Err(StatusError::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf (got {other})"
        ))),
    }
}

/// Decodes JSON.
pub fn json(bytes: &[u8]) -> Result<Value, StatusError> {
    serde_json::from_slice(bytes).map_err(|error| {
        StatusError::bad_request(format!(
            "couldn't get version/kind; json parse error: {error}"
        ))
    })
}

/// Decodes YAML (of which JSON is a part).
pub fn yaml(bytes: &[u8]) -> Result<Value, StatusError> {
    serde_yaml::from_slice(bytes)
        .map_err(|error| StatusError::bad_request(format!("error decoding YAML: {error}")))
}
