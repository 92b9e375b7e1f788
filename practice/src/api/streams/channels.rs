//! The channel protocols over WebSocket (`v5.channel.k8s.io`, `v4.channel.k8s.io`): every message
//! begins with the number of its channel.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::pod_backend::{ExecSession, PodBackend, PodRef, TerminalSize};
use super::{pipe, session, transport};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// With v5: the channel named in the second byte is closed.
const CLOSE: u8 = 255;

type Sink = SplitSink<WebSocket, Message>;
type Source = SplitStream<WebSocket>;

/// Connects a session with the client's channels.
pub async fn run(session: ExecSession, socket: WebSocket) {
    let (sink, source) = socket.split();
    run_exec(session, sink, source).await;
}

async fn run_exec(session: ExecSession, mut sink: Sink, source: Source) {
    let ExecSession {
        stdin,
        mut stdout,
        mut stderr,
        resize,
        end,
    } = session;
    let input = read_input(source, stdin, resize);
    let output = async {
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            let (channel, bytes) = tokio::select! {
                bytes = stdout.recv(), if out_open => (STDOUT, bytes),
                bytes = stderr.recv(), if err_open => (STDERR, bytes),
            };
            match bytes {
                Some(bytes) => send(&mut sink, channel, &bytes).await?,
                None if channel == STDOUT => out_open = false,
                None => err_open = false,
            }
        }
        let status = session::last_word(end).await;
        send(&mut sink, ERROR, status.to_string().as_bytes()).await?;
        sink.send(transport::good_bye()).await
    };
    tokio::pin!(output);
    tokio::select! {
        // The client went away or said good-bye; dropping the session ends the command.
        () = input => {}
        sent = &mut output => {
            if let Err(error) = sent {
                tracing::debug!(%error, "an exec session ended early");
            }
        }
    }
}

/// Reads until the client is gone.
async fn read_input(
    mut source: Source,
    mut stdin: Option<mpsc::Sender<Bytes>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some(Ok(message)) = source.next().await {
        match message {
            Message::Binary(bytes) => match bytes.split_first() {
                Some((&STDIN, rest)) if !rest.is_empty() => {
                    if let Some(open) = &stdin
                        && open.send(Bytes::copy_from_slice(rest)).await.is_err()
                    {
                        stdin = None;
                    }
                }
                Some((&RESIZE, size)) => {
                    if let (Some(resize), Some(size)) = (&resize, TerminalSize::last_of(size)) {
                        // The command may have ended, which the output tells.
                        let _ = resize.send(size).await;
                    }
                }
                Some((&CLOSE, [STDIN])) => stdin = None,
                _ => {}
            },
            Message::Close(_) => return,
            _ => {}
        }
    }
}

async fn send(sink: &mut Sink, channel: u8, bytes: &[u8]) -> Result<(), axum::Error> {
    let mut frame = Vec::with_capacity(bytes.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(bytes);
    sink.send(Message::Binary(frame.into())).await
}

/// Every port is one connection with two channels: its data (even) and its error (odd).
pub async fn forward(
    socket: WebSocket,
    backend: &Arc<dyn PodBackend>,
    pod: &PodRef,
    ports: &[u16],
) {
    let (mut sink, mut source) = socket.split();
    let (frames, mut outgoing) = mpsc::channel::<(u8, Vec<u8>)>(16);
    // Ends the connections' tasks together with this one.
    let done = CancellationToken::new();
    let _guard = done.clone().drop_guard();
    let mut inputs = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let Ok(data) = u8::try_from(2 * at) else {
            return;
        };
        for channel in [data, data + 1] {
            if send(&mut sink, channel, &port.to_le_bytes()).await.is_err() {
                return;
            }
        }
        let (to_pod, from_client) = mpsc::channel(16);
        inputs.push(to_pod);
        let connection = Forwarded {
            backend: backend.clone(),
            pod: pod.clone(),
            port: *port,
            data,
        };
        let (frames, done) = (frames.clone(), done.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection.run(from_client, frames) => {}
                () = done.cancelled() => {}
            }
        });
    }
    drop(frames);
    let write = async {
        while let Some((channel, bytes)) = outgoing.recv().await {
            send(&mut sink, channel, &bytes).await?;
        }
        sink.send(transport::good_bye()).await
    };
    let read = async {
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(bytes) => {
                    let Some((channel, rest)) = bytes.split_first() else {
                        continue;
                    };
                    // A connection that is over takes no more; the others go on.
                    if let Some(input) = inputs.get(usize::from(channel / 2))
                        && channel % 2 == 0
                    {
                        let _ = input.send(Bytes::copy_from_slice(rest)).await;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    tokio::pin!(write);
    tokio::select! {
        () = read => {}
        sent = &mut write => {
            if let Err(error) = sent {
                tracing::debug!(%error, "a port-forward ended early");
            }
        }
    }
}

struct Forwarded {
    backend: Arc<dyn PodBackend>,
    pod: PodRef,
    port: u16,
    data: u8,
}

impl Forwarded {
    async fn run(self, input: mpsc::Receiver<Bytes>, frames: mpsc::Sender<(u8, Vec<u8>)>) {
        match pipe::dial(self.backend.as_ref(), &self.pod, self.port).await {
            // The client may be gone already.
            Err(text) => drop(frames.send((self.data + 1, text.into_bytes())).await),
            Ok(connection) => {
                let (frames, channel) = (&frames, self.data);
                pipe::pump(connection, input, |bytes| async move {
                    frames.send((channel, bytes.to_vec())).await.is_ok()
                })
                .await;
            }
        }
    }
}
