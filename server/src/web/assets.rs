//! Static files of the web side: inside the binary in release builds, from the disk in debug builds.
//! Only what `cargo xtask` put into the site is served; compressed if it was compressed there.

use std::borrow::Cow;
use std::path::{Component, Path};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use crate::embedded::SITE;

/// Whether the browser half was built at all.
pub fn are_built() -> bool {
    read("pkg/slipway.js").is_some()
}

/// The file for a request's path, if there is one.
pub fn serve(path: &str, request: &HeaderMap) -> Option<Response> {
    let name = path.trim_start_matches('/');
    let plain = || read(name).map(|bytes| (bytes, None));
    if name.ends_with(".br") || name.ends_with(".gz") {
        return None;
    }
    let accepted = request
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let compressed = |coding: &'static str, suffix: &str| {
        accepts(accepted, coding)
            .then(|| read(&format!("{name}{suffix}")))
            .flatten()
            .map(|bytes| (bytes, Some(coding)))
    };
    let (bytes, coding) = compressed("br", ".br")
        .or_else(|| compressed("gzip", ".gz"))
        .or_else(plain)?;
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..12]));
    let is_known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let headers = response.headers_mut();
    // Kept by the browser, asked about every time: a new build shows at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = tag.parse() {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}

fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        parts.next() == Some(coding) && parts.all(|part| part != "q=0")
    })
}

fn read(name: &str) -> Option<Cow<'static, [u8]>> {
    if let Some((_, bytes)) = SITE.iter().find(|(known, _)| *known == name) {
        return Some(Cow::Borrowed(bytes));
    }
    if !cfg!(debug_assertions) {
        return None;
    }
    let path = Path::new(name);
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_inside {
        return None;
    }
    std::fs::read(Path::new(env!("SLIPWAY_SITE")).join(path))
        .ok()
        .map(Cow::Owned)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_site_can_be_named() {
        for name in [
            "../Cargo.toml",
            "/etc/passwd",
            "pkg/../../Cargo.lock",
            "",
            ".",
        ] {
            assert!(read(name).is_none(), "{name} was served");
        }
    }

    #[test]
    fn a_refused_coding_is_not_used() {
        assert!(accepts("gzip, br", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("brotli", "br"));
    }
}
