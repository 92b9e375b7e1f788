//! `docker info`: where the daemon keeps its images.

use std::time::Duration;

use serde::Deserialize;

use crate::process::CommandSpec;

/// Asks the daemon about itself.
pub fn info() -> CommandSpec {
    CommandSpec::new("docker")
        .args(["info", "--format", "{{json .}}"])
        .deadline(Duration::from_secs(6))
        .grace(Duration::from_secs(1))
}

/// What of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerInfo {
    /// The daemon's data root, on the daemon's own machine.
    pub root: String,
}

/// Reads the output of [`info`]; none when the daemon did not answer.
pub fn parse_info(stdout: &str) -> Option<DockerInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        docker_root_dir: String,
    }
    let output: Output = serde_json::from_str(stdout.trim()).ok()?;
    (!output.docker_root_dir.is_empty()).then_some(DockerInfo {
        root: output.docker_root_dir,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_answer_has_no_root() {
        let answered = r#"{"ID":"x","DockerRootDir":"/var/lib/docker","NCPU":2}"#;
        assert_eq!(
            parse_info(answered).map(|info| info.root).as_deref(),
            Some("/var/lib/docker")
        );
        // docker 28 without a daemon
        let silent = r#"{"ID":"","DockerRootDir":"","ServerErrors":["Cannot connect"]}"#;
        assert_eq!(parse_info(silent), None);
        assert_eq!(parse_info(""), None);
    }
}
