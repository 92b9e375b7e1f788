//! The listeners: both loopback addresses, the same port on both; and where viewers were asked for,
//! one address of a private network.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use app::model::{Finding, NextAction};
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Site;
use super::share::is_near;

const LONGEST_HEAD: usize = 16 * 1024;
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// How long open answers may take to end at the shutdown.
const DRAIN: Duration = Duration::from_secs(2);
/// How often another free port is tried when the second address has the first one's port taken.
const TRIES: usize = 20;

/// Bound and not yet answering.
#[derive(Debug)]
pub struct Listeners {
    /// The first address; of the version four, unless somebody shares at another.
    v4: TcpListener,
    v6: Option<TcpListener>,
    port: u16,
    /// Who may connect.
    peers: fn(IpAddr) -> bool,
}

impl Listeners {
    /// Takes the port on 127.0.0.1 and on ::1 (which not every machine has). Port 0 picks a free one.
    pub async fn bind(port: u16) -> io::Result<Self> {
        for _ in 0..TRIES {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let taken = v4.local_addr()?.port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, taken)).await {
                Ok(v6) => {
                    return Ok(Self {
                        v4,
                        v6: Some(v6),
                        port: taken,
                        peers: is_loopback,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    if port != 0 {
                        return Err(error);
                    }
                }
                Err(error) => {
                    tracing::info!(%error, "there is no ::1 here; listening on 127.0.0.1 only");
                    return Ok(Self {
                        v4,
                        v6: None,
                        port: taken,
                        peers: is_loopback,
                    });
                }
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Takes one address of the network this machine is in, for viewers only. Port 0 picks a free one.
    pub async fn bind_for_viewers(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            port: listener.local_addr()?.port(),
            v4: listener,
            v6: None,
            peers: is_near,
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers until the shutdown, then lets open answers end.
    pub async fn serve(self, site: Site, shutdown: CancellationToken) {
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&self.v4, self.v6.as_ref()) => accepted,
            };
            match accepted {
                Ok((stream, peer)) if (self.peers)(peer.ip()) => {
                    let connection = connect(stream, site.clone());
                    let watched = connections.watch(connection);
                    tokio::spawn(async move {
                        if let Err(error) = watched.await {
                            tracing::debug!(%error, "a connection ended badly");
                        }
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, mostly: give others time to close theirs.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop((self.v4, self.v6));
        if tokio::time::timeout(DRAIN, connections.shutdown())
            .await
            .is_err()
        {
            tracing::debug!("some connections did not end in time");
        }
    }
}

async fn accept(v4: &TcpListener, v6: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match v6 {
        Some(v6) => tokio::select! {
            accepted = v4.accept() => accepted,
            accepted = v6.accept() => accepted,
        },
        None => v4.accept().await,
    }
}

fn connect(
    stream: TcpStream,
    site: Site,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Events are small and must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request.map(Body::new)).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}

fn is_loopback(peer: IpAddr) -> bool {
    peer.is_loopback()
}

/// Says what to do when the port cannot be taken.
pub fn port_in_use(port: u16, error: &io::Error) -> Finding {
    Finding::new(
        "PORT_IN_USE",
        format!("Slipway cannot listen on port {port}"),
        match error.kind() {
            io::ErrorKind::AddrInUse => "Another program listens there.".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "Ports below 1024 are for the system's own services.".to_owned()
            }
            _ => format!("{error}."),
        },
    )
    .next(NextAction::Command {
        command: "slipway --listen 127.0.0.1:0".to_owned(),
        why: "Picks a free port".to_owned(),
    })
    .next(NextAction::Command {
        command: format!("ss -ltnp 'sport = :{port}'"),
        why: "Shows the program that has the port".to_owned(),
    })
}
