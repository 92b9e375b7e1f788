//! The loops around the controllers: workers that drain a queue, and supervision that starts a
//! broken loop again.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::queue::WorkQueue;

/// Why one pass over an object failed; the pass is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("{}", api_message(.0))]
    Api(#[from] kube::Error),
    #[error("{0}")]
    Other(String),
}

/// The API server's own words for a failure, without the client's wrapping.
pub fn api_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// The object is not there (any more).
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

/// The object changed under our hands, or its name is taken.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict() && !status.is_already_exists())
}

/// An object of that name exists.
pub fn is_already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}

/// Nothing can be created because the namespace is going away.
pub fn is_namespace_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let by_cause = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .any(|cause| cause.reason == "NamespaceTerminating");
    by_cause || (status.is_forbidden() && status.message.contains("is being terminated"))
}

/// One controller's pass over the object a key names.
pub trait Reconcile: Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Debug + Display + Send + Sync + 'static;
    /// For logs.
    const NAME: &'static str;

    /// The queue its keys come from.
    fn queue(&self) -> &WorkQueue<Self::Key>;

    /// Brings the object a step closer to its wish.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<(), SyncError>> + Send;
}

/// Drains a controller's queue with `workers` workers until `shutdown`.
pub async fn run_workers<R: Reconcile>(
    controller: Arc<R>,
    workers: usize,
    shutdown: CancellationToken,
) {
    let loops = (0..workers).map(|_| {
        let (controller, shutdown) = (Arc::clone(&controller), shutdown.clone());
        supervise(R::NAME, shutdown.clone(), move || {
            let (controller, shutdown) = (Arc::clone(&controller), shutdown.clone());
            async move { drain(controller.as_ref(), &shutdown).await }
        })
    });
    futures::future::join_all(loops).await;
}

async fn drain<R: Reconcile>(controller: &R, shutdown: &CancellationToken) {
    let queue = controller.queue();
    while let Some(key) = queue.next(shutdown).await {
        // A pass that panics must not keep its key locked for ever.
        let pass = AssertUnwindSafe(controller.reconcile(&key)).catch_unwind();
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = pass => outcome,
        };
        match outcome {
            Ok(Ok(())) => queue.forget(&key),
            Ok(Err(error)) => {
                match &error {
                    SyncError::Api(cause) if is_conflict(cause) => {
                        tracing::debug!(controller = R::NAME, %key, %error, "will try again");
                    }
                    _ => tracing::warn!(controller = R::NAME, %key, %error, "will try again"),
                }
                queue.add_rate_limited(key.clone());
            }
            Err(_) => {
                tracing::error!(controller = R::NAME, %key, "the pass panicked, will try again");
                queue.add_rate_limited(key.clone());
            }
        }
        queue.done(&key);
    }
}

/// Keeps a loop going: when it ends or panics before `shutdown`, it is started again, later each
/// time.
pub async fn supervise<F, Fut>(name: &'static str, shutdown: CancellationToken, run: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let mut delay = Duration::from_millis(200);
    loop {
        let started = tokio::time::Instant::now();
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = AssertUnwindSafe(run()).catch_unwind() => outcome,
        };
        if shutdown.is_cancelled() {
            return;
        }
        if started.elapsed() > Duration::from_secs(60) {
            delay = Duration::from_millis(200);
        }
        tracing::warn!(name, panicked = outcome.is_err(), ?delay, "restarting");
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(delay) => {}
        }
        delay = (delay * 2).min(Duration::from_secs(30));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_is_started_again() {
        let (runs, shutdown) = (AtomicUsize::new(0), CancellationToken::new());
        supervise("test", shutdown.clone(), || async {
            if runs.fetch_add(1, Ordering::SeqCst) == 2 {
                shutdown.cancel();
            } else {
                panic!("broken");
            }
        })
        .await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }
}
