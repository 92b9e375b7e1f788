//! The thread that starts all children. The kernel's parent-death signal follows the *thread* that
//! forked, so that thread must live as long as Slipway does.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{OnceLock, mpsc};

use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid, setsid};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{CommandSpec, SpawnError, Stdin};

struct Order {
    command: Command,
    at_drop: Signal,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Group>>,
}

/// A started child and its process group. Dropping it sends what is left of the group the same
/// signal as our death would: `SIGKILL`, unless the program asked for a politer one.
pub(super) struct Group {
    pub(super) child: Child,
    pid: Pid,
    at_drop: Signal,
}

impl Group {
    /// Sends a signal to the whole group. One that has ended is fine.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = killpg(self.pid, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The group's number stays taken while a member lives, also after the leader was reaped;
        // with no member left this reaches nobody.
        self.signal(self.at_drop);
    }
}

/// Where a program reads and writes.
pub(super) enum Streams {
    Pipes,
    /// This side of a terminal, which becomes the program's own.
    Terminal(OwnedFd),
}

/// Starts the program in a group of its own.
pub(super) async fn spawn(spec: &CommandSpec, streams: Streams) -> Result<Group, SpawnError> {
    let program = || spec.program.to_string_lossy().into_owned();
    let io_error = |source| SpawnError::Io {
        program: program(),
        source,
    };
    if let Some(folder) = &spec.cwd
        && !folder.is_dir()
    {
        // Else the kernel's answer looks as if the program were missing.
        return Err(io_error(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("the folder {} does not exist", folder.display()),
        )));
    }
    let (answer, started) = oneshot::channel();
    let order = Order {
        command: command(spec, streams).map_err(io_error)?,
        at_drop: spec.parent_death,
        runtime: Handle::current(),
        answer,
    };
    let gone = || io_error(io::Error::other("the spawner thread has ended"));
    orders().send(order).map_err(|_| gone())?;
    match started.await.map_err(|_| gone())? {
        Ok(group) => Ok(group),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SpawnError::NotFound { program: program() })
        }
        Err(error) => Err(io_error(error)),
    }
}

fn orders() -> &'static mpsc::Sender<Order> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    ORDERS.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        let work = move || {
            for mut order in orders {
                let _runtime = order.runtime.enter();
                let group = order.command.spawn().and_then(|child| {
                    let pid = child
                        .id()
                        .and_then(|pid| i32::try_from(pid).ok())
                        .ok_or_else(|| io::Error::other("the child has no process id"))?;
                    Ok(Group {
                        child,
                        pid: Pid::from_raw(pid),
                        at_drop: order.at_drop,
                    })
                });
                // Nobody waits any more: the group is dropped here and killed with that.
                let _ = order.answer.send(group);
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(work)
        {
            tracing::error!(%error, "the spawner thread did not start");
        }
        sender
    })
}

fn command(spec: &CommandSpec, streams: Streams) -> io::Result<Command> {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args);
    if spec.env_clear {
        command.env_clear();
    }
    for name in &spec.env_removed {
        command.env_remove(name);
    }
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &spec.cwd {
        command.current_dir(folder);
    }
    let has_terminal = matches!(streams, Streams::Terminal(_));
    match streams {
        Streams::Pipes => {
            command
                .stdin(match spec.stdin {
                    Stdin::Null => Stdio::null(),
                    Stdin::Bytes(_) => Stdio::piped(),
                })
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0);
        }
        Streams::Terminal(side) => {
            command
                .stdin(side.try_clone()?)
                .stdout(side.try_clone()?)
                .stderr(side);
        }
    }
    command.kill_on_drop(spec.parent_death == Signal::SIGKILL);
    let (parent, signal) = (getpid(), spec.parent_death);
    // SAFETY: between fork and exec only async-signal-safe calls are made: setsid, ioctl, prctl and
    // getppid.
    unsafe {
        command.pre_exec(move || {
            if has_terminal {
                // A session's first process leads a group, too; the terminal is its standard input.
                setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            }
            prctl::set_pdeathsig(signal)?;
            // Slipway may have died before the line above.
            if getppid() != parent {
                return Err(io::Error::other("the parent has ended"));
            }
            Ok(())
        });
    }
    Ok(command)
}
