//! What may be known of a secret: whether it is set, when, and a keyed fingerprint. Never the value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ComponentName, SecretKey, UnixMillis};

/// A secret value on its way in. It prints nothing, and the server wipes it after use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretInput(pub String);

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretInput(…)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretView {
    pub key: SecretKey,
    pub label: String,
    /// Where to get it, one or two sentences.
    pub help: String,
    pub kind: SecretKind,
    pub required: bool,
    /// The components whose pods read it.
    pub components: Vec<ComponentName>,
    /// A harmless value that makes sense on the practice cluster (a SQLite file, say), from `slipway.toml`.
    pub rehearsal: Option<String>,
    pub state: SecretState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SecretKind {
    PostgresUrl,
    Url,
    ApiKey,
    /// Can be generated; at least `min_length` characters.
    Random {
        min_length: u32,
    },
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SecretState {
    /// The cluster was not asked yet, or does not let us look.
    Unknown {
        why: String,
    },
    Unset,
    /// In the cluster, with the fingerprint of what was entered here.
    Set {
        fingerprint: String,
        since: UnixMillis,
    },
    /// In the cluster, but not what was entered here: changed behind our back, or set elsewhere.
    Foreign {
        fingerprint: String,
    },
}

impl SecretState {
    pub fn is_set(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Foreign { .. })
    }
}

/// The shape rules of a value, the same in the form and on the server.
/// The error is a sentence about the shape and never repeats the value.
pub fn check_secret_shape(
    kind: &SecretKind,
    allows_rehearsal: bool,
    value: &str,
) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err("It is empty".to_owned());
    }
    if value.trim() != value {
        return Err("It starts or ends with white space; paste it without".to_owned());
    }
    if value.contains('\0') {
        return Err("It contains a NUL byte, which no environment variable can hold".to_owned());
    }
    match kind {
        SecretKind::PostgresUrl => {
            if allows_rehearsal && value.starts_with("sqlite:") {
                return Ok(());
            }
            check_postgres_url(value)
        }
        SecretKind::Url => match value.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => Ok(()),
            _ => Err("It should be a URL, like https://host/path".to_owned()),
        },
        SecretKind::ApiKey => {
            if value.chars().any(char::is_whitespace) {
                Err("An API key has no spaces or line breaks".to_owned())
            } else if value.len() < 8 {
                Err(format!(
                    "It has {} characters; API keys are longer, so it may be cut off",
                    value.chars().count()
                ))
            } else {
                Ok(())
            }
        }
        SecretKind::Random { min_length } => {
            let length = value.chars().count();
            if length < *min_length as usize {
                Err(format!(
                    "It has {length} characters and needs at least {min_length}"
                ))
            } else {
                Ok(())
            }
        }
        SecretKind::Text => Ok(()),
    }
}

fn check_postgres_url(value: &str) -> Result<(), String> {
    let rest = value
        .strip_prefix("postgres://")
        .or_else(|| value.strip_prefix("postgresql://"))
        .ok_or("It should start with postgres:// or postgresql://")?;
    let (authority, path) = rest
        .split_once('/')
        .ok_or("The database name is missing after the host")?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host_name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if host_name.is_empty() {
        return Err("The host is missing".to_owned());
    }
    let (database, query) = path.split_once('?').unwrap_or((path, ""));
    if database.is_empty() {
        return Err("The database name is missing after the host".to_owned());
    }
    let is_neon = host_name.ends_with(".neon.tech");
    let has_tls = query.split('&').any(|pair| {
        matches!(
            pair,
            "sslmode=require" | "sslmode=verify-ca" | "sslmode=verify-full"
        )
    });
    if is_neon && !has_tls {
        return Err("Neon only accepts encrypted connections: add ?sslmode=require".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgres_url_needs_scheme_host_database_and_neon_needs_tls() {
        let check = |value: &str| check_secret_shape(&SecretKind::PostgresUrl, false, value);
        assert_eq!(check("postgres://u:p@host:5432/db"), Ok(()));
        assert_eq!(
            check("postgresql://u:p@ep-x.eu.aws.neon.tech/db?sslmode=require"),
            Ok(())
        );
        assert!(check("postgresql://u:p@ep-x.eu.aws.neon.tech/db").is_err());
        for bad in [
            "",
            " postgres://h/d",
            "mysql://h/d",
            "postgres://host",
            "postgres:///db",
            "postgres://u:p@host/",
            "sqlite://x",
        ] {
            assert!(check(bad).is_err(), "{bad:?} must be refused");
        }
        assert_eq!(
            check_secret_shape(&SecretKind::PostgresUrl, true, "sqlite:///data/todo.db"),
            Ok(())
        );
    }

    #[test]
    fn no_message_repeats_the_value() {
        let value = "hunter2-but";
        for kind in [
            SecretKind::PostgresUrl,
            SecretKind::Url,
            SecretKind::Random { min_length: 32 },
        ] {
            let message = check_secret_shape(&kind, true, value).expect_err("wrong shape");
            assert!(!message.contains("hunter2"));
        }
    }
}
