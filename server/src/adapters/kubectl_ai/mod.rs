//! kubectl-ai: whether it is here, how its web mode is started, and what that says. Nothing short of a
//! real query proves that its key works.

pub mod client;
pub mod providers;
pub mod serve;
pub mod web;

use std::time::Duration;

use crate::process::CommandSpec;

/// Asks for the version: three lines (version, commit, date) on stdout.
pub fn version() -> CommandSpec {
    CommandSpec::new("kubectl-ai")
        .arg("version")
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<String> {
    let line = stdout.lines().find(|line| !line.trim().is_empty())?;
    let (label, value) = line.split_once(':').unwrap_or(("version", line));
    let value = value.trim();
    let plausible = label.trim().eq_ignore_ascii_case("version")
        && !value.is_empty()
        && value.len() <= 64
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-+_".contains(c));
    plausible.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_is_one_word() {
        let parse = super::parse_version;
        assert_eq!(
            parse("version: 0.0.28\ncommit: 678007e\ndate: 2025-11-20\n").as_deref(),
            Some("0.0.28")
        );
        assert_eq!(parse("panic: runtime error at 0x0"), None);
        assert_eq!(parse(""), None);
    }
}
