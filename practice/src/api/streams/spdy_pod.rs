//! Commands and ports of a pod over SPDY streams. A stream says in its headers what it is for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::pod_backend::{ExecRequest, ExecSession, PodBackend, PodRef, TerminalSize};
use super::spdy::{self, Stream};
use super::{pipe, session};

/// How long a client may take to open the streams it announced.
const OPENING: Duration = Duration::from_secs(30);
/// How long a client may take to read the last bytes.
const PARTING: Duration = Duration::from_secs(5);

/// Runs `work` on the streams of a connection until either is over.
async fn on_streams<T, Fut>(io: T, work: impl FnOnce(mpsc::Receiver<Stream>) -> Fut)
where
    T: AsyncRead + AsyncWrite,
    Fut: Future<Output = ()>,
{
    let (opened, streams) = mpsc::channel(16);
    let connection = spdy::serve(io, opened);
    let work = work(streams);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = work => match tokio::time::timeout(PARTING, connection).await {
            Ok(ended) => ended,
            Err(_) => return,
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a SPDY connection ended badly");
    }
}

/// Connects a session with the client's streams.
pub async fn run<T: AsyncRead + AsyncWrite>(io: T, wanted: ExecRequest, session: ExecSession) {
    on_streams(io, |streams| run_on(streams, wanted, session)).await;
}

async fn run_on(mut streams: mpsc::Receiver<Stream>, wanted: ExecRequest, session: ExecSession) {
    let mut expected = vec!["error"];
    expected.extend(wanted.stdin.then_some("stdin"));
    expected.extend(wanted.stdout.then_some("stdout"));
    expected.extend((wanted.stderr && !wanted.tty).then_some("stderr"));
    expected.extend(wanted.tty.then_some("resize"));
    let mut open: HashMap<String, Stream> = HashMap::new();
    let opening = async {
        while expected.iter().any(|name| !open.contains_key(*name)) {
            let Some(stream) = streams.recv().await else {
                return;
            };
            let kind = stream.headers.get("streamtype").cloned();
            open.insert(kind.unwrap_or_default(), stream);
        }
    };
    if tokio::time::timeout(OPENING, opening).await.is_err() {
        return;
    }
    let ExecSession {
        stdin,
        mut stdout,
        mut stderr,
        resize,
        end,
    } = session;
    let Some(error) = open.remove("error").map(|stream| stream.output) else {
        return;
    };
    let input = open.remove("stdin");
    let forward_input = async move {
        if let (Some(to), Some(mut from)) = (stdin, input) {
            while let Some(bytes) = from.input.recv().await {
                if to.send(bytes).await.is_err() {
                    return;
                }
            }
        }
    };
    let sizes = open.remove("resize");
    let forward_sizes = async move {
        if let (Some(to), Some(mut from)) = (resize, sizes) {
            while let Some(bytes) = from.input.recv().await {
                if let Some(size) = TerminalSize::last_of(&bytes)
                    && to.send(size).await.is_err()
                {
                    return;
                }
            }
        }
    };
    let writer = |name: &str| open.get(name).map(|stream| stream.output.clone());
    let forward = async |from: &mut mpsc::Receiver<bytes::Bytes>, name: &str| {
        let to = writer(name);
        while let Some(bytes) = from.recv().await {
            if let Some(to) = &to
                && to.send(&bytes).await.is_err()
            {
                return;
            }
        }
        if let Some(to) = &to {
            to.finish().await;
        }
    };
    let output = async {
        tokio::join!(
            forward(&mut stdout, "stdout"),
            forward(&mut stderr, "stderr")
        );
        let status = session::last_word(end).await.to_string();
        if error.send(status.as_bytes()).await.is_ok() {
            error.finish().await;
        }
    };
    tokio::pin!(output);
    tokio::select! {
        () = &mut output => {}
        _ = async { tokio::join!(forward_input, forward_sizes) } => output.await,
    }
}

/// Forwards connections: each is a pair of an error and a data stream with the same request ID.
pub async fn forward<T: AsyncRead + AsyncWrite>(
    io: T,
    backend: &Arc<dyn PodBackend>,
    pod: &PodRef,
) {
    on_streams(io, |streams| {
        forward_on(streams, backend.clone(), pod.clone())
    })
    .await;
}

async fn forward_on(
    mut streams: mpsc::Receiver<Stream>,
    backend: Arc<dyn PodBackend>,
    pod: PodRef,
) {
    let mut halves: HashMap<String, Stream> = HashMap::new();
    // Ends the connections together with this future.
    let mut connections = JoinSet::new();
    while let Some(stream) = streams.recv().await {
        while connections.try_join_next().is_some() {}
        let header = |name: &str| stream.headers.get(name).cloned().unwrap_or_default();
        let port = header("port").parse::<u16>().ok().filter(|port| *port > 0);
        let (kind, request) = (header("streamtype"), header("requestid"));
        let (Some(port), "error" | "data") = (port, kind.as_str()) else {
            let text = format!("invalid port {:?} or stream type {kind:?}", header("port"));
            if stream.output.send(text.as_bytes()).await.is_ok() {
                stream.output.finish().await;
            }
            continue;
        };
        let Some(other) = halves.remove(&request) else {
            halves.insert(request, stream);
            continue;
        };
        let (error, data) = if kind == "data" {
            (other, stream)
        } else {
            (stream, other)
        };
        let (backend, pod) = (backend.clone(), pod.clone());
        connections.spawn(async move {
            match pipe::dial(backend.as_ref(), &pod, port).await {
                Err(why) => drop(error.output.send(why.as_bytes()).await),
                Ok(connection) => {
                    let output = &data.output;
                    pipe::pump(connection, data.input, |bytes| async move {
                        output.send(&bytes).await.is_ok()
                    })
                    .await;
                }
            }
            data.output.finish().await;
            error.output.finish().await;
        });
    }
}
