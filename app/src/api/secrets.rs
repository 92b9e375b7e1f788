//! Wishes of the Secrets page: values go in and never come back.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, InClusterReport, LiveTestReport, RunId, SecretInput, SecretKey};

/// Puts a value into the cluster's Secret.
#[server(prefix = "/api", endpoint = "secrets/set", input = Json, output = Json, client = PanelClient)]
pub async fn set_secret(key: SecretKey, value: SecretInput) -> Result<(), Failure> {
    super::ports()?.secrets.set(key, value).await
}

/// Makes a random value and stores it the same way.
#[server(prefix = "/api", endpoint = "secrets/generate", input = Json, output = Json, client = PanelClient)]
pub async fn generate_secret(key: SecretKey) -> Result<(), Failure> {
    super::ports()?.secrets.generate(key).await
}

/// Takes a key out of the cluster's Secret.
#[server(prefix = "/api", endpoint = "secrets/delete", input = Json, output = Json, client = PanelClient)]
pub async fn delete_secret(key: SecretKey) -> Result<(), Failure> {
    super::ports()?.secrets.delete(key).await
}

/// Several values at once: all of them or none.
#[server(prefix = "/api", endpoint = "secrets/set-all", input = Json, output = Json, client = PanelClient)]
pub async fn set_secrets(values: Vec<(SecretKey, SecretInput)>) -> Result<(), Failure> {
    super::ports()?.secrets.set_all(values).await
}

/// Tries a value out for real, or the one in the cluster; nothing is stored.
#[server(prefix = "/api", endpoint = "secrets/test", input = Json, output = Json, client = PanelClient)]
pub async fn test_secret(
    key: SecretKey,
    value: Option<SecretInput>,
) -> Result<LiveTestReport, Failure> {
    super::ports()?.secrets.test(key, value).await
}

/// Tries a value out on a pod of the app inside the cluster; nothing is stored.
#[server(prefix = "/api", endpoint = "secrets/try-in-cluster", input = Json, output = Json, client = PanelClient)]
pub async fn try_secret_in_cluster(key: SecretKey, value: SecretInput) -> Result<RunId, Failure> {
    super::ports()?.secrets.try_in_cluster(key, value).await
}

/// Names a key that only the workloads read in `slipway.toml`.
#[server(prefix = "/api", endpoint = "secrets/declare", input = Json, output = Json, client = PanelClient)]
pub async fn declare_secret(key: SecretKey) -> Result<(), Failure> {
    super::ports()?.secrets.declare(key).await
}

/// Stops the test of this key that is going.
#[server(prefix = "/api", endpoint = "secrets/stop-test", input = Json, output = Json, client = PanelClient)]
pub async fn stop_secret_test(key: SecretKey) -> Result<(), Failure> {
    super::ports()?.secrets.stop_test(key).await
}

/// Asks the app's readiness path inside the cluster.
#[server(prefix = "/api", endpoint = "secrets/ask-pods", input = Json, output = Json, client = PanelClient)]
pub async fn ask_pods() -> Result<InClusterReport, Failure> {
    super::ports()?.secrets.ask_pods().await
}

/// What the cluster has is right, whoever put it there.
#[server(prefix = "/api", endpoint = "secrets/accept", input = Json, output = Json, client = PanelClient)]
pub async fn accept_secret(key: SecretKey) -> Result<(), Failure> {
    super::ports()?.secrets.accept(key).await
}

/// Lets Slipway write into a Secret that someone else keeps.
#[server(prefix = "/api", endpoint = "secrets/adopt", input = Json, output = Json, client = PanelClient)]
pub async fn adopt_secret() -> Result<(), Failure> {
    super::ports()?.secrets.adopt().await
}

/// Restarts exactly the workloads whose pods have older values.
#[server(prefix = "/api", endpoint = "secrets/restart-stale", input = Json, output = Json, client = PanelClient)]
pub async fn restart_stale() -> Result<RunId, Failure> {
    super::ports()?.rollouts.restart_stale().await
}
