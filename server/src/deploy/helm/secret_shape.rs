//! What looks like a secret: by the name of its key, or by its own shape.
//! Secret values belong into the cluster's Secret, never into values: a release record keeps them.

use serde_json::Value;

pub use crate::engine::MASK;

/// Parts of key names that promise a secret, in lower case without separators.
const TELLING: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secretkey",
    "secretaccesskey",
    "clientsecret",
    "apikey",
    "accesskey",
    "privatekey",
    "authtoken",
    "credential",
    "connectionstring",
    "databaseurl",
];
/// Whole key names that promise one.
const TELLING_WHOLE: [&str; 6] = ["secret", "token", "auth", "pat", "dsn", "cert"];
/// Endings that say that the value only points at one, or is about one.
const POINTERS: [&str; 16] = [
    "name", "ref", "keyref", "file", "path", "existing", "enabled", "mount", "length", "ttl",
    "url", "type", "policy", "create", "expiry", "rotation",
];

/// Whether a text under this key looks like a secret value.
pub fn is_secret(key: &str, text: &str) -> bool {
    !text.is_empty() && (has_secret_shape(text) || promises_secret(key))
}

/// Whether a key's name promises a secret.
pub fn promises_secret(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if plain.starts_with("existing") {
        return false;
    }
    if plain == "databaseurl" {
        return true;
    }
    if POINTERS.iter().any(|ending| plain.ends_with(ending)) {
        return false;
    }
    TELLING_WHOLE.contains(&plain.as_str())
        || plain.ends_with("token")
        || TELLING.iter().any(|part| plain.contains(part))
}

/// Whether a text has the shape of a well-known kind of secret, whatever its key is called.
pub fn has_secret_shape(text: &str) -> bool {
    let text = text.trim();
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return true;
    }
    // A URL with a password in it.
    if let Some((_, rest)) = text.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user_info, _)) = authority.rsplit_once('@')
            && let Some((_, password)) = user_info.split_once(':')
            && !password.is_empty()
            && !password.starts_with('$')
        {
            return true;
        }
    }
    let is_word = |rest: &str, least: usize| {
        rest.len() >= least
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let prefixed = [
        ("sk-", 20),
        ("ghp_", 30),
        ("gho_", 30),
        ("github_pat_", 30),
        ("glpat-", 18),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("npg_", 10),
        ("AIza", 30),
    ];
    if prefixed.iter().any(|(prefix, least)| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| is_word(rest, *least))
    }) {
        return true;
    }
    if text.strip_prefix("AKIA").is_some_and(|rest| {
        rest.len() == 16
            && rest
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    }) {
        return true;
    }
    // A JSON web token.
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts[0].starts_with("eyJ") && parts[1].starts_with("eyJ")
}

/// One secret-looking text inside values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub path: Vec<String>,
    /// Sure: a known value of the project's secrets, or a well-known shape. Else only its name tells.
    pub sure: bool,
}

/// All of them. `is_known` tells the values that were entered as the project's secrets.
pub fn suspects(values: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<Suspect> {
    let mut found = Vec::new();
    walk(values, &mut Vec::new(), &mut |path, text| {
        let key = path.last().map_or("", String::as_str);
        let sure = has_secret_shape(text) || is_known(text);
        if sure || is_secret(key, text) {
            found.push(Suspect {
                path: path.to_vec(),
                sure,
            });
        }
    });
    found
}

/// The values with everything that looks like a secret masked.
pub fn masked(values: &Value, is_known: &dyn Fn(&str) -> bool) -> Value {
    masked_under("", values, is_known)
}

/// As [`masked`], for the value of a key.
pub fn masked_under(key: &str, value: &Value, is_known: &dyn Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), masked_under(key, value, is_known)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| masked_under(key, item, is_known))
                .collect(),
        ),
        Value::String(text) if is_secret(key, text) || is_known(text) => {
            Value::String(MASK.to_owned())
        }
        other => other.clone(),
    }
}

fn walk(value: &Value, path: &mut Vec<String>, tell: &mut dyn FnMut(&[String], &str)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                path.push(key.clone());
                walk(value, path, tell);
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, path, tell);
            }
        }
        Value::String(text) => tell(path, text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_shapes_give_secrets_away_and_pointers_do_not() {
        for key in [
            "password",
            "dbPassword",
            "OPENAI_API_KEY",
            "auth-token",
            "token",
            "clientSecret",
            "DATABASE_URL",
            "aws_secret_access_key",
        ] {
            assert!(is_secret(key, "abcdef"), "{key}");
            assert!(!is_secret(key, ""), "{key} is empty");
        }
        for key in [
            "existingSecret",
            "secretName",
            "passwordSecretRef",
            "tokenTtl",
            "image",
            "tag",
            "secretKeyRef",
            "automountToken.enabled",
            "openaiBaseUrl",
            "tokenFile",
            "passwordLength",
        ] {
            assert!(!is_secret(key, "abcdef"), "{key}");
        }
        for text in [
            "postgres://u:p@h/d",
            "-----BEGIN RSA PRIVATE KEY-----\nx",
            "sk-proj-abcdefghijklmnopqrstuv",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
        ] {
            assert!(has_secret_shape(text), "{text}");
        }
        for text in [
            "https://api.openai.com/v1",
            "postgres://$(USER):$(PASSWORD)@h/d",
            "sk-short",
            "1.2.3",
            "registry:5000/app@sha256:abc",
        ] {
            assert!(!has_secret_shape(text), "{text}");
        }
    }

    #[test]
    fn a_masked_tree_keeps_everything_else() {
        let values = json!({"a": {"password": "x", "port": 1}, "list": ["postgres://u:p@h/d", "b"], "known": "entered-value"});
        let known = |text: &str| text == "entered-value";
        assert_eq!(
            masked(&values, &known),
            json!({"a": {"password": MASK, "port": 1}, "list": [MASK, "b"], "known": MASK})
        );
        let found = suspects(&values, &known);
        assert_eq!(
            found.iter().map(|one| one.sure).collect::<Vec<_>>(),
            [false, true, true]
        );
    }
}
