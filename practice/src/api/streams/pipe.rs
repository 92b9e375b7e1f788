//! One connection into a pod, moved in both directions.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::super::pod_backend::{PodBackend, PodConnection, PodRef};

/// Connects, or says why not in the words of the runtime.
pub async fn dial(
    backend: &dyn PodBackend,
    pod: &PodRef,
    port: u16,
) -> Result<Box<dyn PodConnection>, String> {
    backend.dial(pod, port).await.map_err(|error| {
        format!(
            "error forwarding port {port} to pod {}, uid : failed to connect to localhost:{port} inside the pod: {error}",
            pod.name
        )
    })
}

/// Moves bytes until the pod has said everything. `send` answers `false` when the client is gone.
pub async fn pump<F, Fut>(
    connection: Box<dyn PodConnection>,
    mut input: mpsc::Receiver<Bytes>,
    mut send: F,
) where
    F: FnMut(Bytes) -> Fut,
    Fut: Future<Output = bool>,
{
    let (mut reader, mut writer) = tokio::io::split(connection);
    let to_pod = async {
        while let Some(bytes) = input.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The pod may have closed first.
        let _ = writer.shutdown().await;
    };
    let from_pod = async {
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            if !send(Bytes::copy_from_slice(&buffer[..count])).await {
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
