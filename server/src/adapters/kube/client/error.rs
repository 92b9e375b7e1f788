//! Why a request did not give an answer we can use.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use super::door::Refused;
use super::login::LoginError;

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
            Self::Kube(error) => {
                !self.is_refused_here()
                    && matches!(
                        error,
                        kube::Error::Service(_)
                            | kube::Error::HyperError(_)
                            | kube::Error::ReadEvents(_)
                            | kube::Error::Auth(_)
                    )
            }
        }
    }

    /// The credentials could not be had, so nobody was asked.
    pub fn login(&self) -> Option<&LoginError> {
        match self {
            Self::Kube(error) => chain(error).find_map(|cause| cause.downcast_ref()),
            Self::Silent(_) => None,
        }
    }

    /// Slipway itself did not let it out: the cluster may only be looked at.
    pub fn is_refused_here(&self) -> bool {
        match self {
            Self::Kube(error) => chain(error).any(|cause| cause.is::<Refused>()),
            Self::Silent(_) => false,
        }
    }
}

/// The error and all its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

/// The useful part of a client error: the API server's message, or the innermost cause.
fn api_words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("HTTP {} {}", status.code, status.reason),
        other => chain(other).last().map_or_else(String::new, |cause| {
            // The system's errors wrap the useful one once more, where `source` does not lead.
            cause
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref)
                .map_or_else(|| cause.to_string(), ToString::to_string)
        }),
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
