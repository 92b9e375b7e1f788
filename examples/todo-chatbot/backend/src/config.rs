//! Settings from the environment, checked once at start.
//! Every problem is reported together, by name and never with the value.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::{secret::Secret, store::DatabaseUrl};

const PUBLIC_API: &str = "https://api.openai.com/v1";
const DEFAULT_MODEL: &str = "gpt-4.1-mini";
/// Shorter secrets can be guessed offline from one visitor token.
const MIN_AUTH_SECRET: usize = 32;

/// Everything the backend is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen (`HOST`, `PORT`).
    pub listen: SocketAddr,
    /// Where todos and conversations live (`DATABASE_URL`).
    pub database: DatabaseUrl,
    /// The chat provider (`OPENAI_*`).
    pub assistant: AssistantConfig,
    /// Signs visitor tokens (`AUTH_SECRET`).
    pub auth_secret: Secret,
    /// How long to answer on after SIGTERM while readiness is already red (`DRAIN_SECONDS`).
    pub drain: Duration,
}

/// The OpenAI-compatible provider.
#[derive(Clone, Debug)]
pub struct AssistantConfig {
    /// Without a key the assistant is offline and says so.
    pub api_key: Option<Secret>,
    /// Base address, with the version in it (`…/v1`).
    pub base_url: String,
    /// Model name as the provider spells it.
    pub model: String,
    /// Deadline of one request to the provider; a whole turn gets three times as long.
    pub timeout: Duration,
}

/// A setting that is missing or cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {why}")]
pub struct ConfigProblem {
    /// Name of the variable.
    pub setting: &'static str,
    /// What is wrong, as the end of a sentence.
    pub why: String,
}

/// A setting was refused; the reason is in the list of problems.
struct Refused;

impl Config {
    /// Reads every setting with `read`, which gives none for unset and empty variables.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut refuse = |setting, why: &str| {
            problems.push(ConfigProblem {
                setting,
                why: why.to_owned(),
            });
            Refused
        };

        let host = parsed(&read, "HOST", IpAddr::from([0, 0, 0, 0]))
            .map_err(|Refused| refuse("HOST", "must be an IP address such as 0.0.0.0"));
        let port = parsed(&read, "PORT", 8000_u16)
            .map_err(|Refused| refuse("PORT", "must be a port number from 0 to 65535"));
        let timeout = parsed(&read, "OPENAI_TIMEOUT_SECONDS", 20_u64).map_err(|Refused| {
            refuse(
                "OPENAI_TIMEOUT_SECONDS",
                "must be a whole number of seconds",
            )
        });
        let drain = parsed(&read, "DRAIN_SECONDS", 3_u64)
            .map_err(|Refused| refuse("DRAIN_SECONDS", "must be a whole number of seconds"));
        let database = match read("DATABASE_URL") {
            None => Err(refuse(
                "DATABASE_URL",
                "is not set; use postgres://… or, for a rehearsal, sqlite://todo.db?mode=rwc",
            )),
            Some(url) => DatabaseUrl::parse(&url).map_err(|why| refuse("DATABASE_URL", why)),
        };
        let auth_secret = match read("AUTH_SECRET") {
            None => Err(refuse(
                "AUTH_SECRET",
                "is not set; it signs the visitors' tokens",
            )),
            Some(secret) if secret.trim().len() < MIN_AUTH_SECRET => Err(refuse(
                "AUTH_SECRET",
                "is too short; it needs at least 32 characters",
            )),
            Some(secret) => Ok(Secret::new(secret)),
        };
        let base_url = read("OPENAI_BASE_URL").unwrap_or_else(|| PUBLIC_API.to_owned());
        let base_url = base_url.trim().trim_end_matches('/').to_owned();
        let base_is_http = base_url.parse::<axum::http::Uri>().is_ok_and(|uri| {
            uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"))
        });
        if !base_is_http {
            refuse(
                "OPENAI_BASE_URL",
                "must be an http or https address such as https://host/v1",
            );
        }
        let api_key = read("OPENAI_API_KEY").map(|key| key.trim().to_owned());
        if api_key
            .as_ref()
            .is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            refuse(
                "OPENAI_API_KEY",
                "contains characters that cannot be part of a key",
            );
        }

        match (host, port, timeout, drain, database, auth_secret) {
            (Ok(host), Ok(port), Ok(timeout), Ok(drain), Ok(database), Ok(auth_secret))
                if problems.is_empty() =>
            {
                Ok(Self {
                    listen: SocketAddr::new(host, port),
                    database,
                    assistant: AssistantConfig {
                        api_key: api_key.map(Secret::new),
                        base_url,
                        model: read("OPENAI_MODEL").unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
                        timeout: Duration::from_secs(timeout.clamp(1, 300)),
                    },
                    auth_secret,
                    drain: Duration::from_secs(drain.min(60)),
                })
            }
            _ => Err(problems),
        }
    }
}

fn parsed<T: std::str::FromStr>(
    read: &impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
) -> Result<T, Refused> {
    match read(name) {
        None => Ok(default),
        Some(text) => text.trim().parse().map_err(|_| Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
        Config::read(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_two_required_settings_are_enough() {
        let config = with(&[("DATABASE_URL", "sqlite::memory:"), ("AUTH_SECRET", SECRET)]).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:8000");
        assert!(config.assistant.api_key.is_none());
        assert_eq!(config.assistant.base_url, PUBLIC_API);
    }

    #[test]
    fn all_problems_are_reported_at_once_and_without_values() {
        let problems = with(&[
            ("DATABASE_URL", "mysql://root:hunter2@db/x"),
            ("AUTH_SECRET", "shorty-secret"),
            ("PORT", "many"),
            ("OPENAI_BASE_URL", "ftp://nowhere"),
        ])
        .unwrap_err();
        let names: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
        assert_eq!(
            names,
            ["PORT", "DATABASE_URL", "AUTH_SECRET", "OPENAI_BASE_URL"]
        );
        let text = problems.iter().map(ToString::to_string).collect::<String>();
        assert!(
            !text.contains("hunter2") && !text.contains("shorty"),
            "{text}"
        );
    }

    #[test]
    fn debug_output_hides_secrets() {
        let config = with(&[
            ("DATABASE_URL", "postgres://me:hunter2@db.example/x"),
            ("AUTH_SECRET", SECRET),
            ("OPENAI_API_KEY", "sk-very-secret"),
        ])
        .unwrap();
        let text = format!("{config:?}");
        for secret in ["hunter2", SECRET, "sk-very-secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
