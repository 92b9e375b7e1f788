//! The HTTP proxies to pods and services: the API server calls the pod and hands the answer back.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::kinds;
use super::pod_backend::PodRef;
use super::pod_log::pod_ref;
use super::request::Target;
use super::serve::ApiServer;
use super::status::StatusError;

/// Headers that belong to one connection, and the caller's credentials, which are for us alone.
const NOT_FORWARDED: &[HeaderName] = &[
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::AUTHORIZATION,
    header::HOST,
];

/// Answers `.../proxy` and everything below it.
pub async fn answer(
    api: &ApiServer,
    target: &Target,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let (scheme, name, port) = split_name(target.name()?);
    if scheme == "https" {
        return Err(StatusError::unavailable(
            "error trying to reach service: https to a pod is not rehearsed here",
        ));
    }
    let (pod, port) = match target.kind.kind {
        "Pod" => pod_port(api, target, name, port)?,
        _ => service_endpoint(api, target, name, port)?,
    };
    let unreachable = |why: &dyn std::fmt::Display| {
        StatusError::unavailable(format!("error trying to reach service: {why}"))
    };
    let connection = api
        .backend()?
        .dial(&pod, port)
        .await
        .map_err(|e| unreachable(&e))?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(connection))
        .await
        .map_err(|e| unreachable(&e))?;
    // Ends with the answer's body or with the pod, whichever is first.
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a proxied connection to a pod ended early");
        }
    });
    let prefix = proxy_prefix(request.uri().path());
    let outgoing = outgoing(request, port)?;
    let response = sender
        .send_request(outgoing)
        .await
        .map_err(|e| unreachable(&e))?;
    let mut response = response.map(Body::new);
    for name in NOT_FORWARDED {
        response.headers_mut().remove(name);
    }
    rewrite_location(response.headers_mut(), &prefix);
    Ok(response)
}

/// `[SCHEME:]NAME[:PORT]`.
fn split_name(text: &str) -> (&str, &str, &str) {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [name] => ("", name, ""),
        [name, port] if !matches!(*name, "http" | "https") => ("", name, port),
        [scheme, name] => (scheme, name, ""),
        [scheme, name, port] => (scheme, name, port),
        _ => ("", text, ""),
    }
}

fn pod_port(
    api: &ApiServer,
    target: &Target,
    name: &str,
    port: &str,
) -> Result<(PodRef, u16), StatusError> {
    let pod = api
        .store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))?;
    let declared = || {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        containers.flat_map(|c| c["ports"].as_array().into_iter().flatten())
    };
    let number = match port {
        "" => declared()
            .find_map(|p| p["containerPort"].as_u64())
            .unwrap_or(80),
        text => match text.parse() {
            Ok(number) => number,
            Err(_) => declared()
                .find(|p| p["name"] == text)
                .and_then(|p| p["containerPort"].as_u64())
                .ok_or_else(|| {
                    StatusError::unavailable(format!("no port \"{text}\" found for pod \"{name}\""))
                })?,
        },
    };
    let number = u16::try_from(number)
        .map_err(|_| StatusError::bad_request(format!("port {number} is out of range")))?;
    Ok((pod_ref(&pod), number))
}

/// A ready pod behind a service and its port there.
fn service_endpoint(
    api: &ApiServer,
    target: &Target,
    name: &str,
    port: &str,
) -> Result<(PodRef, u16), StatusError> {
    let service = api
        .store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))?;
    let ports = service["spec"]["ports"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let chosen = match (port, ports) {
        ("", [only]) => Some(only),
        ("", all) => all.iter().find(|p| p["name"].is_null() || p["name"] == ""),
        (text, all) => all.iter().find(|p| {
            p["name"] == text || text.parse::<u64>().ok().is_some_and(|n| p["port"] == n)
        }),
    };
    let Some(chosen) = chosen else {
        return Err(StatusError::unavailable(format!(
            "no service port {port} found for service \"{name}\""
        )));
    };
    let port_name = chosen["name"].as_str().unwrap_or("");
    let slices = kinds::by_kind("discovery.k8s.io", "EndpointSlice")
        .ok_or_else(StatusError::no_such_path)?;
    let mut candidates = Vec::new();
    for slice in api.store.list(slices, Some(target.ns())).objects {
        if slice["metadata"]["labels"]["kubernetes.io/service-name"] != name {
            continue;
        }
        let ports = slice["ports"].as_array().into_iter().flatten();
        let number = ports
            .into_iter()
            .find(|p| p["name"].as_str().unwrap_or("") == port_name)
            .and_then(|p| p["port"].as_u64())
            .and_then(|p| u16::try_from(p).ok());
        let Some(number) = number else { continue };
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            // A missing answer counts as ready.
            if endpoint["conditions"]["ready"] != false && endpoint["targetRef"]["kind"] == "Pod" {
                candidates.push((referenced(&endpoint["targetRef"], target.ns()), number));
            }
        }
    }
    use rand::seq::IndexedRandom as _;
    candidates.choose(&mut rand::rng()).cloned().ok_or_else(|| {
        StatusError::unavailable(format!("no endpoints available for service \"{name}\""))
    })
}

