//! kagent: its CLI on this machine, its agents as custom resources, and A2A as it speaks it. Whether its
//! agents run is a question to the cluster.

pub mod a2a;
pub mod agents;
#[cfg(test)]
mod recorded_tests;

use std::time::Duration;

use serde::Deserialize;

use crate::process::CommandSpec;

/// Asks for the version as JSON.
pub fn version() -> CommandSpec {
    CommandSpec::new("kagent")
        .arg("version")
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// Reads the output of [`version`]: JSON with `kagent_version`, perhaps with a log line before it.
pub fn parse_version(stdout: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Output {
        kagent_version: String,
    }
    let start = stdout.find('{')?;
    serde_json::Deserializer::from_str(&stdout[start..])
        .into_iter::<Output>()
        .next()?
        .ok()
        .map(|output| output.kagent_version)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_read_from_json() {
        let text = "note\n{\"kagent_version\":\"0.9.12\",\"git_commit\":\"b459\",\"build_date\":\"2026-07-20\"}\n";
        assert_eq!(super::parse_version(text).as_deref(), Some("0.9.12"));
        assert_eq!(super::parse_version("no json"), None);
    }
}
