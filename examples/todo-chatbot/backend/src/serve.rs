//! From listening to the last answer: a polite end on SIGTERM, in which no request is lost.

use std::{io, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{app::App, config::Config};

/// How long requests that are under way may take once the listener is closed.
const FINISH: Duration = Duration::from_secs(20);

/// Serves until SIGTERM or SIGINT, then drains.
pub async fn run(config: Config) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(config.listen).await?;
    let app = App::new(&config);
    tracing::info!(
        address = %listener.local_addr()?,
        database = config.database.flavor().name(),
        assistant = if config.assistant.api_key.is_some() { "configured" } else { "offline" },
        model = config.assistant.model,
        "listening"
    );

    let (close, closed) = oneshot::channel::<()>();
    let router = app.router();
    let mut server = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                // A dropped sender means the same as a message: close.
                let _ = closed.await;
            })
            .await
    });

    tokio::select! {
        ended = &mut server => return ended.map_err(io::Error::other)?,
        _ = terminate.recv() => {
            tracing::info!(drain_seconds = config.drain.as_secs(), "SIGTERM: readiness is red, draining");
            app.draining.begin();
            // Requests keep coming until the endpoint is taken out of the Service.
            tokio::time::sleep(config.drain).await;
        }
        _ = interrupt.recv() => {
            tracing::info!("SIGINT: draining");
            app.draining.begin();
        }
    }
    drop(close);
    match tokio::time::timeout(FINISH, server).await {
        Ok(ended) => ended.map_err(io::Error::other)??,
        Err(_) => tracing::warn!("requests were still going after {FINISH:?}, leaving them"),
    }
    // Visitors may have gone while their turns were still under way.
    app.turns.close();
    if tokio::time::timeout(FINISH, app.turns.wait())
        .await
        .is_err()
    {
        tracing::warn!("turns with the assistant were still going, leaving them");
    }
    app.store.close().await;
    tracing::info!("stopped");
    Ok(())
}
