//! The controllers behind the practice cluster's workload kinds. They program purely against a
//! Kubernetes client.

use tokio_util::sync::CancellationToken;

/// Runs every controller until `shutdown` is cancelled.
pub async fn run(client: kube::Client, shutdown: CancellationToken) {
    drop(client);
    shutdown.cancelled().await;
}
