//! What the API server needs from the node for the pod subresources that reach into a running
//! pod: logs, connections and exec. The node implements it; the API server holds it as a trait object.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use super::status::StatusError;

/// A log stream: raw bytes as they are written; ends at the container's end when following.
pub type LogStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A byte pipe to a port inside a pod.
pub trait PodConnection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> PodConnection for T {}

/// Query of the `log` subresource, already parsed and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Keep the stream open until the container ends.
    pub follow: bool,
    /// The log of the container's previous run.
    pub previous: bool,
    /// Only lines younger than this.
    pub since_seconds: Option<i64>,
    /// Only lines at or after this moment.
    pub since_time: Option<jiff::Timestamp>,
    /// Prefix every line with its RFC 3339 moment (nanoseconds) and a space.
    pub timestamps: bool,
    /// Only the last lines (applied before following).
    pub tail_lines: Option<u64>,
    /// Stop after this many bytes.
    pub limit_bytes: Option<u64>,
}

/// What to run inside a container.
#[derive(Clone, Debug, Default)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether the caller will send standard input.
    pub stdin: bool,
    /// Whether the caller wants standard output.
    pub stdout: bool,
    /// Whether the caller wants standard error.
    pub stderr: bool,
    /// Whether the command gets a terminal; what it says comes on standard output alone then.
    pub tty: bool,
}

/// How an executed command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecEnd {
    /// It ended by itself with this code.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
    /// It could not be started, and why: what a container runtime says only once it is connected.
    NotStarted(String),
}

/// The size of a terminal, as a client tells it: `{"Width":80,"Height":24}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct TerminalSize {
    #[serde(rename = "Width")]
    pub columns: u16,
    #[serde(rename = "Height")]
    pub rows: u16,
}

impl TerminalSize {
    /// The last size in a message of the resize channel, which may hold several; anything that is
    /// no size is passed over.
    pub fn last_of(message: &[u8]) -> Option<Self> {
        serde_json::Deserializer::from_slice(message)
            .into_iter()
            .map_while(Result::ok)
            .last()
    }
}

/// A running command. Dropping it must end the command.
pub struct ExecSession {
    /// Bytes for standard input; dropping the sender closes it.
    pub stdin: Option<mpsc::Sender<Bytes>>,
    /// Standard output; `None` from the channel means closed.
    pub stdout: mpsc::Receiver<Bytes>,
    /// Standard error; with a terminal it stays empty.
    pub stderr: mpsc::Receiver<Bytes>,
    /// Where the terminal's sizes go; `None` without one.
    pub resize: Option<mpsc::Sender<TerminalSize>>,
    /// Resolves once, when the command ended.
    pub end: oneshot::Receiver<ExecEnd>,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession").finish_non_exhaustive()
    }
}

/// The node's side of the pod subresources. Pods are named by namespace, name and UID, so that a
/// recreated pod of the same name is never mistaken for its predecessor.
#[async_trait]
pub trait PodBackend: Send + Sync + 'static {
    /// The log of one container. The API server has already chosen the container and answered
    /// "is waiting to start" from the pod's status; errors here are for what only the node knows
    /// (no previous container, no log file).
    async fn logs(
        &self,
        pod: &PodRef,
        container: &str,
        options: LogOptions,
    ) -> Result<LogStream, StatusError>;

    /// Connects to a TCP port the way another pod would: the port as declared inside the pod.
    async fn dial(&self, pod: &PodRef, port: u16) -> std::io::Result<Box<dyn PodConnection>>;

    /// Starts a command in a running container.
    async fn exec(
        &self,
        pod: &PodRef,
        container: &str,
        request: ExecRequest,
    ) -> Result<ExecSession, StatusError>;

    /// What the containers used in the last window; none before the first one is over.
    fn usage(&self) -> Option<Usage>;
}

/// What the containers of the node's pods used lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The end of the window.
    pub at: jiff::Timestamp,
    /// Over which processor time was counted.
    pub window: Duration,
    /// By the pod's UID.
    pub pods: HashMap<String, Vec<ContainerUsage>>,
}

/// What one container used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    pub container: String,
    /// Billionths of a processor.
    pub cpu_nanocores: u64,
    pub memory_bytes: u64,
}

/// Identity of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodRef {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

#[cfg(test)]
mod tests {
    use super::TerminalSize;

    #[test]
    fn the_last_of_several_sizes_counts_and_nonsense_is_passed_over() {
        let size = |columns, rows| Some(TerminalSize { columns, rows });
        let two = b"{\"Width\":80,\"Height\":24}\n{\"Width\":100,\"Height\":30}\n";
        assert_eq!(TerminalSize::last_of(two), size(100, 30));
        let torn = b"{\"Width\":80,\"Height\":24}\n{\"Width\":1";
        assert_eq!(TerminalSize::last_of(torn), size(80, 24));
        for nonsense in [&b""[..], b"80x24", b"{\"Width\":-1,\"Height\":70000}"] {
            assert_eq!(TerminalSize::last_of(nonsense), None);
        }
    }
}
