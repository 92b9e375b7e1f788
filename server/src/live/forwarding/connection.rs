//! One connection: into a pod that is ready now, or, while there is none, into the next one.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{Forward, target};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT};

/// A browser waits as long for a pod that is just being replaced.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(200);
/// A pod that does not listen refuses within this time.
const REFUSES_WITHIN: Duration = Duration::from_millis(15);

pub(super) struct Connection {
    pub forward: Forward,
}

impl Connection {
    /// Carries everything both ways until either side ends.
    pub async fn carry(self, mut client: TcpStream) {
        // Small packets must not wait for each other.
        let _ = client.set_nodelay(true);
        let deadline = Instant::now() + PATIENCE;
        let mut pod_stream = loop {
            match self.dial_pod().await {
                Ok((pod, stream)) => {
                    self.forward.note(Some(&pod), None);
                    break stream;
                }
                Err(why) => {
                    self.forward.note(None, Some(&why));
                    if Instant::now() >= deadline || is_closed(&client).await {
                        return;
                    }
                }
            }
            sleep(AGAIN).await;
        };
        // Either side may go at any time; then the connection is over, and that is all.
        let _ = copy_bidirectional(&mut client, &mut pod_stream).await;
    }

    async fn dial_pod(
        &self,
    ) -> Result<(String, impl AsyncRead + AsyncWrite + Unpin + Send + 'static), String> {
        let forward = &self.forward;
        let (service, port) = (&forward.key.0, forward.key.1);
        let connected = forward
            .connected()
            .map_err(|_| "The cluster cannot be used now".to_owned())?;
        let before = forward
            .registry
            .find(&forward.key)
            .and_then(|view| view.pod);
        let ready = target::ready_pods(&connected, &forward.namespace, service, port).await?;
        let alive = forward.core.hub.read(|state| {
            ready
                .into_iter()
                .filter(|target| {
                    let row = state.pods.get(&target.uid);
                    // The watch knows of an ending before the endpoints do.
                    row.is_none_or(|row| row.ready && !row.terminating)
                })
                .collect::<Vec<_>>()
        });
        // The same pod as before, as long as it is ready: pages keep things in a process's memory.
        let target = alive
            .iter()
            .find(|target| Some(&target.pod) == before.as_ref())
            .or(alive.first())
            .ok_or_else(|| format!("No pod of Service {service} is ready"))?;
        let api: Api<Pod> = Api::namespaced(connected.client.clone(), &forward.namespace);
        let ports = [target.port];
        let opened = timeout(REQUEST_LIMIT, api.portforward(&target.pod, &ports))
            .await
            .map_err(|_| "The API server does not answer".to_owned())?;
        let mut opened =
            opened.map_err(|error| format!("{}: {}", target.pod, KubeError::from(error)))?;
        let (Some(stream), Some(refused)) = (
            opened.take_stream(target.port),
            opened.take_error(target.port),
        ) else {
            return Err(format!("There is no way into {}", target.pod));
        };
        tokio::select! {
            Some(why) = refused => Err(format!("{}: {}", target.pod, why.trim())),
            () = sleep(REFUSES_WITHIN) => Ok((target.pod.clone(), stream)),
        }
    }
}

/// Whether the client gave up, as far as that can be seen without taking what it sent.
async fn is_closed(client: &TcpStream) -> bool {
    let mut byte = [0_u8];
    matches!(
        timeout(Duration::ZERO, client.peek(&mut byte)).await,
        Ok(Ok(0) | Err(_))
    )
}
