//! The node's side of the pod subresources: logs, connections into a pod, and exec.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use std::sync::PoisonError;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::Node;
use super::core::ContainerRun;
#[cfg(target_os = "linux")]
use super::linux::terminal::Terminal;
use super::logs;
#[cfg(target_os = "linux")]
use super::prepare::bind;
use super::process::{Output, ProcessContext};
use crate::api::pod_backend::{
    ExecEnd, ExecRequest, ExecSession, LogOptions, LogStream, PodBackend, PodConnection, PodRef,
    TerminalSize, Usage,
};
use crate::api::status::StatusError;

impl Node {
    fn latest_run(&self, pod: &PodRef, container: &str) -> Option<ContainerRun> {
        let handle = self.core.pod(&pod.uid)?;
        let runs = handle
            .shared
            .runs
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        runs.get(container).cloned()
    }
}

#[async_trait]
impl PodBackend for Node {
    async fn logs(
        &self,
        pod: &PodRef,
        container: &str,
        options: LogOptions,
    ) -> Result<LogStream, StatusError> {
        let folder = self
            .core
            .log_folder(&pod.namespace, &pod.name, &pod.uid)
            .join(container);
        let run = self.latest_run(pod, container);
        let number = match &run {
            Some(run) => run.number,
            // Not run since the node started: the last log an earlier node wrote.
            None => newest_log(&folder).await.unwrap_or(0),
        };
        let missing = || {
            let what = if options.previous {
                "previous terminated container"
            } else {
                "container"
            };
            StatusError::bad_request(format!(
                "{what} \"{container}\" in pod \"{}\" not found",
                pod.name
            ))
        };
        let (number, live) = if options.previous {
            (number - 1, None)
        } else {
            (number, run.map(|run| run.log.progress()))
        };
        let path = folder.join(format!("{number}.log"));
        if number < 0 || !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            return Err(missing());
        }
        let (out, stream) = mpsc::channel(16);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = logs::read_log(&path, &options, live, &out) {
                let _ = out.blocking_send(Err(error));
            }
        });
        Ok(ReceiverStream::new(stream).boxed())
    }

    async fn dial(&self, pod: &PodRef, port: u16) -> std::io::Result<Box<dyn PodConnection>> {
        let handle = self.core.pod(&pod.uid).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, "the pod does not run here")
        })?;
        let stream = TcpStream::connect((handle.shared.net.pod_ip, port)).await?;
        Ok(Box::new(stream))
    }

    async fn exec(
        &self,
        pod: &PodRef,
        container: &str,
        request: ExecRequest,
    ) -> Result<ExecSession, StatusError> {
        let context = self
            .latest_run(pod, container)
            .and_then(|run| run.context)
            .ok_or_else(|| {
                StatusError::bad_request(format!("container not found (\"{container}\")"))
            })?;
        let mut context = context.for_command();
        let (stdout, stdout_bytes) = mpsc::channel::<Bytes>(16);
        let (stderr, stderr_bytes) = mpsc::channel::<Bytes>(16);
        let (stdin, input) = if request.stdin {
            let (stdin, input) = mpsc::channel::<Bytes>(16);
            (Some(stdin), Some(input))
        } else {
            (None, None)
        };
        let (output, resize) = if request.tty {
            let (output, resize) = in_terminal(&mut context, stdout).map_err(|error| {
                StatusError::internal(format!("the node has no terminal to give: {error}"))
            })?;
            (output, Some(resize))
        } else {
            (Output::Channels { stdout, stderr }, None)
        };
        let (mut ended, end) = oneshot::channel();
        let session = ExecSession {
            stdin,
            stdout: stdout_bytes,
            stderr: stderr_bytes,
            resize,
            end,
        };
        let spawner = &self.core.spawner;
        let started = spawner.start_process(&context, &request.command, output, input);
        let process = match started.await {
            Ok(process) => process,
            Err(error) => {
                let program = request.command.first().map_or("", String::as_str);
                let why = match error.kind() {
                    std::io::ErrorKind::NotFound => {
                        format!("stat {program}: no such file or directory")
                    }
                    _ => error.to_string(),
                };
                let why = format!("failed to exec in container: exec: \"{program}\": {why}");
                // The session is right here.
                let _ = ended.send(ExecEnd::NotStarted(why));
                return Ok(session);
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                exit = process.wait() => {
                    let how = match (exit.code, exit.signal) {
                        (Some(code), _) => ExecEnd::Exited(code),
                        (None, signal) => ExecEnd::Signaled(signal.unwrap_or(9)),
                    };
                    let _ = ended.send(how);
                }
                // The session was dropped: nobody waits for the command any more.
                () = ended.closed() => {
                    let _ = tokio::task::spawn_blocking(move || process.kill()).await;
                }
            }
        });
        Ok(session)
    }

    fn usage(&self) -> Option<Usage> {
        self.core.usage()
    }
}

/// Opens a terminal and puts it where the command finds it: at `/dev/pts/N`, as `xterm`, which
/// is what container runtimes say.
#[cfg(target_os = "linux")]
fn in_terminal(
    context: &mut ProcessContext,
    output: mpsc::Sender<Bytes>,
) -> std::io::Result<(Output, mpsc::Sender<TerminalSize>)> {
    let terminal = Terminal::open((context.user.uid, context.user.gid))?;
    if context.root.private {
        let name = terminal.path.to_string_lossy().into_owned();
        bind(&mut context.root, &terminal.path, &name, false)?;
    }
    context.env.0.insert("TERM".to_owned(), "xterm".to_owned());
    let screen = terminal.screen()?;
    let (resize, mut sizes) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(size) = sizes.recv().await {
            // Only a terminal that is gone has no size.
            let _ = screen.resize(size);
        }
    });
    Ok((Output::Terminal { terminal, output }, resize))
}

/// Terminals are made for Linux only.
#[cfg(not(target_os = "linux"))]
fn in_terminal(
    _: &mut ProcessContext,
    _: mpsc::Sender<Bytes>,
) -> std::io::Result<(Output, mpsc::Sender<TerminalSize>)> {
    Err(std::io::ErrorKind::Unsupported.into())
}

async fn newest_log(folder: &std::path::Path) -> Option<i32> {
    let mut entries = tokio::fs::read_dir(folder).await.ok()?;
    let mut newest = None;
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|n| n.strip_suffix(".log"))
            .and_then(|n| n.parse().ok());
        newest = newest.max(number);
    }
    newest
}
