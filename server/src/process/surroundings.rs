//! The environment in which programs are looked for and run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{CommandSpec, find_in};

/// Slipway's own environment, with some variables that differ from it.
#[derive(Clone, Default)]
pub struct Surroundings {
    differs: Arc<Vec<(OsString, OsString)>>,
}

impl Surroundings {
    pub fn with(differs: Vec<(OsString, OsString)>) -> Self {
        Self {
            differs: Arc::new(differs),
        }
    }

    /// A variable; an empty one counts as none.
    pub fn var(&self, name: &str) -> Option<OsString> {
        let own = self
            .differs
            .iter()
            .rev()
            .find(|(key, _)| key == OsStr::new(name))
            .map(|(_, value)| value.clone());
        own.or_else(|| std::env::var_os(name))
            .filter(|value| !value.is_empty())
    }

    /// Where a program is found on this environment's `PATH`.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        find_in(program, self.var("PATH").as_deref())
    }

    /// The folders of `PATH`.
    pub fn path(&self) -> Vec<PathBuf> {
        self.var("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default()
    }

    /// The same command, run in this environment. What the command itself sets stays.
    #[must_use]
    pub fn dress(&self, mut spec: CommandSpec) -> CommandSpec {
        let mut env: Vec<_> = self.differs.to_vec();
        env.append(&mut spec.env);
        spec.env = env;
        spec
    }
}

impl fmt::Debug for Surroundings {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.differs.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_wins_and_an_empty_path_finds_nothing() {
        let bare = Surroundings::with(vec![("PATH".into(), "".into()), ("A".into(), "1".into())]);
        assert_eq!(bare.find("sh"), None);
        assert_eq!(bare.var("A"), Some("1".into()));
        assert!(Surroundings::default().find("sh").is_some());
        let spec = bare.dress(CommandSpec::new("x").env("A", "2"));
        assert_eq!(spec.env.last(), Some(&("A".into(), "2".into())));
        assert!(!format!("{bare:?}").contains('1'));
    }
}
