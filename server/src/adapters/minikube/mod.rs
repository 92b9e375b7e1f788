//! minikube: version, profiles and their state, its inner docker daemon, image listing and loading.
//! Its exit codes lie both ways (facts recorded from v1.38.1), so outputs are read first.

pub mod events;
mod life;
mod profiles;
mod status;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::listed_image::ListedImage;
use crate::process::CommandSpec;

pub use life::{START_STEPS, act, create};
pub use profiles::{ListedProfile, ProfileConfig, parse_profile_list, profile_list};
pub use status::{NodeStatus, Status, parse_status, profile_state, status};

fn minikube() -> CommandSpec {
    CommandSpec::new("minikube")
        .env("MINIKUBE_IN_STYLE", "false")
        .grace(Duration::from_secs(1))
}

/// Asks for the version.
pub fn version() -> CommandSpec {
    minikube()
        .args(["version", "--output", "json"])
        .deadline(Duration::from_secs(8))
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Output {
        minikube_version: String,
    }
    serde_json::from_str::<Output>(stdout.trim())
        .ok()
        .map(|output| output.minikube_version)
}

/// The variables of a profile's inner docker daemon. They change with every restart of the cluster,
/// so they are asked for anew for every build.
pub fn docker_env(profile: &str) -> CommandSpec {
    minikube()
        .args([
            "docker-env",
            "--profile",
            profile,
            "--shell",
            "none",
            "--output",
            "json",
        ])
        .deadline(Duration::from_secs(60))
}

/// Reads the output of [`docker_env`]. A refusal prints `false exit code N` with exit code N.
pub fn parse_docker_env(stdout: &str) -> Option<Vec<(String, String)>> {
    let variables: BTreeMap<String, String> = serde_json::from_str(stdout.trim()).ok()?;
    let host = variables
        .get("DOCKER_HOST")
        .filter(|host| !host.is_empty())?;
    // Over ssh it is nerdctld, which cannot build with BuildKit.
    if !host.starts_with("tcp://") {
        return None;
    }
    Some(
        variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("DOCKER_") && !value.is_empty())
            .collect(),
    )
}

/// Lists the images in a profile's runtime. A cluster that does not run gives an empty list.
pub fn image_list(profile: &str) -> CommandSpec {
    minikube()
        .args(["image", "ls", "--profile", profile, "--format", "json"])
        .deadline(Duration::from_secs(60))
}

/// Loads an archive into a profile's runtime. Exits with 0 even when it failed.
pub fn image_load(profile: &str, archive: &Path) -> CommandSpec {
    minikube()
        .args(["image", "load", "--profile", profile])
        .arg(archive)
        .deadline(Duration::from_secs(300))
}

/// Reads the output of [`image_list`].
pub fn parse_image_list(stdout: &str) -> Option<Vec<ListedImage>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Output {
        id: String,
        #[serde(default)]
        repo_tags: Option<Vec<String>>,
    }
    let images: Vec<Output> = serde_json::from_str(stdout.trim()).ok()?;
    Some(
        images
            .into_iter()
            .map(|image| ListedImage::new(image.id, image.repo_tags.iter().flatten()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_docker_env_is_no_environment() {
        // v1.38.1
        let good = r#"{"DOCKER_CERT_PATH":"/h/.minikube/certs","DOCKER_HOST":"tcp://192.168.49.2:2376","DOCKER_TLS_VERIFY":"1","MINIKUBE_ACTIVE_DOCKERD":"minikube","SSH_AGENT_PID":"","SSH_AUTH_SOCK":""}"#;
        let variables = parse_docker_env(good).expect("usable");
        assert_eq!(variables.len(), 3);
        assert_eq!(parse_docker_env("false exit code 81"), None);
        let nerdctld = r#"{"DOCKER_HOST":"ssh://docker@127.0.0.1:32772"}"#;
        assert_eq!(parse_docker_env(nerdctld), None);
    }

    #[test]
    fn listed_names_compare_with_short_ones() {
        let canonical = practice::images::normalize("app:dev");
        let json = serde_json::json!([{"id": "ab", "repoTags": [canonical], "size": "1"}]);
        let images = parse_image_list(&json.to_string()).expect("parses");
        assert!(
            images[0]
                .tags
                .contains(&practice::images::normalize("app:dev"))
        );
        assert_eq!(parse_image_list("[]"), Some(vec![]));
        assert_eq!(parse_image_list("null and more"), None);
    }

    #[test]
    fn the_version_is_read_from_json_only() {
        let version = parse_version("{\"commit\":\"c93a\",\"minikubeVersion\":\"v1.38.1\"}\n");
        assert_eq!(version.as_deref(), Some("v1.38.1"));
        assert_eq!(parse_version("minikube version: v1.38.1"), None);
    }
}
