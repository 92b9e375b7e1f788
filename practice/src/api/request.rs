//! A request to the API, taken apart: which kind, object and subresource the path names, what the
//! query asks for, and which rendering the client accepts.

use http::{HeaderMap, Method, Uri, header};

use super::kinds::{self, Kind};
use super::selectors::{FieldSelector, LabelSelector};
use super::status::StatusError;

/// What a resource path names.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: &'static Kind,
    /// `None` for cluster-scoped kinds and for lists across namespaces.
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

impl Target {
    /// The namespace as the store keys it.
    pub fn ns(&self) -> &str {
        self.namespace.as_deref().unwrap_or("")
    }

    /// The name, or the error of a path that should have one.
    pub fn name(&self) -> Result<&str, StatusError> {
        self.name
            .as_deref()
            .ok_or_else(StatusError::method_not_allowed)
    }
}

/// Parses `/api/v1/...` and `/apis/GROUP/VERSION/...` below the version.
pub fn parse_target(
    custom: &[&'static Kind],
    group: &str,
    version: &str,
    segments: &[&str],
) -> Result<Target, StatusError> {
    let decoded: Vec<String> = segments.iter().map(|s| percent_decode(s)).collect();
    let words: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let (namespace, words) = match words.as_slice() {
        ["namespaces", namespace, resource, ..]
            if !matches!(*resource, "status" | "finalize") || !group.is_empty() =>
        {
            (Some((*namespace).to_owned()), &words[2..])
        }
        _ => (None, words.as_slice()),
    };
    let (plural, name, subresource) = match words {
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some(*name), None),
        [plural, name, sub] => (*plural, Some(*name), Some(*sub)),
        [plural, name, "proxy", ..] => (*plural, Some(*name), Some("proxy")),
        _ => return Err(StatusError::no_such_path()),
    };
    let kind =
        kinds::by_resource(custom, group, version, plural).ok_or_else(StatusError::no_such_path)?;
    if namespace.is_some() && !kind.namespaced {
        return Err(StatusError::no_such_path());
    }
    if kind.namespaced && namespace.is_none() && name.is_some() {
        return Err(StatusError::no_such_path());
    }
    Ok(Target {
        kind,
        namespace,
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    })
}

/// Decodes `%XX`; bytes that are no UTF-8 become the replacement character.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The query parameters.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the query of a URI; what cannot be parsed is an empty query.
    pub fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or("");
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let plain = |part: &str| percent_decode(&part.replace('+', " "));
                (plain(key), plain(value))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// A boolean; `?follow` alone is true, as in the real API.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|v| !matches!(v, "false" | "0" | "False" | "F" | "f"))
    }

    /// A number, or the 400 that names the parameter.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, StatusError> {
        match self.get(key) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                StatusError::bad_request(format!(
                    "invalid query parameter {key}: \"{text}\" is not a number"
                ))
            }),
        }
    }

    /// `dryRun=All`.
    pub fn dry_run(&self) -> Result<bool, StatusError> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(StatusError::bad_request(format!(
                "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    /// The label and field selectors for a kind.
    pub fn selectors(&self, kind: &Kind) -> Result<Selectors, StatusError> {
        Ok(Selectors {
            labels: LabelSelector::parse(self.get("labelSelector").unwrap_or(""))
                .map_err(StatusError::bad_request)?,
            fields: FieldSelector::parse(kind, self.get("fieldSelector").unwrap_or(""))
                .map_err(StatusError::bad_request)?,
        })
    }
}

/// Both selectors of a list or watch.
#[derive(Clone, Debug, Default)]
pub struct Selectors {
    pub labels: LabelSelector,
    pub fields: FieldSelector,
}

impl Selectors {
    /// Whether the object is selected.
    pub fn matches(&self, object: &serde_json::Value) -> bool {
        self.labels.matches_object(object) && self.fields.matches(object)
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }
}

/// How the client wants objects to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    Object,
    /// Printed columns, with what rides along in each row.
    Table(IncludeObject),
    /// `PartialObjectMetadata`.
    Metadata,
}

/// What a table row carries of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncludeObject {
    None,
    Metadata,
    Object,
}

