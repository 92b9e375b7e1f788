//! What looks like a secret where none may stand: by the name it is given, or by its own shape.
//! Values are masked before anything is shown.

use std::sync::LazyLock;

use regex::Regex;

/// Stands in place of a value.
pub const MASK: &str = "•••";

/// Shapes of well-known credentials, and passwords inside addresses.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s:/@$]*:)[^\s@/$]+(?P<after>@)",
        r"|\b(?:sk|rk|pk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}",
        r"|\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"|\bglpat-[A-Za-z0-9_-]{16,}",
        r"|\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"|\bnpm_[A-Za-z0-9]{30,}",
        r"|\bAKIA[0-9A-Z]{16}\b",
        r"|\bAIza[0-9A-Za-z_-]{30,}",
        r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ))
    .expect("the expression is a constant")
});

/// `NAME=value`, for names that say what they hold.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>"[^"]*"|'[^']*'|[^\s"']+)"#)
        .expect("the expression is a constant")
});

/// Whether a variable's name says that it holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts: Vec<&str> = name.split('_').collect();
    let says_otherwise = [
        "FILE", "PATH", "DIR", "NAME", "URL", "TTL", "EXPIRY", "LENGTH", "PUBLIC", "ID",
    ];
    if parts.iter().any(|part| says_otherwise.contains(part)) {
        return false;
    }
    let words = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "CREDENTIALS",
        "CREDENTIAL",
    ];
    parts
        .iter()
        .any(|part| words.contains(part) || part.ends_with("PASSWORD"))
        || [
            "API_KEY",
            "PRIVATE_KEY",
            "ACCESS_KEY",
            "SIGNING_KEY",
            "ENCRYPTION_KEY",
        ]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Whether a value under such a name would be one: not a variable, not a path, not a switch.
fn is_real_value(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let is_number = value.len() < 6 && value.chars().all(|char| char.is_ascii_digit());
    !(value.is_empty()
        || value == MASK
        || value.starts_with(['$', '/'])
        || is_number
        || matches!(value, "true" | "false" | "none" | "null"))
}

/// Whether a value has the shape of a well-known credential.
pub fn has_secret_shape(value: &str) -> bool {
    SHAPES.is_match(value)
}

/// Whether this variable holds a secret: by its name, or by the shape of what it holds.
pub fn is_secret(name: &str, value: &str) -> bool {
    (is_secret_name(name) && is_real_value(value)) || has_secret_shape(value)
}

/// The text with every secret masked.
pub fn mask(text: &str) -> String {
    let text = ASSIGNED.replace_all(text, |found: &regex::Captures<'_>| {
        match is_secret_name(&found["name"]) && is_real_value(&found["value"]) {
            true => format!("{}={MASK}", &found["name"]),
            false => found[0].to_owned(),
        }
    });
    SHAPES
        .replace_all(&text, |found: &regex::Captures<'_>| {
            let part = |name| found.name(name).map_or("", |part| part.as_str());
            format!("{}{MASK}{}", part("keep"), part("after"))
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_shapes_give_secrets_away() {
        for (name, value) in [
            ("DB_PASSWORD", "hunter2x"),
            ("PGPASSWORD", "hunter2x"),
            ("NPM_TOKEN", "abc"),
            ("STRIPE_API_KEY", "abc"),
            ("DATABASE_URL", "postgres://ada:hunter2@db/app"),
            ("X", "ghp_0123456789abcdefghijABCDEFGHIJ"),
            ("X", "AKIAIOSFODNN7EXAMPLE"),
        ] {
            assert!(is_secret(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("PATH", "/usr/bin"),
            ("DB_PASSWORD", "$PASSWORD"),
            ("DB_PASSWORD_FILE", "/run/secrets/db"),
            ("DB_PASSWORD", "/run/secrets/db"),
            ("TOKEN_TTL", "3600"),
            ("PUBLIC_KEY", "abc"),
            ("GPG_KEY", "7169605F62C751356D054A26A821E680E5FA6305"),
            ("DATABASE_URL", "postgres://db/app"),
            ("DATABASE_URL", "postgres://$USER:$PASS@db/app"),
            ("SECRET_KEY_BASE_DUMMY", "1"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }

    #[test]
    fn masked_text_keeps_everything_but_the_secret() {
        assert_eq!(
            mask(
                "RUN API_TOKEN=abc123 curl -u x postgres://ada:hunter2@db && PORT=80 sk-proj-0123456789abcdef0"
            ),
            "RUN API_TOKEN=••• curl -u x postgres://ada:•••@db && PORT=80 •••"
        );
        assert_eq!(mask("ENV PORT=8000"), "ENV PORT=8000");
        assert_eq!(mask(&mask("A_TOKEN=abc")), "A_TOKEN=•••");
    }
}
