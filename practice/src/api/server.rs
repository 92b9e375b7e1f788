//! The TLS front door: accepts connections on loopback and tells who is calling.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::auth::{Identity, tokens};

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Serves the router over TLS until `shutdown`, then waits briefly for open requests.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    token: String,
    router: Router,
    shutdown: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let token = Arc::new(Sha256::digest(token.as_bytes()).to_vec());
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let door = Door {
                    acceptor: acceptor.clone(),
                    token: token.clone(),
                    router: router.clone(),
                };
                connections.spawn(door.serve(stream, shutdown.clone()));
            }
            Err(error) => {
                // Out of file descriptors and the like: taking a breath beats spinning.
                tracing::warn!(%error, "the practice API could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    if tokio::time::timeout(Duration::from_secs(2), connections.wait())
        .await
        .is_err()
    {
        tracing::debug!("some connections to the practice API were still open at its end");
    }
}

struct Door {
    acceptor: TlsAcceptor,
    /// Digest of the admin token: comparing digests tells nothing about the token by its timing.
    token: Arc<Vec<u8>>,
    router: Router,
}

impl Door {
    async fn serve(self, stream: TcpStream, shutdown: CancellationToken) {
        // Small answers should leave at once; a failure here costs only latency.
        let _ = stream.set_nodelay(true);
        let stream = match tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a client of the practice API failed its handshake");
                return;
            }
            Err(_) => return,
        };
        // The authority signed one client certificate, the admin's.
        let certified = stream
            .get_ref()
            .1
            .peer_certificates()
            .is_some_and(|chain| !chain.is_empty());
        let (router, token) = (self.router, self.token);
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            if certified || bears(&request, &token) {
                request.extensions_mut().insert(Identity::admin());
            }
            router.clone().oneshot(request)
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http2().max_concurrent_streams(1000);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // A broken connection is the client's business.
            _ = connection.as_mut() => return,
            () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

fn bears(request: &Request<Body>, token: &[u8]) -> bool {
    tokens::bearer(request.headers())
        .is_some_and(|sent| Sha256::digest(sent.as_bytes()).as_slice() == token)
}
