//! Exec and port-forward over WebSocket, in the channel protocols (`v5.channel.k8s.io`,
//! `v4.channel.k8s.io`): every message begins with the number of its channel.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pod_backend::{ExecEnd, ExecRequest, ExecSession, PodBackend, PodRef};
use super::pod_log::{choose, pod_ref};
use super::request::{Query, Target};
use super::serve::ApiServer;
use super::status::StatusError;

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// With v5: the channel named in the second byte is closed.
const CLOSE: u8 = 255;

type Sink = SplitSink<WebSocket, Message>;
type Source = SplitStream<WebSocket>;

async fn upgrade(
    request: Request<Body>,
    protocols: &[&'static str],
) -> Result<WebSocketUpgrade, StatusError> {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| StatusError::bad_request("Upgrade request required"))?
        .protocols(protocols.iter().copied());
    if upgrade.selected_protocol().is_none() {
        return Err(StatusError::bad_request(format!(
            "unable to upgrade: none of the requested protocols is served here ({})",
            protocols.join(", ")
        )));
    }
    Ok(upgrade)
}

fn pod(api: &ApiServer, target: &Target) -> Result<Arc<Value>, StatusError> {
    let name = target.name()?;
    api.store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))
}

/// Answers `.../pods/NAME/exec`.
pub async fn exec(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let pod = pod(api, target)?;
    let container = choose(&pod, target.name()?, query.get("container").unwrap_or(""))?;
    let wanted = ExecRequest {
        command: query.all("command").map(str::to_owned).collect(),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
    };
    if wanted.command.is_empty() {
        return Err(StatusError::bad_request(
            "you must specify at least 1 command for the container",
        ));
    }
    let upgrade = upgrade(request, &[V5, V4]).await?;
    let (backend, pod, stop) = (api.backend()?, pod_ref(&pod), api.shutdown.clone());
    // Refusals come as plain answers, so the command is started before the upgrade.
    let session = backend.exec(&pod, &container, wanted).await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (sink, source) = socket.split();
        tokio::select! {
            () = run_exec(session, sink, source) => {}
            () = stop.cancelled() => {}
        }
    }))
}

async fn run_exec(session: ExecSession, mut sink: Sink, source: Source) {
    let ExecSession {
        stdin,
        mut stdout,
        mut stderr,
        end,
    } = session;
    let input = read_input(source, stdin);
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
        let status = match end.await {
            Ok(ExecEnd::Exited(0)) => json!({"metadata": {}, "status": "Success"}),
            Ok(ExecEnd::Exited(code)) => failure(code),
            // A shell shows a signal as 128 and its number.
            Ok(ExecEnd::Signaled(signal)) => failure(128 + signal),
            Err(_) => StatusError::internal("the command was lost").to_value(),
        };
        send(&mut sink, ERROR, status.to_string().as_bytes()).await?;
        sink.send(Message::Close(None)).await
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

fn failure(code: i32) -> Value {
    json!({
        "metadata": {}, "status": "Failure",
        "message": format!("command terminated with exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}
    })
}

/// Reads until the client is gone.
async fn read_input(mut source: Source, mut stdin: Option<mpsc::Sender<Bytes>>) {
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

/// Answers `.../pods/NAME/portforward`.
pub async fn port_forward(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let pod = pod(api, target)?;
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    if phase != "Running" {
        return Err(StatusError::bad_request(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let ports: Vec<u16> = query
        .all("ports")
        .flat_map(|list| list.split(','))
        .map(|port| port.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| StatusError::bad_request("ports: must be numbers from 1 to 65535"))?;
    if ports.is_empty() || ports.len() > 100 {
        return Err(StatusError::bad_request(
            "query parameter \"ports\" is required",
        ));
    }
    let upgrade = upgrade(request, &[V4]).await?;
    let (backend, pod, stop) = (api.backend()?, pod_ref(&pod), api.shutdown.clone());
    Ok(upgrade.on_upgrade(move |socket| async move {
        tokio::select! {
            () = forward(socket, &backend, &pod, &ports) => {}
            () = stop.cancelled() => {}
        }
    }))
}

/// Every port is one connection with two channels: its data (even) and its error (odd).
async fn forward(socket: WebSocket, backend: &Arc<dyn PodBackend>, pod: &PodRef, ports: &[u16]) {
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
        sink.send(Message::Close(None)).await
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
    async fn run(self, mut input: mpsc::Receiver<Bytes>, frames: mpsc::Sender<(u8, Vec<u8>)>) {
        let connection = match self.backend.dial(&self.pod, self.port).await {
            Ok(connection) => connection,
            Err(error) => {
                let text = format!(
                    "error forwarding port {} to pod {}, uid : failed to connect to localhost:{} inside the pod: {error}",
                    self.port, self.pod.name, self.port
                );
                // The client may be gone already.
                let _ = frames.send((self.data + 1, text.into_bytes())).await;
                return;
            }
        };
        let (mut reader, mut writer) = tokio::io::split(connection);
        let to_pod = async {
            while let Some(bytes) = input.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        };
        let from_pod = async {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                if frames
                    .send((self.data, buffer[..count].to_vec()))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        };
        tokio::pin!(from_pod);
        tokio::select! {
            () = &mut from_pod => {}
            // The client sends no more; what the pod still answers is delivered.
            () = to_pod => from_pod.await,
        }
    }
}
