//! The gate: the rules every request passes before anything else looks at it, in their order, and
//! the headers every answer carries.

use std::net::SocketAddr;

use app::model::Role;
use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};

use super::tokens::{Bearer, Keys};

/// The largest body taken.
pub const LONGEST_BODY: usize = 1024 * 1024;
/// Set by our own pages only: a foreign page cannot send it without asking first, and is refused then.
const OWN_HEADER: &str = "x-slipway";

/// The names under which this server may be addressed.
#[derive(Clone, Debug)]
pub struct Addresses {
    hosts: Vec<String>,
}

impl Addresses {
    /// The three names of this machine's own address.
    pub fn loopback(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let with_port = names.iter().map(|name| format!("{name}:{port}"));
        // Browsers leave out the port that HTTP has anyway.
        let bare = names
            .iter()
            .filter(|_| port == 80)
            .map(|name| (*name).to_owned());
        Self {
            hosts: with_port.chain(bare).collect(),
        }
    }

    /// One address and no other name.
    pub fn exactly(address: SocketAddr) -> Self {
        Self {
            hosts: vec![address.to_string()],
        }
    }

    fn has_host(&self, host: &str) -> bool {
        self.hosts
            .iter()
            .any(|allowed| host.eq_ignore_ascii_case(allowed))
    }

    fn has_origin(&self, origin: &str) -> bool {
        origin
            .strip_prefix("http://")
            .is_some_and(|host| self.hosts.iter().any(|allowed| host == allowed))
    }
}

/// Whether the request may go on, and as whom: none is someone without a token, who gets the empty
/// shell and the static files.
pub fn admit(
    addresses: &Addresses,
    keys: &dyn Keys,
    request: &Request<Body>,
) -> Result<Option<Role>, StatusCode> {
    let headers = request.headers();
    check_host(addresses, request)?;
    check_origin(addresses, request)?;
    check_method(request)?;
    let role = match keys.bearer(headers) {
        Bearer::Role(role) => Some(role),
        Bearer::Wrong => return Err(StatusCode::UNAUTHORIZED),
        Bearer::None => None,
    };
    match (role, is_data(request.uri().path()), request.method()) {
        (None, true, _) | (None, _, &Method::POST) => return Err(StatusCode::UNAUTHORIZED),
        (Some(Role::Viewer), _, &Method::POST) => return Err(StatusCode::FORBIDDEN),
        _ => {}
    }
    Ok(role)
}

/// Whether a path answers with data, which nobody gets without a token.
pub fn is_data(path: &str) -> bool {
    matches!(path, "/events" | "/replay" | "/api")
        || path.starts_with("/api/")
        || path.starts_with("/follow/")
}

fn check_host(addresses: &Addresses, request: &Request<Body>) -> Result<(), StatusCode> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| StatusCode::MISDIRECTED_REQUEST)?,
        _ => return Err(StatusCode::MISDIRECTED_REQUEST),
    };
    // A request line with a whole URL names a host too; the two must not differ.
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let agrees = authority.is_none_or(|authority| authority.eq_ignore_ascii_case(host));
    if addresses.has_host(host) && agrees {
        Ok(())
    } else {
        Err(StatusCode::MISDIRECTED_REQUEST)
    }
}

fn check_origin(addresses: &Addresses, request: &Request<Body>) -> Result<(), StatusCode> {
    for origin in request.headers().get_all(header::ORIGIN) {
        if !origin
            .to_str()
            .is_ok_and(|origin| addresses.has_origin(origin))
        {
            return Err(StatusCode::FORBIDDEN);
        }
    }
    for site in request.headers().get_all("sec-fetch-site") {
        // `none` is a person's own doing: a typed address, a bookmark, the link from the terminal.
        let is_typed =
            site == "none" && request.method() == Method::GET && !is_data(request.uri().path());
        if site != "same-origin" && !is_typed {
            return Err(StatusCode::FORBIDDEN);
        }
    }
    Ok(())
}

fn check_method(request: &Request<Body>) -> Result<(), StatusCode> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::POST => {
            let headers = request.headers();
            let is_json = headers
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split(';').next())
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
            if !is_json {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            match headers.get(OWN_HEADER) {
                Some(value) if value == "1" => Ok(()),
                _ => Err(StatusCode::FORBIDDEN),
            }
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// Adds the headers that keep a browser from doing anything else with the answer.
pub fn harden(response: &mut Response) {
    let headers = response.headers_mut();
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // The shell brings its own, with the nonce.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
