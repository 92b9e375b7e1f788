//! A program in a terminal of its own: what it shows, the keys it gets and the size it has.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::unix::process::ExitStatusExt as _;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::spawner::{self, Group, Streams};
use super::{CommandSpec, Ending, SpawnError};

/// A running program. Its terminal and everything in it end when this is dropped.
pub struct TerminalProgram {
    screen: Screen,
    group: Group,
}

impl std::fmt::Debug for TerminalProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalProgram")
    }
}

/// Starts a program in a terminal of so many columns and rows. Its limits are the caller's: the
/// deadline of the command does not count, since a person is in it.
pub async fn in_terminal(
    spec: &CommandSpec,
    size: (u16, u16),
) -> Result<TerminalProgram, SpawnError> {
    let failed = |source: io::Error| SpawnError::Io {
        program: spec.program.to_string_lossy().into_owned(),
        source,
    };
    let (screen, side) = open().map_err(failed)?;
    let screen = Screen::new(screen).map_err(failed)?;
    // A terminal without a size would still be one.
    let _ = screen.resize(size);
    let group = spawner::spawn(spec, Streams::Terminal(side)).await?;
    Ok(TerminalProgram { screen, group })
}

/// Both sides of a new terminal; neither is passed on to other children.
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let screen = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&screen)?;
    unlockpt(&screen)?;
    let side = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(ptsname_r(&screen)?)?;
    Ok((screen.into(), side.into()))
}

impl TerminalProgram {
    /// Another handle to what it shows and takes; it keeps nothing alive.
    pub fn screen(&self) -> Screen {
        self.screen.clone()
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ending {
        match self.group.child.wait().await {
            Ok(status) => ending(status),
            // Nobody else waits for it, so that is not heard of.
            Err(_) => Ending::Signaled(super::Signal::SIGKILL as i32),
        }
    }
}

fn ending(status: ExitStatus) -> Ending {
    match status.code() {
        Some(code) => Ending::Exited(code),
        None => Ending::Signaled(status.signal().unwrap_or(0)),
    }
}

/// What a terminal shows, to read, and the keys for it, to write.
#[derive(Clone, Debug)]
pub struct Screen(Arc<AsyncFd<OwnedFd>>);

impl Screen {
    fn new(screen: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&screen, true)?;
        // SAFETY: an `OwnedFd` owns its descriptor, which is the same and open for as long as it lives.
        let screen = unsafe { AsyncFd::register(screen) }?;
        Ok(Self(Arc::new(screen)))
    }

    /// Tells the programs in it how many columns and rows there are.
    pub fn resize(&self, (columns, rows): (u16, u16)) -> io::Result<()> {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(self.0.get_ref(), size)?)
    }
}

impl AsyncRead for Screen {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            match nix::unistd::read(self.0.get_ref(), buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // Nobody has it open any more: that is its end.
                Err(Errno::EIO) => return Poll::Ready(Ok(())),
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for Screen {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            match nix::unistd::write(self.0.get_ref(), bytes) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    /// Reads on until the words were said. What was said before counts: two lines may come in one
    /// piece, and the terminal end right after them.
    async fn until_said(screen: &mut Screen, said: &mut String, words: &str) {
        let reading = async {
            let mut buffer = [0; 512];
            while !said.contains(words) {
                let count = screen.read(&mut buffer).await.expect("it reads");
                assert!(count > 0, "it ended with {said:?}");
                said.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        };
        let heard = timeout(Duration::from_secs(20), reading).await;
        assert!(heard.is_ok(), "{words:?} was not said");
    }

    #[tokio::test]
    async fn a_program_has_a_terminal_a_size_and_an_end() {
        let script = "tty; stty size; read word; echo \"got-$word\"; stty size; exit 3";
        let spec = CommandSpec::new("sh").args(["-c", script]);
        let program = in_terminal(&spec, (77, 21)).await.expect("it starts");
        let (mut screen, mut said) = (program.screen(), String::new());
        until_said(&mut screen, &mut said, "21 77").await;
        assert!(said.starts_with("/dev/pts/"), "{said:?}");
        screen.resize((60, 12)).expect("it has a size");
        screen.write_all(b"yes\r").await.expect("it takes keys");
        until_said(&mut screen, &mut said, "got-yes").await;
        until_said(&mut screen, &mut said, "12 60").await;
        assert_eq!(program.ended().await, Ending::Exited(3));
        let mut rest = Vec::new();
        let over = timeout(Duration::from_secs(20), screen.read_to_end(&mut rest)).await;
        over.expect("its end is heard").expect("it reads");
    }

    #[tokio::test]
    async fn dropping_it_ends_what_runs_in_it() {
        let spec = CommandSpec::new("sh").args(["-c", "echo pid-$$-; exec sleep 1000"]);
        let program = in_terminal(&spec, (80, 24)).await.expect("it starts");
        let (mut screen, mut said) = (program.screen(), String::new());
        until_said(&mut screen, &mut said, "-\r\n").await;
        let pid = said.trim().trim_start_matches("pid-").trim_end_matches('-');
        let place = format!("/proc/{pid}/cwd");
        assert!(std::fs::read_link(&place).is_ok(), "{said:?}");
        drop(program);
        let gone = async {
            // One that is not waited for yet has no folder any more.
            while std::fs::read_link(&place).is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), gone)
            .await
            .expect("it ended");
    }
}
