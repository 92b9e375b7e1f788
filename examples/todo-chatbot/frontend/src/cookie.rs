//! The visitor's cookie: a token the backend signed, out of reach of scripts.

use axum::http::{HeaderMap, HeaderValue, header};

const NAME: &str = "todo_visitor";
const YEAR: u32 = 31_536_000;

/// The visitor token of a request, if its cookie looks like one.
pub fn read(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
        .filter(|token| well_formed(token))
        .map(str::to_owned)
}

/// The header that sets it. It names no path: a browser then takes the folder of the page, which
/// also fits when a proxy serves the app below a path of its own. `Secure` is left out because
/// the app is opened over plain HTTP on a local cluster.
pub fn set(token: &str) -> Option<HeaderValue> {
    if !well_formed(token) {
        return None;
    }
    HeaderValue::from_str(&format!(
        "{NAME}={token}; Max-Age={YEAR}; HttpOnly; SameSite=Lax"
    ))
    .ok()
}

/// The header that takes it away.
pub fn clear() -> HeaderValue {
    HeaderValue::from_static("todo_visitor=; Max-Age=0; HttpOnly; SameSite=Lax")
}

fn well_formed(token: &str) -> bool {
    (1..=256).contains(&token.len())
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=b; todo_visitor=v1.ab.cd; c=d"),
        );
        assert_eq!(read(&headers).as_deref(), Some("v1.ab.cd"));
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("todo_visitor=\"<script>\""),
        );
        assert_eq!(read(&headers), None);
    }

    #[test]
    fn only_a_well_formed_token_is_set() {
        let value = set("v1.ab.cd").unwrap();
        assert!(value.to_str().unwrap().contains("HttpOnly; SameSite=Lax"));
        assert!(set("x; Domain=evil").is_none());
    }
}
