//! Lists: selectors, pages and renderings.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use http::Request;
use serde_json::{Value, json};

use super::request::{Query, Rendering, Target};
use super::serve::{ApiServer, json_response, text_response};
use super::status::StatusError;
use super::table;
use super::views;

/// Answers a list request.
pub fn answer(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: &Request<Body>,
) -> Result<Response, StatusError> {
    let selectors = query.selectors(target.kind)?;
    let limit: usize = query.number("limit")?.unwrap_or(0);
    let resume = query
        .get("continue")
        .filter(|c| !c.is_empty())
        .map(Page::parse)
        .transpose()?;
    let snapshot = api.store.list(target.kind, target.namespace.as_deref());
    check_version(query, snapshot.rv)?;
    // Pages keep the version of the first one, so that a watch from it sees what happened between.
    let rv = resume.as_ref().map_or(snapshot.rv, |page| page.rv);
    let mut objects: Vec<_> = snapshot
        .objects
        .iter()
        .filter(|object| selectors.matches(object))
        .filter(|object| {
            resume
                .as_ref()
                .is_none_or(|page| key_of(object) > page.after)
        })
        .collect();
    let mut metadata = json!({"resourceVersion": rv.to_string()});
    if limit > 0 && objects.len() > limit {
        let remaining = objects.len() - limit;
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            metadata["continue"] = Page {
                rv,
                after: key_of(last),
            }
            .text()
            .into();
        }
        if selectors.is_everything() {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let objects = objects.into_iter().map(|object| &**object);
    Ok(match Rendering::of(request.headers(), query)? {
        Rendering::Table(include) => json_response(
            200,
            &table::table(target.kind, objects, include, metadata, true),
        ),
        Rendering::Metadata => {
            let items: Vec<Value> = objects.map(table::metadata_only).collect();
            let body = json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "items": items
            });
            json_response(200, &body)
        }
        Rendering::Object => text_response(200, whole_list(target, objects, &metadata)),
    })
}

/// Written piece by piece: a list may be large and needs no second copy of its objects.
fn whole_list<'a>(
    target: &Target,
    objects: impl Iterator<Item = &'a Value>,
    metadata: &Value,
) -> String {
    let mut out = format!(
        "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[",
        target.kind.list_kind(),
        target.kind.api_version(),
    );
    for (at, object) in objects.enumerate() {
        if at > 0 {
            out.push(',');
        }
        let object = views::outward(target.kind, object);
        if target.kind.custom.is_some() {
            out.push_str(&object.to_string());
        } else {
            push_item(&mut out, &object);
        }
    }
    out.push_str("]}");
    out
}

/// Items of a list do not repeat the list's own kind, unless it is a custom one.
fn push_item(out: &mut String, object: &Value) {
    out.push('{');
    let mut first = true;
    for (key, value) in object.as_object().into_iter().flatten() {
        if key == "kind" || key == "apiVersion" {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        out.push_str(&value.to_string());
    }
    out.push('}');
}

/// A list cannot be as new as a version that does not exist yet.
pub fn check_version(query: &Query, current: u64) -> Result<(), StatusError> {
    let asked: u64 = query
        .number("resourceVersion")
        .map_err(|_| invalid_version(query))?
        .unwrap_or(0);
    if asked <= current {
        return Ok(());
    }
    let mut error = StatusError::new(
        504,
        "Timeout",
        format!("Too large resource version: {asked}, current: {current}"),
    );
    error.details = Some(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1
    }));
    Err(error)
}

fn invalid_version(query: &Query) -> StatusError {
    StatusError::bad_request(format!(
        "resourceVersion: Invalid value: \"{}\": must be a number",
        query.get("resourceVersion").unwrap_or("")
    ))
}

fn key_of(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (text("namespace"), text("name"))
}

/// Where a list goes on.
struct Page {
    rv: u64,
    after: (String, String),
}

impl Page {
    fn text(&self) -> String {
        let plain =
            json!({"v": "meta.k8s.io/v1", "rv": self.rv, "start": [self.after.0, self.after.1]});
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(plain.to_string())
    }

    fn parse(text: &str) -> Result<Self, StatusError> {
        let bad = || StatusError::bad_request("continue key is not valid");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| bad())?;
        let plain: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        let part = |at: usize| {
            plain["start"][at]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(bad)
        };
        Ok(Self {
            rv: plain["rv"].as_u64().ok_or_else(bad)?,
            after: (part(0)?, part(1)?),
        })
    }
}
