//! Docker Agent: how it is found and started so that it has Slipway's own tools and nothing else, and
//! what its API server says. It is the scriptable relative of Gordon.

pub mod client;
pub mod events;
pub mod serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::docker_plugin::{self, Found};
use crate::process::{CommandSpec, Surroundings};

/// The plugin's file, and the name of the program when it stands alone.
const PROGRAM: &str = "docker-agent";
/// What the program was called before.
const FORMER: &str = "cagent";

/// How it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    /// Words before its own: `agent` where docker starts it.
    words: Vec<OsString>,
    /// The plugin's file, where it is one.
    plugin: Option<PathBuf>,
}

/// Looks for the plugin of docker first, then for the program alone, also under its former name.
pub fn find(around: &Surroundings) -> Option<Program> {
    if let (Found::Plugin(plugin), Some(docker)) =
        (docker_plugin::find(PROGRAM, around), around.find("docker"))
    {
        return Some(Program {
            path: docker,
            words: vec!["agent".into()],
            plugin: Some(plugin),
        });
    }
    let alone = around.find(PROGRAM).or_else(|| around.find(FORMER))?;
    Some(Program {
        path: std::path::absolute(&alone).unwrap_or(alone),
        words: Vec::new(),
        plugin: None,
    })
}

impl Program {
    fn command(&self) -> CommandSpec {
        CommandSpec::new(&self.path).args(self.words.clone())
    }

    /// Asks for its version, without a network.
    pub fn version(&self) -> CommandSpec {
        match &self.plugin {
            Some(plugin) => docker_plugin::metadata(plugin),
            None => self
                .command()
                .arg("version")
                .deadline(Duration::from_secs(8))
                .grace(Duration::from_secs(1)),
        }
    }

    /// Reads what [`Program::version`] said.
    pub fn parse_version(&self, stdout: &str) -> Option<String> {
        match &self.plugin {
            Some(_) => docker_plugin::parse_metadata(stdout),
            None => stdout.split_whitespace().find_map(|word| {
                let digits = word.trim_start_matches('v');
                let is_version = digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.contains('.')
                    && digits.len() <= 40;
                is_version.then(|| word.to_owned())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_word_that_is_one() {
        let program = Program {
            path: "docker-agent".into(),
            words: vec![],
            plugin: None,
        };
        let parse = |text: &str| program.parse_version(text);
        assert_eq!(
            parse("docker-agent version v1.32.3\nCommit: 0d76412a\n").as_deref(),
            Some("v1.32.3")
        );
        assert_eq!(parse("unknown command"), None);
    }
}
