//! Hides values in what is shown of an object: Secrets always, and elsewhere what looks like a
//! secret: by the name it goes under, or by its own form.

use std::borrow::Cow;

use serde_json::Value;

use super::noise::LAST_APPLIED;
use super::path::{Path, Step};
use crate::engine::redact::MASK;

/// Parts of names that secrets go under.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "private-key",
    "credential",
    "access_key",
    "accesskey",
];
/// How well-known providers begin their keys.
const PREFIXES: [&str; 16] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AIza",
    "eyJ",
];
/// Shorter ones would be words.
const SHORTEST_PREFIXED: usize = 12;
const SHORTEST_RANDOM: usize = 24;

/// Knows what must not be shown of one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    is_secret: bool,
    is_config: bool,
}

impl Mask {
    pub fn of(object: &Value) -> Self {
        Self {
            is_secret: object["kind"] == "Secret",
            is_config: object["kind"] == "ConfigMap",
        }
    }

    /// The text of a scalar at this path, as it may be shown.
    pub fn text<'a>(self, path: &Path, text: &'a str) -> Cow<'a, str> {
        match self.lines(path, text) {
            Some(lines) => lines.text(text),
            None => Cow::Borrowed(MASK),
        }
    }

    /// How lines of the text at this path may be shown, each for itself; none when the text is
    /// hidden as a whole.
    pub fn lines(self, path: &Path, text: &str) -> Option<LineMask> {
        if self.hides_all(path) {
            return None;
        }
        let in_config =
            self.is_config && (path.starts_with(&["data"]) || path.starts_with(&["binaryData"]));
        let name = match env_name(path) {
            Some(name) => name,
            None if in_config => path.last_field().unwrap_or_default(),
            None => "",
        };
        let strict = in_config || !name.is_empty() || is_argument(path);
        LineMask::of(name, text, strict)
    }

    /// Whether nothing below this path may be shown.
    fn hides_all(self, path: &Path) -> bool {
        let data = self.is_secret
            && path.0.len() > 1
            && (path.starts_with(&["data"]) || path.starts_with(&["stringData"]));
        data || path.last_field() == Some(LAST_APPLIED)
    }
}

/// The variable's name, for a path that ends in `env[name=X].value`.
fn env_name(path: &Path) -> Option<&str> {
    let [.., Step::Field(list), Step::Entry(keys), Step::Field(value)] = path.0.as_slice() else {
        return None;
    };
    if list != "env" || value != "value" {
        return None;
    }
    keys.first().and_then(|(_, name)| name.as_str())
}

fn is_argument(path: &Path) -> bool {
    matches!(path.last_field(), Some("args" | "command"))
}

/// Hides what looks like a secret in lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineMask {
    /// Hides also what only looks random, where people write values by hand.
    strict: bool,
}

impl LineMask {
    /// For the value that goes under `name` (or none); none when it is a secret as a whole.
    fn of(name: &str, text: &str, strict: bool) -> Option<Self> {
        let is_secret =
            text.contains("PRIVATE KEY-----") || is_sensitive_name(name) && !is_harmless(text);
        (!is_secret).then_some(Self { strict })
    }

    /// One line as it may be shown.
    pub fn line(self, line: &str) -> Cow<'_, str> {
        hide_in_line(line, self.strict)
    }

    /// Whole lines as they may be shown.
    pub fn text(self, text: &str) -> Cow<'_, str> {
        if !text.contains('\n') {
            return self.line(text);
        }
        let lines: Vec<Cow<'_, str>> = text.split('\n').map(|line| self.line(line)).collect();
        if lines.iter().all(|line| matches!(line, Cow::Borrowed(_))) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(lines.join("\n"))
    }
}

/// Hides what looks like a secret in the value that goes under `name` (or none).
pub fn hide<'a>(name: &str, text: &'a str, strict: bool) -> Cow<'a, str> {
    LineMask::of(name, text, strict).map_or(Cow::Borrowed(MASK), |lines| lines.text(text))
}

fn is_sensitive_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part)) && !name.ends_with("_file")
}

/// Settings about secrets are none themselves: switches, numbers, addresses, paths, references.
fn is_harmless(text: &str) -> bool {
    let text = text.trim();
    let is_address = text
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.split('/').next().unwrap_or_default().contains('@'));
    text.is_empty()
        || matches!(text, "true" | "false" | "null" | "none")
        || (text.len() < 6 && text.chars().all(|c| c.is_ascii_digit()))
        || (is_address && !text.contains(['?', '\n']))
        || (text.starts_with('/') && !text.contains('\n') && text.len() < 200)
        || (text.starts_with("$(") && text.ends_with(')'))
        || (text.starts_with("${") && text.ends_with('}'))
        || text == MASK
}

