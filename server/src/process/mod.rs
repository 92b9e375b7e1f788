//! Runs outside programs: bounded, cancellable, never left behind. Knows no tool.
//! A child leads a process group of its own and dies with Slipway.

mod command_spec;
mod drive;
mod lines;
mod spawner;
mod surroundings;
mod terminal;

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use command_spec::{CommandSpec, Stdin};
pub use lines::{CUT_MARK, LONGEST_LINE, Lines, strip_escapes};
pub use nix::sys::signal::Signal;
pub use surroundings::Surroundings;
pub use terminal::{Screen, TerminalProgram, in_terminal};

/// How a program came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exited(i32),
    Signaled(i32),
    /// Stopped by us at its deadline.
    TimedOut {
        after: Duration,
    },
    /// Stopped by us on request; `forced` when it ignored the polite signal.
    Cancelled {
        forced: bool,
    },
}

impl Ending {
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// As a phrase that follows "ended with".
    pub fn words(self) -> String {
        match self {
            Self::Exited(code) => format!("exit code {code}"),
            Self::Signaled(signal) => format!("signal {signal}"),
            Self::TimedOut { after } => {
                format!("our stopping it after {} s", after.as_secs())
            }
            Self::Cancelled { .. } => "our stopping it on request".to_owned(),
        }
    }
}

/// Why a program could not be started at all.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("the program `{program}` was not found")]
    NotFound { program: String },
    #[error("the program `{program}` could not be started: {source}")]
    Io {
        program: String,
        source: std::io::Error,
    },
}

/// Which of its two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    Stdout,
    Stderr,
}

/// What a program printed, of each output at most as many bytes as were asked for.
#[derive(Clone, Debug)]
pub struct Captured {
    pub ending: Ending,
    pub stdout: String,
    pub stderr: String,
    /// Whether either output was longer than what is kept.
    pub truncated: bool,
}

impl Captured {
    /// What [`capture`] keeps of each output, in bytes.
    pub const MOST: usize = 1024 * 1024;
}

/// Runs a program and hands over its output line by line, until it ended and its outputs closed.
/// Lines are cut at [`LONGEST_LINE`] bytes. Dropping the future kills the whole process group.
pub async fn run(
    spec: &CommandSpec,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(Pipe, &str) + Send,
) -> Result<Ending, SpawnError> {
    let (mut out, mut err) = (lines::Lines::default(), lines::Lines::default());
    let ending = drive::drive(spec, cancel, |pipe, bytes| {
        let lines = match pipe {
            Pipe::Stdout => &mut out,
            Pipe::Stderr => &mut err,
        };
        lines.push(bytes, |line| on_line(pipe, line));
    })
    .await?;
    out.finish(|line| on_line(Pipe::Stdout, line));
    err.finish(|line| on_line(Pipe::Stderr, line));
    Ok(ending)
}

/// Runs a program and hands over the bytes of its output as they come, for formats that are not made
/// of lines. Dropping the future kills the whole process group.
pub async fn stream(
    spec: &CommandSpec,
    cancel: &CancellationToken,
    on_bytes: impl FnMut(Pipe, &[u8]) + Send,
) -> Result<Ending, SpawnError> {
    drive::drive(spec, cancel, on_bytes).await
}

/// Runs a program and keeps its output. Dropping the future kills the whole process group.
pub async fn capture(
    spec: &CommandSpec,
    cancel: &CancellationToken,
) -> Result<Captured, SpawnError> {
    capture_up_to(spec, cancel, Captured::MOST).await
}

/// As [`capture`], for programs that print more than [`Captured::MOST`] in good order.
pub async fn capture_up_to(
    spec: &CommandSpec,
    cancel: &CancellationToken,
    most: usize,
) -> Result<Captured, SpawnError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut truncated = false;
    let ending = drive::drive(spec, cancel, |pipe, bytes| {
        let kept = match pipe {
            Pipe::Stdout => &mut stdout,
            Pipe::Stderr => &mut stderr,
        };
        let room = most - kept.len();
        truncated |= bytes.len() > room;
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })
    .await?;
    Ok(Captured {
        ending,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        truncated,
    })
}

/// Where a program is found on `PATH`; one with a slash is looked at where it points.
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    find_in(program, std::env::var_os("PATH").as_deref())
}

fn find_in(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    std::env::split_paths(path?)
        .map(|folder| folder.join(program))
        .find(|path| is_program(path))
}

#[cfg(test)]
mod tests;
