//! Settings from the environment, checked once at start.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::http::Uri;

/// Everything the frontend is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen (`HOST`, `PORT`).
    pub listen: SocketAddr,
    /// The backend's address without a slash at its end (`BACKEND_URL`).
    pub backend: String,
    /// Deadline of an ordinary question to the backend.
    pub deadline: Duration,
    /// Deadline of a chat message, for which the backend asks its provider several times.
    pub chat_deadline: Duration,
    /// How long to answer on after SIGTERM (`DRAIN_SECONDS`).
    pub drain: Duration,
}

impl Config {
    /// Reads every setting with `read`, which gives none for unset and empty variables.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let host = number(&read, "HOST", IpAddr::from([0, 0, 0, 0]))?;
        let port = number(&read, "PORT", 3000_u16)?;
        let drain = number(&read, "DRAIN_SECONDS", 3_u64)?;
        let backend = read("BACKEND_URL").unwrap_or_else(|| "http://backend:8000".to_owned());
        let backend = backend.trim().trim_end_matches('/').to_owned();
        let usable = backend
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !usable {
            return Err("BACKEND_URL must be an address such as http://backend:8000".to_owned());
        }
        Ok(Self {
            listen: SocketAddr::new(host, port),
            backend,
            deadline: Duration::from_secs(8),
            chat_deadline: Duration::from_secs(75),
            drain: Duration::from_secs(drain.min(60)),
        })
    }
}

fn number<T: std::str::FromStr>(
    read: &impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
) -> Result<T, String> {
    match read(name) {
        None => Ok(default),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("{name} cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_the_cluster() {
        let config = Config::read(|_| None).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:3000");
        assert_eq!(config.backend, "http://backend:8000");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for wrong in [
            "backend:8000",
            "https://backend",
            "http://",
            "not an address",
        ] {
            let read = |name: &str| (name == "BACKEND_URL").then(|| wrong.to_owned());
            assert!(Config::read(read).is_err(), "{wrong}");
        }
    }
}
