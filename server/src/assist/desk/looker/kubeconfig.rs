//! A kubeconfig of one context and a token.

use kube::config::Cluster;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::adapters::kube::kubeconfig;
use crate::cluster::Connected;

const NAME: &str = "slipway-looker";

/// Where the token is good, as the operator's own kubeconfig says it.
#[derive(Debug)]
pub struct Place {
    cluster: Value,
    pub namespace: String,
}

impl Place {
    /// Reads it; the error is for a person.
    pub async fn of(connected: &Connected, namespace: &str) -> Result<Self, String> {
        let files: Vec<_> = std::env::split_paths(&connected.kubeconfig).collect();
        let loaded = tokio::task::spawn_blocking(move || kubeconfig::read(&files))
            .await
            .map_err(|_| "the kubeconfig could not be read".to_owned())?;
        let parts = kubeconfig::parts(&loaded.config, &connected.context)?;
        Ok(Self {
            cluster: cluster(&parts.cluster),
            namespace: namespace.to_owned(),
        })
    }

    /// JSON, which kubectl reads as YAML.
    pub fn with_token(&self, token: &str) -> Zeroizing<String> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": self.cluster}],
            "users": [{"name": NAME, "user": {"token": token}}],
            "contexts": [{"name": NAME, "context": {
                "cluster": NAME, "user": NAME, "namespace": self.namespace
            }}],
            "current-context": NAME,
        });
        Zeroizing::new(config.to_string())
    }
}

/// How the server is reached and proved, and nothing else of what the file says.
fn cluster(cluster: &Cluster) -> Value {
    let mut found = json!({"server": cluster.server});
    let texts = [
        ("certificate-authority", &cluster.certificate_authority),
        (
            "certificate-authority-data",
            &cluster.certificate_authority_data,
        ),
        ("tls-server-name", &cluster.tls_server_name),
        ("proxy-url", &cluster.proxy_url),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            found[name] = json!(value);
        }
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        found["insecure-skip-tls-verify"] = json!(true);
    }
    found
}
