//! A client for one context, requests with a deadline, and errors in words.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How long one ordinary request may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Why a request did not give an answer we can use.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    #[error("no answer from the API server within {} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("{}", api_words(.0))]
    Kube(#[from] kube::Error),
}

impl KubeError {
    /// The API server's own `Status`, when it answered with one.
    pub fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    }

    pub fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    pub fn is_forbidden(&self) -> bool {
        matches!(self.code(), Some(401 | 403))
    }

    /// Nobody answered, as opposed to an answer we do not like.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Kube(error) => matches!(
                error,
                kube::Error::Service(_)
                    | kube::Error::HyperError(_)
                    | kube::Error::ReadEvents(_)
                    | kube::Error::Auth(_)
            ),
        }
    }
}

/// The useful part of a client error: the API server's message, or the innermost cause.
fn api_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("HTTP {} {}", status.code, status.reason),
        other => {
            let mut innermost = other.source();
            let mut text = other.to_string();
            while let Some(cause) = innermost {
                text = cause.to_string();
                innermost = cause.source();
            }
            text
        }
    }
}

/// Waits for a request at most `limit`.
pub async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, KubeError> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => answer.map_err(KubeError::from),
        Err(_) => Err(KubeError::Silent(limit)),
    }
}

/// Makes a client for a context of these kubeconfigs; nothing is asked yet.
pub async fn client(kubeconfig: Kubeconfig, context: &str) -> Result<Client, String> {
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| error.to_string())?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // Retries are decided here, where the deadline and the person waiting are known.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| error.to_string())
}

/// Asks `/readyz`. Any answer below 500 is a sign of life: a login problem is not a dead server.
pub async fn ready(client: &Client, limit: Duration) -> Result<(), KubeError> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(|error| KubeError::Kube(kube::Error::HttpError(error)))?;
    match within(limit, client.request_text(request)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code().is_some_and(|code| code < 500) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The server's version, such as `v1.35.1`.
pub async fn version(client: &Client, limit: Duration) -> Result<String, KubeError> {
    Ok(within(limit, client.apiserver_version()).await?.git_version)
}

/// What tells this cluster from another of the same name: the UID of the namespace `kube-system`.
/// None where we may not look at it.
pub async fn cluster_id(client: &Client, limit: Duration) -> Result<Option<String>, KubeError> {
    use k8s_openapi::api::core::v1::Namespace;
    let api: kube::Api<Namespace> = kube::Api::all(client.clone());
    match within(limit, api.get_opt("kube-system")).await {
        Ok(namespace) => Ok(namespace.and_then(|namespace| namespace.metadata.uid)),
        Err(error) if error.is_forbidden() => Ok(None),
        Err(error) => Err(error),
    }
}