impl Rendering {
    /// Picks the first acceptable rendering of the `Accept` header.
    pub fn of(headers: &HeaderMap, query: &Query) -> Result<Self, StatusError> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()) else {
            return Ok(Self::Object);
        };
        for choice in accept.split(',') {
            let mut parts = choice.split(';').map(str::trim);
            let media = parts.next().unwrap_or("");
            if !matches!(media, "application/json" | "*/*" | "application/*" | "") {
                continue;
            }
            let parameters: Vec<&str> = parts.collect();
            let shown_as = parameters.iter().find_map(|p| p.strip_prefix("as="));
            match shown_as {
                None => return Ok(Self::Object),
                Some("Table") => {
                    let include = match query.get("includeObject") {
                        Some("None") => IncludeObject::None,
                        Some("Object") => IncludeObject::Object,
                        _ => IncludeObject::Metadata,
                    };
                    return Ok(Self::Table(include));
                }
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    return Ok(Self::Metadata);
                }
                Some(_) => {}
            }
        }
        Err(StatusError::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/json;stream=watch",
        ))
    }
}

/// The verb of a request, as RBAC names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// As roles name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// The verb for this method, path and query.
pub fn verb(method: &Method, named: bool, watch: bool) -> Option<Verb> {
    Some(match (method.as_str(), named) {
        ("GET" | "HEAD", true) if !watch => Verb::Get,
        ("GET", _) if watch => Verb::Watch,
        ("GET" | "HEAD", false) => Verb::List,
        ("POST", _) => Verb::Create,
        ("PUT", true) => Verb::Update,
        ("PATCH", true) => Verb::Patch,
        ("DELETE", true) => Verb::Delete,
        ("DELETE", false) => Verb::DeleteCollection,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_kind_namespace_name_and_subresource() {
        let t = parse_target(
            &[],
            "apps",
            "v1",
            &["namespaces", "todo", "deployments", "web", "scale"],
        )
        .expect("a served path");
        assert_eq!(t.kind.kind, "Deployment");
        assert_eq!(
            (t.ns(), t.name.as_deref(), t.subresource.as_deref()),
            ("todo", Some("web"), Some("scale"))
        );
        let t =
            parse_target(&[], "", "v1", &["namespaces", "todo", "status"]).expect("a served path");
        assert_eq!(
            (t.kind.kind, t.name.as_deref(), t.subresource.as_deref()),
            ("Namespace", Some("todo"), Some("status"))
        );
        let t = parse_target(
            &[],
            "",
            "v1",
            &[
                "namespaces",
                "d",
                "services",
                "http:web:80",
                "proxy",
                "a",
                "b%20c",
            ],
        )
        .expect("a served path");
        assert_eq!(
            (t.name.as_deref(), t.subresource.as_deref()),
            (Some("http:web:80"), Some("proxy"))
        );
        assert_eq!(
            parse_target(&[], "", "v1", &["gizmos"])
                .expect_err("unknown")
                .code,
            404
        );
        assert_eq!(
            parse_target(&[], "", "v1", &["pods", "x"])
                .expect_err("no namespace")
                .code,
            404
        );
    }

    #[test]
    fn the_first_acceptable_rendering_wins() {
        let mut headers = HeaderMap::new();
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        assert_eq!(
            Rendering::of(&headers, &Query::default()).expect("acceptable"),
            Rendering::Table(IncludeObject::Metadata)
        );
        headers.insert(
            header::ACCEPT,
            "application/vnd.kubernetes.protobuf"
                .parse()
                .expect("a header"),
        );
        assert_eq!(
            Rendering::of(&headers, &Query::default())
                .expect_err("refused")
                .code,
            406
        );
    }
}
