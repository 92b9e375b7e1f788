//! The life of one child: both outputs drained, stopped at the deadline or on cancel, reaped.

use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{CommandSpec, Ending, Pipe, SpawnError, Stdin, spawner};

/// How long a grandchild may hold the outputs open after the child itself has ended.
const DRAIN: Duration = Duration::from_secs(1);
const CHUNK: usize = 16 * 1024;

/// Why we stop it.
#[derive(Clone, Copy)]
enum Stop {
    Deadline,
    Cancel,
}

/// Runs the program to its end, passing on the raw bytes of both outputs as they come.
pub(super) async fn drive(
    spec: &CommandSpec,
    cancel: &CancellationToken,
    mut sink: impl FnMut(Pipe, &[u8]) + Send,
) -> Result<Ending, SpawnError> {
    let started = Instant::now();
    let deadline = started + spec.deadline;
    let mut group = spawner::spawn(spec, spawner::Streams::Pipes).await?;
    let mut stdout = group.child.stdout.take();
    let mut stderr = group.child.stderr.take();
    let stdin = group.child.stdin.take();
    let feed = async {
        if let (Some(mut pipe), Stdin::Bytes(bytes)) = (stdin, &spec.stdin) {
            // A program may end without reading all of it.
            let _ = pipe.write_all(bytes).await;
            let _ = pipe.shutdown().await;
        }
    };
    tokio::pin!(feed);
    let mut fed = false;
    let mut exited: Option<ExitStatus> = None;
    let mut stop: Option<Stop> = None;
    let mut forced = false;
    // When what is left of the group is killed.
    let mut kill_at: Option<Instant> = None;
    let mut out_buffer = Vec::with_capacity(CHUNK);
    let mut err_buffer = Vec::with_capacity(CHUNK);
    while exited.is_none() || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            read = read_some(stdout.as_mut(), &mut out_buffer), if stdout.is_some() => {
                pass_on(read, &mut stdout, &mut out_buffer, |bytes| sink(Pipe::Stdout, bytes));
            }
            read = read_some(stderr.as_mut(), &mut err_buffer), if stderr.is_some() => {
                pass_on(read, &mut stderr, &mut err_buffer, |bytes| sink(Pipe::Stderr, bytes));
            }
            () = &mut feed, if !fed => fed = true,
            status = group.child.wait(), if exited.is_none() => {
                let source = |source| SpawnError::Io {
                    program: spec.program.to_string_lossy().into_owned(),
                    source,
                };
                exited = Some(status.map_err(source)?);
                kill_at = Some(Instant::now() + DRAIN);
            }
            () = cancel.cancelled(), if exited.is_none() && stop.is_none() => {
                stop = Some(Stop::Cancel);
                group.signal(spec.interrupt);
                kill_at = Some(Instant::now() + spec.grace);
            }
            () = sleep_until(deadline), if exited.is_none() && stop.is_none() => {
                stop = Some(Stop::Deadline);
                group.signal(spec.interrupt);
                kill_at = Some(Instant::now() + spec.grace);
            }
            () = sleep_until(kill_at.unwrap_or(deadline)), if kill_at.is_some() => {
                kill_at = None;
                group.signal(Signal::SIGKILL);
                if exited.is_some() {
                    // Only someone who left the group can hold the outputs now.
                    break;
                }
                forced = true;
            }
        }
    }
    Ok(match (stop, exited) {
        (Some(Stop::Deadline), _) => Ending::TimedOut {
            after: started.elapsed(),
        },
        (Some(Stop::Cancel), _) | (None, None) => Ending::Cancelled { forced },
        (None, Some(status)) => match status.code() {
            Some(code) => Ending::Exited(code),
            None => Ending::Signaled(status.signal().unwrap_or(0)),
        },
    })
}

async fn read_some<R: AsyncRead + Unpin>(
    pipe: Option<&mut R>,
    buffer: &mut Vec<u8>,
) -> std::io::Result<usize> {
    match pipe {
        Some(pipe) => pipe.read_buf(buffer).await,
        None => Ok(0),
    }
}

fn pass_on<R>(
    read: std::io::Result<usize>,
    pipe: &mut Option<R>,
    buffer: &mut Vec<u8>,
    sink: impl FnOnce(&[u8]),
) {
    match read {
        Ok(1..) => sink(buffer),
        Ok(0) | Err(_) => *pipe = None,
    }
    buffer.clear();
}
