//! The token: out of the link's fragment, into this tab's storage, and from there into a header.
//! Never in a cookie (cookies cross ports) and never in a query (queries are logged).

use leptos::prelude::*;
use wasm_bindgen::JsValue;

const KEY: &str = "slipway.token";

/// The token in a link, a fragment, or pasted alone. None when there is nothing that could be one.
pub fn parse(text: &str) -> Option<&str> {
    let text = text.trim();
    let token = match text.split_once("token=") {
        Some((_, rest)) => rest.split(['&', '#']).next().unwrap_or(rest),
        None => text,
    };
    let plausible = !token.is_empty()
        && token.len() <= 256
        && token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
    plausible.then_some(token)
}

fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

/// Moves a token from the address bar into the tab, so that no screenshot and no history shows it.
/// Tells whether there was one.
pub fn take_from_address() -> bool {
    let location = window().location();
    let Ok(fragment) = location.hash() else {
        return false;
    };
    if !fragment.contains("token=") {
        return false;
    }
    let token = parse(&fragment);
    if let Some(token) = token {
        store(token);
    }
    let path = location.pathname().unwrap_or_else(|_| "/".to_owned());
    // Where the link leads stays: a scene, an object.
    let path = path + &location.search().unwrap_or_default();
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&path));
    }
    token.is_some()
}

/// The tab's token.
pub fn stored() -> Option<String> {
    storage()?
        .get_item(KEY)
        .ok()
        .flatten()
        .filter(|token| !token.is_empty())
}

pub fn store(token: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(KEY, token);
    }
}

/// The value of the `Authorization` header.
pub fn authorization() -> Option<String> {
    stored().map(|token| format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_link_a_fragment_and_the_bare_token_all_do() {
        for text in [
            "#token=abc-DEF_9",
            "http://127.0.0.1:4747/#token=abc-DEF_9",
            "  http://127.0.0.1:4747/demo#token=abc-DEF_9&x=1 ",
            "abc-DEF_9",
        ] {
            assert_eq!(parse(text), Some("abc-DEF_9"), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_header_is_no_token() {
        for text in ["", "#token=", "two words", "a\nb", "tök", &"x".repeat(300)] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