fn hide_in_line(line: &str, strict: bool) -> Cow<'_, str> {
    // `password: x`, `"apiKey": "x",`, `--token=x`, `TOKEN=x`
    if let Some(at) = line.find([':', '=']) {
        let name = line[..at].trim().trim_matches(['"', '\'', '-']);
        let value = line[at + 1..].trim();
        let bare = value.trim_end_matches(',').trim_matches(['"', '\'']);
        let is_word = !name.contains([' ', '/']) || line.trim_start().starts_with('"');
        if is_word && is_sensitive_name(name) && !is_harmless(bare) && !bare.starts_with(['{', '['])
        {
            return Cow::Owned(format!("{}{MASK}", &line[..=at]).replacen(":•", ": •", 1));
        }
    }
    let mut shown = Cow::Borrowed(line);
    if let Some(hidden) = without_password(&shown) {
        shown = Cow::Owned(hidden);
    }
    let words: Vec<String> = shown
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_+/=.".contains(c)))
        // Nothing shorter is a token; most words are.
        .filter(|word| word.len() >= SHORTEST_PREFIXED && is_token(word, strict))
        .map(str::to_owned)
        .collect();
    for word in words {
        shown = Cow::Owned(shown.replace(&word, MASK));
    }
    shown
}

/// `postgres://user:•••@host/db`
fn without_password(line: &str) -> Option<String> {
    let scheme = line.find("://")? + 3;
    let authority = line[scheme..]
        .find(['/', '?', '#', ' ', '"', '\''])
        .map_or(line.len(), |end| scheme + end);
    let at = scheme + line[scheme..authority].rfind('@')?;
    let colon = scheme + line[scheme..at].find(':')?;
    (colon + 1 < at).then(|| format!("{}{MASK}{}", &line[..=colon], &line[at..]))
}

fn is_token(word: &str, strict: bool) -> bool {
    // `name=value` in one word, as in a query.
    if let Some((_, value)) = word.split_once('=')
        && !value.trim_matches('=').is_empty()
    {
        return is_token(value, strict);
    }
    let known = word.len() >= SHORTEST_PREFIXED
        && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
        && word.chars().any(|c| c.is_ascii_digit());
    known || (strict && looks_random(word))
}

/// Letters and digits well mixed; not a version, a path, a host or a digest of an image.
fn looks_random(word: &str) -> bool {
    if word.len() < SHORTEST_RANDOM || word.contains(['.', '/']) && !word.ends_with('=') {
        return false;
    }
    let has = |wanted: fn(&char) -> bool| word.chars().filter(wanted).count();
    let digits = has(|c| c.is_ascii_digit());
    let letters = has(|c| c.is_ascii_alphabetic());
    let mut counts = [0u32; 128];
    for byte in word.bytes().filter(u8::is_ascii) {
        counts[usize::from(byte)] += 1;
    }
    let length = word.len() as f64;
    let entropy: f64 = counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| {
            let share = f64::from(count) / length;
            -share * share.log2()
        })
        .sum();
    digits >= 3 && letters >= 3 && entropy > 3.4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (name, text) in [
            ("DB_PASSWORD", "hunter2!"),
            ("apiKey", "abc"),
            ("X", "sk-proj-0123456789abcdef"),
            ("X", "ghp_0123456789abcdefghij"),
            ("X", "q8Zr1LmV5xT0pK7wB3nD9fGh"),
            (
                "ca.pem",
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            ),
        ] {
            assert_eq!(hide(name, text, true), MASK, "{name}");
        }
        assert_eq!(
            hide(
                "DATABASE_URL",
                "postgres://me:hunter2@db/x?sslmode=require",
                true
            ),
            "postgres://me:•••@db/x?sslmode=require"
        );
        assert_eq!(hide("", "--token=abcdef", true), "--token=•••");
        assert_eq!(
            hide(
                "app.json",
                "{\n  \"port\": 80,\n  \"apiKey\": \"abcdef\"\n}",
                true
            ),
            "{\n  \"port\": 80,\n  \"apiKey\": •••\n}"
        );
    }

    #[test]
    fn settings_stay_readable() {
        for (name, text) in [
            ("RUST_LOG", "info"),
            ("TOKEN_TTL", "3600"),
            ("TOKEN_URL", "https://login.example.com/token"),
            ("PASSWORD_FILE", "/run/secrets/password"),
            ("AUTH_SECRET_ENABLED", "true"),
            ("BACKEND_URL", "http://backend:8000"),
            ("IMAGE", "ghcr.io/acme/todo-backend:3f9a0c12be77"),
            (
                "",
                "exec /usr/local/bin/server --listen=0.0.0.0:8000 --workers=4",
            ),
            ("MODEL", "gpt-4.1-mini-2025-04-14"),
        ] {
            assert_eq!(hide(name, text, true), text, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_password_under_its_name_never_shows(value in "[A-Za-z0-9!%&]{6,40}", before in "[a-z ]{0,10}", after in "[a-z\n ]{0,10}") {
            prop_assume!(!matches!(value.as_str(), "true" | "false"));
            let value = format!("Z9{value}");
            for text in [value.clone(), format!("{before}\npassword: {value}\n{after}"), format!("db_password={value}")] {
                prop_assert!(!hide("password", &text, true).contains(&value));
            }
            let nested = format!("{before}\npassword: {value}\n{after}");
            prop_assert!(!hide("settings.yaml", &nested, true).contains(&value));
        }
    }
}
