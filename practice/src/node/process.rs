//! Starts a container's process and looks after it: its own session, its output, its network, and
//! its end, with everything it left behind.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::{mpsc, watch};

#[cfg(target_os = "linux")]
use super::linux::{
    child::{BindMount, ChildSetup, PrivateRoot, c_path},
    procfs, supervisor, sys,
    terminal::Terminal,
};
use super::logs::{LogWriter, Pipe};
use super::pod_net::PodNet;

/// A bind mount from this machine into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub source: PathBuf,
    /// Absolute path in the container.
    pub target: String,
    pub read_only: bool,
}

/// Where the container's files are.
#[derive(Clone, Debug)]
pub struct Root {
    pub path: PathBuf,
    /// With a private root the process sees only `path` and `binds`; otherwise it runs on this
    /// machine's file system with its program taken from `path`.
    pub private: bool,
    pub read_only: bool,
    pub binds: Vec<Bind>,
}

/// The user a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// Where output goes.
#[derive(Debug)]
pub enum Output {
    Log(Arc<LogWriter>),
    Channels {
        stdout: mpsc::Sender<Bytes>,
        stderr: mpsc::Sender<Bytes>,
    },
    /// A terminal, which is also where input goes.
    #[cfg(target_os = "linux")]
    Terminal {
        terminal: Terminal,
        output: mpsc::Sender<Bytes>,
    },
}

impl Output {
    fn is_terminal(&self) -> bool {
        match self {
            Self::Log(_) | Self::Channels { .. } => false,
            #[cfg(target_os = "linux")]
            Self::Terminal { .. } => true,
        }
    }
}

/// Everything needed to start a process in a container. Also how `exec` enters it: with the same
/// root, mounts, user and network, and another command.
#[derive(Clone, Debug)]
pub struct ProcessContext {
    pub root: Root,
    pub hostname: String,
    pub workdir: String,
    pub user: User,
    pub net: Option<Arc<PodNet>>,
    pub env: Environment,
    /// `KEY=value` in the environment that names this container's processes.
    pub marker: String,
}

impl ProcessContext {
    /// For a further command in the same container: it keeps the container's marker, so that it
    /// ends with the container, and gets its own, so that its end leaves the container alone.
    pub fn for_command(&self) -> Self {
        let mut context = self.clone();
        if let Some((key, value)) = self.marker.split_once('=') {
            context.env.0.insert(key.to_owned(), value.to_owned());
        }
        context.marker = format!("SLIPWAY_COMMAND_ID={}", uuid::Uuid::new_v4().simple());
        context
    }
}

/// Environment variables. Values may be secret, so they are never shown.
#[derive(Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub at: Timestamp,
}

impl Exit {
    /// The code a shell, and Kubernetes, would show.
    pub fn shown_code(self) -> i32 {
        self.code
            .unwrap_or_else(|| 128 + self.signal.unwrap_or_default())
    }
}

/// A running (or ended) process with its family.
#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    marker: String,
    /// Held while signalling, so that the process ID cannot be reaped and reused meanwhile.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Signals the whole process group.
    pub fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            let _ = killpg(Pid::from_raw(self.pid), signal);
        }
    }

    /// Ends the process and everything it started.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        #[cfg(target_os = "linux")]
        procfs::kill_family(self.pid, &self.marker);
        #[cfg(not(target_os = "linux"))]
        let _ = &self.marker;
    }

    /// Waits for the end; output is complete by then.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| *exit);
        // The reaper thread always reports before it goes; without it nothing is known.
        ended.unwrap_or(Exit {
            code: None,
            signal: Some(9),
            at: Timestamp::now(),
        })
    }
}

/// Starts processes from one long-lived thread: they ask to be killed when the thread that
/// started them dies, and a runtime's worker threads come and go.
#[derive(Clone, Debug)]
pub struct Spawner {
    jobs: std_mpsc::Sender<Job>,
}

struct Job {
    command: Command,
    reply: tokio::sync::oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    pub fn start() -> io::Result<Self> {
        let (jobs, queue) = std_mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("pod-spawner".into())
            .spawn(move || {
                for mut job in queue {
                    let child = job.command.spawn();
                    let _ = job.reply.send(child);
                }
            })?;
        Ok(Self { jobs })
    }

