//! The two signals: the first asks Slipway to end in order, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by the first `SIGINT` or `SIGTERM`; the second ends the process with exit code 130.
pub(super) fn watch() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let first = CancellationToken::new();
    let token = first.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        eprintln!("Stopping; press Ctrl-C again to stop at once.");
        token.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(first)
}
