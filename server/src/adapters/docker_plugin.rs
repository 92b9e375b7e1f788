//! Plugins of the docker CLI: found by their file and their handshake, which starts nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::process::{CommandSpec, Surroundings};

const SYSTEM_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// What is at the plugin's places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// A link to nowhere: Docker Desktop was removed and the link stayed.
    Dangling(PathBuf),
    Plugin(PathBuf),
}

/// The user's folder of docker settings.
pub fn config_folder(around: &Surroundings) -> Option<PathBuf> {
    let own = around.var("DOCKER_CONFIG").map(PathBuf::from);
    own.or_else(|| Some(PathBuf::from(around.var("HOME")?).join(".docker")))
}

/// Looks for the file of a plugin such as `docker-ai`, in the user's folder first.
pub fn find(name: &str, around: &Surroundings) -> Found {
    let own = config_folder(around).map(|folder| folder.join("cli-plugins"));
    let folders = own
        .into_iter()
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from));
    find_in(name, folders)
}

fn find_in(name: &str, folders: impl Iterator<Item = PathBuf>) -> Found {
    let mut dangling = None;
    for folder in folders {
        let file = folder.join(name);
        if file.is_file() {
            return Found::Plugin(file);
        }
        if file.is_symlink() {
            dangling.get_or_insert(file);
        }
    }
    dangling.map_or(Found::Nothing, Found::Dangling)
}

/// The plugin handshake.
pub fn metadata(plugin: &Path) -> CommandSpec {
    CommandSpec::new(plugin.as_os_str())
        .arg("docker-cli-plugin-metadata")
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// Reads the version from the handshake's answer.
pub fn parse_metadata(stdout: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        vendor: String,
        version: String,
    }
    let output: Output = serde_json::from_str(stdout.trim()).ok()?;
    (!output.vendor.is_empty()).then_some(output.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nowhere_is_not_a_plugin() {
        let folder = tempfile::tempdir().expect("a folder");
        let plugins = folder.path().join(".docker/cli-plugins");
        std::fs::create_dir_all(&plugins).expect("created");
        let look = || find_in("docker-ai", [plugins.clone()].into_iter());
        assert_eq!(look(), Found::Nothing);
        let link = plugins.join("docker-ai");
        std::os::unix::fs::symlink("/nowhere/docker-ai", &link).expect("linked");
        assert_eq!(look(), Found::Dangling(link.clone()));
        std::fs::remove_file(&link).expect("removed");
        std::fs::write(&link, "x").expect("written");
        assert_eq!(look(), Found::Plugin(link.clone()));
    }

    #[test]
    fn the_handshake_names_the_version() {
        let stdout = r#"{"SchemaVersion":"0.1.0","Vendor":"Docker Inc.","Version":"v1.9.11","ShortDescription":"Docker AI Agent"}"#;
        assert_eq!(parse_metadata(stdout).as_deref(), Some("v1.9.11"));
        assert_eq!(parse_metadata("{}"), None);
    }
}