    /// Starts a process. `stdin` feeds its standard input or its terminal; without it, it reads
    /// end of file, or waits for keys that never come.
    pub async fn start_process(
        &self,
        context: &ProcessContext,
        argv: &[String],
        output: Output,
        stdin: Option<mpsc::Receiver<Bytes>>,
    ) -> io::Result<Process> {
        let (program, args) = argv
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command specified"))?;
        let mut command = Command::new(program_path(context, program));
        command.args(args).env_clear().envs(&context.env.0);
        if let Some((key, value)) = context.marker.split_once('=') {
            command.env(key, value);
        }
        let piped = |wanted| {
            if wanted {
                Stdio::piped()
            } else {
                Stdio::null()
            }
        };
        // A process with a terminal takes all three from there.
        let pipes = !output.is_terminal();
        command.stdout(piped(pipes)).stderr(piped(pipes));
        command.stdin(piped(pipes && stdin.is_some()));
        #[cfg(target_os = "linux")]
        let channel = prepare(&mut command, context, &output)?;
        #[cfg(not(target_os = "linux"))]
        prepare(&mut command, context);

        let (reply, answer) = tokio::sync::oneshot::channel();
        self.jobs
            .send(Job { command, reply })
            .map_err(|_| io::Error::other("the node is shutting down"))?;
        let child = answer
            .await
            .map_err(|_| io::Error::other("the node is shutting down"))??;
        #[cfg(target_os = "linux")]
        if let (Some((ours, theirs)), Some(net)) = (channel, &context.net) {
            drop(theirs);
            let listener = sys::receive_descriptor(ours.as_fd())?;
            supervisor::supervise(listener, net.clone())?;
        }
        watch_over(child, &context.marker, output, stdin)
    }
}

/// In a private root the kernel resolves the program; on the host's file system it is looked up
/// in the image's files first.
fn program_path(context: &ProcessContext, program: &str) -> PathBuf {
    if context.root.private {
        return PathBuf::from(program);
    }
    let inside = |path: &str| context.root.path.join(path.trim_start_matches('/'));
    if program.contains('/') {
        let base = if program.starts_with('/') {
            ""
        } else {
            context.workdir.as_str()
        };
        let candidate = inside(base).join(program.trim_start_matches('/'));
        return if candidate.exists() {
            candidate
        } else {
            PathBuf::from(program)
        };
    }
    let path = context
        .env
        .0
        .get("PATH")
        .map_or("/usr/bin:/bin", String::as_str);
    path.split(':')
        .map(|folder| inside(folder).join(program))
        .find(|candidate| candidate.exists())
        .unwrap_or_else(|| PathBuf::from(program))
}

#[cfg(target_os = "linux")]
type Channel = (
    std::os::unix::net::UnixStream,
    std::os::unix::net::UnixStream,
);

