//! Running a program to its end, with a deadline, and looking at what it said.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const DEADLINE: Duration = Duration::from_secs(60);

/// What a program left.
#[derive(Debug)]
pub struct Said {
    command: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// It ended with 0; its standard output without the space around it.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.out.trim().to_owned()
    }

    /// It failed and said this.
    #[track_caller]
    pub fn refused(self, words: &str) -> Self {
        assert!(self.code != Some(0), "should have failed: {self}");
        self.says(words)
    }

    /// It said this, on either output.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let said = self.out.contains(words) || self.err.contains(words);
        assert!(said, "does not say {words:?}: {self}");
        self
    }

    /// It ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            code,
            out,
            err,
        } = self;
        write!(
            f,
            "{command}\nended with {code:?}\nstdout: {out}\nstderr: {err}"
        )
    }
}

/// A command that dies with its handle, and finds nothing of the user's own.
pub fn command(program: &Path, home: &Path, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs to the end.
pub async fn finish(mut command: Command, input: Option<&str>) -> Said {
    let shown = format!("{:?}", command.as_std());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().expect("the program starts");
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that reads nothing closes the pipe.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    match tokio::time::timeout(DEADLINE, child.wait_with_output()).await {
        Ok(output) => {
            let output = output.expect("the program is waited for");
            Said {
                command: shown,
                ..said(&output)
            }
        }
        Err(_) => panic!("{shown}\nran longer than {DEADLINE:?}"),
    }
}

/// What a program left that was waited for elsewhere.
pub fn said(output: &std::process::Output) -> Said {
    Said {
        command: String::new(),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
