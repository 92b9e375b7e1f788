//! How a client wants to talk: which upgrade and which protocol it asks for.

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::status::StatusError;

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const SPDY: &str = "SPDY/3.1";
const PROTOCOL_VERSION: &str = "x-stream-protocol-version";

/// What is reached through the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The streams of a process.
    Command,
    /// Ports.
    Ports,
}

/// An upgrade that can be answered.
pub enum Transport {
    /// WebSocket messages that begin with the number of their channel.
    Channels(WebSocketUpgrade),
    /// A SPDY connection in the messages of a WebSocket.
    Tunnel(WebSocketUpgrade),
    /// A SPDY connection in place of HTTP.
    Spdy(SpdyUpgrade),
}

impl Transport {
    /// What the request asks for, or its refusal.
    pub async fn of(request: Request<Body>, served: Served) -> Result<Self, StatusError> {
        let asked = |headers: &HeaderMap| {
            let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
            Some(upgrade.to_ascii_lowercase())
        };
        match asked(request.headers()).as_deref() {
            Some("spdy/3.1") => SpdyUpgrade::of(request, served).map(Self::Spdy),
            _ => Self::web_socket(request, served).await,
        }
    }

    async fn web_socket(request: Request<Body>, served: Served) -> Result<Self, StatusError> {
        let protocols: &[&'static str] = match served {
            Served::Command => &[V5, V4],
            Served::Ports => &[TUNNEL, V4],
        };
        let (mut parts, _) = request.into_parts();
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
            .await
            .map_err(|_| StatusError::bad_request("Upgrade request required"))?
            .protocols(protocols.iter().copied());
        match upgrade.selected_protocol() {
            None => Err(StatusError::bad_request(format!(
                "unable to upgrade: none of the requested protocols is served here ({})",
                protocols.join(", ")
            ))),
            Some(protocol) if protocol == TUNNEL => Ok(Self::Tunnel(upgrade)),
            Some(_) => Ok(Self::Channels(upgrade)),
        }
    }
}

/// A pending SPDY upgrade.
pub struct SpdyUpgrade {
    upgrade: OnUpgrade,
    protocol: &'static str,
}

impl SpdyUpgrade {
    fn of(mut request: Request<Body>, served: Served) -> Result<Self, StatusError> {
        let ours = match served {
            Served::Command => "v4.channel.k8s.io",
            Served::Ports => "portforward.k8s.io",
        };
        let offered: Vec<&str> = request
            .headers()
            .get_all(PROTOCOL_VERSION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        if !offered.contains(&ours) {
            return Err(StatusError::new(
                403,
                "Forbidden",
                format!(
                    "unable to upgrade: unable to negotiate protocol: client supports {offered:?}, server accepts [\"{ours}\"]"
                ),
            ));
        }
        Ok(Self {
            upgrade: hyper::upgrade::on(&mut request),
            protocol: ours,
        })
    }

    /// Accepts, and runs `serve` on the connection.
    pub fn answer<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(TokioIo<Upgraded>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let upgrade = self.upgrade;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => serve(TokioIo::new(upgraded)).await,
                Err(error) => tracing::debug!(%error, "a client did not go on to SPDY"),
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static(SPDY));
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(self.protocol));
        response
    }
}

/// The end of a connection as it should be: clients take a close without a code for an error.
pub fn good_bye() -> Message {
    Message::Close(Some(CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    }))
}

/// The messages of a WebSocket as one stream of bytes, and the future that moves them.
pub fn as_bytes(socket: WebSocket) -> (DuplexStream, impl Future<Output = ()>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let pump = async move {
        let (mut sink, mut source) = socket.split();
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let inward = async {
            while let Some(Ok(message)) = source.next().await {
                match message {
                    Message::Binary(bytes) if writer.write_all(&bytes).await.is_err() => return,
                    Message::Close(_) => break,
                    _ => {}
                }
            }
            // The other half may be gone, which is as good.
            let _ = writer.shutdown().await;
        };
        let outward = async {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                let message = Message::Binary(Bytes::copy_from_slice(&buffer[..count]));
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            // A client that is gone needs no good-bye.
            let _ = sink.send(good_bye()).await;
        };
        tokio::join!(inward, outward);
    };
    (ours, pump)
}