#[cfg(target_os = "linux")]
fn prepare(
    command: &mut Command,
    context: &ProcessContext,
    output: &Output,
) -> io::Result<Option<Channel>> {
    let terminal = match output {
        Output::Terminal { terminal, .. } => Some(c_path(&terminal.path)?),
        Output::Log(_) | Output::Channels { .. } => None,
    };
    let channel = match context.net {
        Some(_) => Some(std::os::unix::net::UnixStream::pair()?),
        None => None,
    };
    let is_root = nix::unistd::geteuid().is_root();
    let root = &context.root;
    let private_root = if root.private {
        let mounts = root
            .binds
            .iter()
            .map(|bind| {
                let target = root.path.join(bind.target.trim_start_matches('/'));
                Ok(BindMount {
                    source: c_path(&bind.source)?,
                    target: c_path(&target)?,
                    read_only: bind.read_only,
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let map = |inside: u32, outside: u32| format!("{inside} {outside} 1").into_bytes();
        let user_namespace = (!is_root).then(|| {
            let (uid, gid) = (
                nix::unistd::geteuid().as_raw(),
                nix::unistd::getegid().as_raw(),
            );
            (map(context.user.uid, uid), map(context.user.gid, gid))
        });
        Some(PrivateRoot {
            path: c_path(&root.path)?,
            read_only: root.read_only,
            mounts,
            user_namespace,
        })
    } else {
        None
    };
    let workdir = if root.private {
        PathBuf::from(&context.workdir)
    } else {
        root.path.join(context.workdir.trim_start_matches('/'))
    };
    let setup = ChildSetup {
        root: private_root,
        hostname: CString::new(context.hostname.as_str()).map_err(io::Error::other)?,
        workdir: c_path(&workdir)?,
        user: is_root.then(|| {
            (
                context.user.uid,
                context.user.gid,
                context.user.groups.clone(),
            )
        }),
        terminal,
        filter_channel: channel.as_ref().map(|(_, theirs)| theirs.as_raw_fd()),
        parent: nix::unistd::getpid().as_raw(),
    };
    sys::before_exec(command, move || setup.apply());
    Ok(channel)
}

#[cfg(not(target_os = "linux"))]
fn prepare(command: &mut Command, context: &ProcessContext) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    command.current_dir(
        context
            .root
            .path
            .join(context.workdir.trim_start_matches('/')),
    );
}

fn watch_over(
    mut child: Child,
    marker: &str,
    output: Output,
    stdin: Option<mpsc::Receiver<Bytes>>,
) -> io::Result<Process> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let (pumped, output_complete) = std_mpsc::channel::<()>();
    let pipes = (child.stdout.take(), child.stderr.take());
    match output {
        #[cfg(target_os = "linux")]
        Output::Terminal { terminal, output } => {
            let screen = terminal.screen()?.into_file();
            thread("pod-output", move || {
                pump_terminal(screen, &output);
                drop(pumped);
            })?;
            let keys = terminal.screen()?.into_file();
            feed(Some(keys), stdin)?;
        }
        output => {
            if let (Some(stdout), Some(stderr)) = pipes {
                thread("pod-output", move || {
                    pump(stdout, stderr, output);
                    drop(pumped);
                })?;
            }
            feed(child.stdin.take(), stdin)?;
        }
    }
    let reaped = Arc::new(Mutex::new(false));
    let (report, exit) = watch::channel(None);
    let (flag, family) = (reaped.clone(), marker.to_owned());
    thread("pod-reaper", move || {
        let ended = wait_without_reaping(pid);
        let at = Timestamp::now();
        {
            let mut reaped = flag.lock().unwrap_or_else(PoisonError::into_inner);
            // The leader is gone; what it left behind must not outlive it.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = child.wait();
            *reaped = true;
        }
        #[cfg(target_os = "linux")]
        procfs::kill_family(pid, &family);
        #[cfg(not(target_os = "linux"))]
        drop(family);
        // Ends at once when all writers are gone; a writer that hid itself may not hold us up.
        let _ = output_complete.recv_timeout(Duration::from_secs(2));
        let (code, signal) = ended;
        report.send_replace(Some(Exit { code, signal, at }));
    })?;
    Ok(Process {
        pid,
        marker: marker.to_owned(),
        reaped,
        exit,
    })
}

#[cfg(target_os = "linux")]
fn wait_without_reaping(pid: i32) -> (Option<i32>, Option<i32>) {
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    loop {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::Exited(_, code)) => return (Some(code), None),
            Ok(WaitStatus::Signaled(_, signal, _)) => return (None, Some(signal as i32)),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return (None, Some(9)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn wait_without_reaping(pid: i32) -> (Option<i32>, Option<i32>) {
    use nix::sys::wait::{WaitStatus, waitpid};
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Ok(WaitStatus::Exited(_, code)) => return (Some(code), None),
            Ok(WaitStatus::Signaled(_, signal, _)) => return (None, Some(signal as i32)),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return (None, Some(9)),
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .stack_size(192 * 1024)
        .spawn(work)
        .map(drop)
}

/// Writes what comes in, until the process takes no more.
fn feed(
    pipe: Option<impl Write + Send + 'static>,
    input: Option<mpsc::Receiver<Bytes>>,
) -> io::Result<()> {
    let (Some(mut pipe), Some(mut input)) = (pipe, input) else {
        return Ok(());
    };
    thread("pod-input", move || {
        while let Some(bytes) = input.blocking_recv() {
            if pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_err() {
                return;
            }
        }
    })
}

/// Carries what a terminal shows until nobody has it open any more, which reads as an error.
#[cfg(target_os = "linux")]
fn pump_terminal(mut screen: impl Read, output: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match screen.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                let bytes = Bytes::copy_from_slice(&buffer[..read]);
                if output.blocking_send(bytes).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Carries both pipes to their destination until both are closed.
fn pump(mut stdout: impl Read + AsFd, mut stderr: impl Read + AsFd, output: Output) {
    let mut buffer = vec![0; 32 * 1024];
    let mut open = [true, true];
    while open[0] || open[1] {
        let events = {
            let mut polled: Vec<PollFd<'_>> = Vec::with_capacity(2);
            let interest = |open| {
                if open {
                    PollFlags::POLLIN
                } else {
                    PollFlags::empty()
                }
            };
            if open[0] {
                polled.push(PollFd::new(stdout.as_fd(), interest(true)));
            }
            if open[1] {
                polled.push(PollFd::new(stderr.as_fd(), interest(true)));
            }
            match poll(&mut polled, PollTimeout::NONE) {
                Ok(_) => {}
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return,
            }
            let mut ready = polled
                .iter()
                .map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
            [
                open[0] && ready.next().unwrap_or(false),
                open[1] && ready.next().unwrap_or(false),
            ]
        };
        for (index, pipe) in [Pipe::Stdout, Pipe::Stderr].into_iter().enumerate() {
            if !events[index] {
                continue;
            }
            let read = match pipe {
                Pipe::Stdout => stdout.read(&mut buffer),
                Pipe::Stderr => stderr.read(&mut buffer),
            };
            match read {
                Ok(0) => open[index] = false,
                Ok(read) => open[index] = deliver(&output, pipe, &buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => open[index] = false,
            }
        }
    }
    if let Output::Log(log) = &output {
        log.close();
    }
}

/// False when nobody listens any more.
fn deliver(output: &Output, pipe: Pipe, bytes: &[u8]) -> bool {
    match output {
        Output::Log(log) => {
            // A full disk must not stop the container; the log has a gap then.
            let _ = log.write(pipe, bytes);
            true
        }
        Output::Channels { stdout, stderr } => {
            let channel = if pipe == Pipe::Stdout { stdout } else { stderr };
            channel.blocking_send(Bytes::copy_from_slice(bytes)).is_ok()
        }
        #[cfg(target_os = "linux")]
        Output::Terminal { output, .. } => {
            output.blocking_send(Bytes::copy_from_slice(bytes)).is_ok()
        }
    }
}
