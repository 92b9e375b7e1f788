//! Wishes of the Secrets page: values go in and never come back.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{Failure, SecretInput, SecretKey};

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
