//! What is to be run and within which limits.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use zeroize::Zeroizing;

/// A program with its arguments and limits. Secrets go through `stdin`, never through `args`.
#[derive(Clone)]
pub struct CommandSpec {
    pub program: OsString,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    /// Variables of Slipway's own that the program does not get.
    pub env_removed: Vec<OsString>,
    /// Start from an empty environment instead of Slipway's own.
    pub env_clear: bool,
    pub cwd: Option<PathBuf>,
    pub stdin: Stdin,
    /// From the start; then it is stopped like on cancel.
    pub deadline: Duration,
    /// How long it has after the polite signal before it is killed.
    pub grace: Duration,
    /// The polite signal.
    pub interrupt: Signal,
    /// What it gets when Slipway itself dies.
    pub parent_death: Signal,
}

/// What the program reads.
#[derive(Clone, Default)]
pub enum Stdin {
    #[default]
    Null,
    /// Written, then closed. Wiped afterwards.
    Bytes(Zeroizing<Vec<u8>>),
}

impl CommandSpec {
    /// A command with the usual limits: one minute, then `SIGTERM`, ten seconds of grace, `SIGKILL`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            env_removed: Vec::new(),
            env_clear: false,
            cwd: None,
            stdin: Stdin::Null,
            deadline: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            interrupt: Signal::SIGTERM,
            parent_death: Signal::SIGKILL,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Keeps a variable of Slipway's own from the program.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env_removed.push(name.into());
        self
    }

    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(Zeroizing::new(bytes.into()));
        self
    }

    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

impl fmt::Debug for CommandSpec {
    /// Without environment values and input: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("cwd", &self.cwd)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bytes(_) => "Bytes(…)",
        })
    }
}
