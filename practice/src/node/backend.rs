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
use super::logs;
use super::process::Output;
use crate::api::pod_backend::{
    ExecEnd, ExecRequest, ExecSession, LogOptions, LogStream, PodBackend, PodConnection, PodRef,
    Usage,
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
        let (stdout, stdout_bytes) = mpsc::channel::<Bytes>(16);
        let (stderr, stderr_bytes) = mpsc::channel::<Bytes>(16);
        let (stdin, input) = if request.stdin {
            let (stdin, input) = mpsc::channel::<Bytes>(16);
            (Some(stdin), Some(input))
        } else {
            (None, None)
        };
        let output = Output::Channels { stdout, stderr };
        let process = self
            .core
            .spawner
            .start_process(&context.for_command(), &request.command, output, input)
            .await
            .map_err(|error| {
                let program = request.command.first().map_or("", String::as_str);
                StatusError::internal(format!(
                    "failed to exec in container: exec: \"{program}\": {error}"
                ))
            })?;
        let (mut ended, end) = oneshot::channel();
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
        Ok(ExecSession {
            stdin,
            stdout: stdout_bytes,
            stderr: stderr_bytes,
            end,
        })
    }

    fn usage(&self) -> Option<Usage> {
        self.core.usage()
    }
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
