//! kubectl: its presence and version, and kustomize; Slipway itself speaks to the API server directly.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::process::CommandSpec;

/// Asks the client for its version, without touching any cluster.
pub fn version() -> CommandSpec {
    CommandSpec::new("kubectl")
        .args(["version", "--client", "--output", "json"])
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// The kubectl to run: the one of `SLIPWAY_KUBECTL`, else the one on `PATH`.
pub fn program() -> OsString {
    std::env::var_os("SLIPWAY_KUBECTL")
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| "kubectl".into())
}

/// A command on a cluster, given by all its words after the program. Preferences of the user
/// (`kuberc`) are left out: they could make something else of the words.
pub fn command(program: impl Into<OsString>, words: &[String], kubeconfig: &Path) -> CommandSpec {
    CommandSpec::new(program)
        .args(words)
        .env("KUBECONFIG", kubeconfig)
        .env("KUBECTL_KUBERC", "false")
        .env("KUBERC", "off")
        .deadline(Duration::from_secs(60))
        .grace(Duration::from_secs(3))
}

/// Builds a kustomize folder; touches no cluster.
pub fn kustomize(folder: &Path) -> CommandSpec {
    CommandSpec::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        // Remote bases may be fetched.
        .deadline(Duration::from_secs(60))
        .grace(Duration::from_secs(1))
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Client {
        git_version: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Output {
        client_version: Client,
    }
    serde_json::from_str::<Output>(stdout.trim())
        .ok()
        .map(|output| output.client_version.git_version)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_client_s() {
        // kubectl 1.32.4
        let stdout = r#"{"clientVersion":{"major":"1","minor":"32+","gitVersion":"v1.32.4-dispatcher"},"kustomizeVersion":"v5.5.0"}"#;
        let version = super::parse_version(stdout);
        assert_eq!(version.as_deref(), Some("v1.32.4-dispatcher"));
        assert_eq!(super::parse_version("{}"), None);
    }
}