fn referenced(reference: &Value, namespace: &str) -> PodRef {
    let text = |field: &str| reference[field].as_str().unwrap_or("").to_owned();
    PodRef {
        namespace: namespace.to_owned(),
        name: text("name"),
        uid: text("uid"),
    }
}

/// `/api/v1/namespaces/NS/services/NAME/proxy`.
fn proxy_prefix(path: &str) -> String {
    path.split('/').take(8).collect::<Vec<_>>().join("/")
}

fn outgoing(request: Request<Body>, port: u16) -> Result<Request<Body>, StatusError> {
    let (mut parts, body) = request.into_parts();
    // Everything behind the eighth slash, untouched: a doubled or trailing slash means something.
    let rest = parts.uri.path().splitn(9, '/').nth(8).unwrap_or("");
    let path = match parts.uri.query() {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    };
    let original = parts.uri.path().to_owned();
    let host = parts
        .headers
        .get(header::HOST)
        .cloned()
        .or_else(|| HeaderValue::from_str(parts.uri.authority()?.as_str()).ok());
    for name in NOT_FORWARDED {
        parts.headers.remove(name);
    }
    if let Ok(uri) = HeaderValue::from_str(&original) {
        parts.headers.insert("x-forwarded-uri", uri);
    }
    if let Some(host) = host {
        parts.headers.insert("x-forwarded-host", host);
    }
    parts
        .headers
        .insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let pod_host = HeaderValue::from_str(&format!("localhost:{port}"))
        .map_err(|_| StatusError::internal("the pod's address is no header"))?;
    parts.headers.insert(header::HOST, pod_host);
    parts.uri = path
        .parse::<Uri>()
        .map_err(|error| StatusError::bad_request(error.to_string()))?;
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    Ok(Request::from_parts(parts, body))
}

/// A redirect inside the app stays inside the proxy.
fn rewrite_location(headers: &mut HeaderMap, prefix: &str) {
    let Some(location) = headers.get(header::LOCATION).and_then(|v| v.to_str().ok()) else {
        return;
    };
    if location.starts_with('/')
        && !location.starts_with("//")
        && let Ok(value) = HeaderValue::from_str(&format!("{prefix}{location}"))
    {
        headers.insert(header::LOCATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_scheme_and_port() {
        assert_eq!(split_name("web"), ("", "web", ""));
        assert_eq!(split_name("web:80"), ("", "web", "80"));
        assert_eq!(split_name("http:web:main"), ("http", "web", "main"));
        assert_eq!(split_name("http:web:"), ("http", "web", ""));
    }

    #[test]
    fn the_path_below_the_proxy_is_kept_as_it_is() {
        let request = Request::get("/api/v1/namespaces/d/services/web/proxy/a//b/?q=1")
            .header(header::AUTHORIZATION, "Bearer x")
            .body(Body::empty())
            .expect("a request");
        let out = outgoing(request, 8000).expect("a request");
        assert_eq!(out.uri(), "/a//b/?q=1");
        assert!(out.headers().get(header::AUTHORIZATION).is_none());
        assert_eq!(
            out.headers()["x-forwarded-uri"],
            "/api/v1/namespaces/d/services/web/proxy/a//b/"
        );
    }
}
