//! HTTP over a connection whose layers are told one by one. No proxy, no redirect: a value goes
//! where it was meant for, or nowhere.

use std::time::Duration;

use app::model::Finding;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::dial::dial;
use super::tls::{Trust, connector};
use super::{Steps, within, words};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(6);
const ANSWER_LIMIT: Duration = Duration::from_secs(12);
const MOST_BYTES: usize = 2 << 20;

/// A connection to one server.
pub(super) struct Web {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    _driver: AbortOnDropHandle<()>,
}

/// What it said.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// What to send.
pub(super) struct Ask<'a> {
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    pub headers: Vec<(&'static str, &'a str)>,
    pub body: Option<serde_json::Value>,
}

impl Web {
    /// Connects to the URL's server, layer by layer.
    pub async fn open(url: &Url, steps: &mut Steps) -> Result<Self, Finding> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let Some(port) = url.port_or_known_default() else {
            return Err(steps.fail("URL", words::not_a_url("The port is missing")));
        };
        let stream = dial(&host, port, steps).await?;
        let shown = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        if url.scheme() != "https" {
            return Self::over(stream, shown).await;
        }
        let (connector, seen) = connector(Trust::Full, &[b"http/1.1"])
            .await
            .map_err(|finding| steps.fail("TLS", finding))?;
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(name).map_err(|_| {
            steps.fail(
                "TLS",
                words::not_a_url("The host is not a name that TLS knows"),
            )
        })?;
        let encrypting = async {
            connector
                .connect(name, stream)
                .await
                .map_err(|error| match seen.verdict() {
                    Some(Err(problem)) => words::certificate(problem),
                    _ => words::tls_failed(&error.to_string()),
                })
        };
        match within(HANDSHAKE_LIMIT, encrypting, words::no_answer).await {
            Ok(stream) => {
                steps.pass("TLS", "Encrypted, and the certificate is trusted");
                Self::over(stream, shown).await
            }
            Err(finding) => Err(steps.fail("TLS", finding)),
        }
    }

    async fn over<S>(stream: S, host: String) -> Result<Self, Finding>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| words::not_http())?;
        let driver = tokio::spawn(async move {
            // Its errors are the sender's as well.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            host,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer, Finding> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, "slipway-live-test");
        for (name, value) in ask.headers {
            let mut value = http::HeaderValue::from_str(value)
                .map_err(|_| words::not_a_url("It has characters that no HTTP header can carry"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = match ask.body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(json.to_string())
            }
            None => Bytes::new(),
        };
        let request = request
            .body(Full::new(body))
            .map_err(|_| words::not_a_url("It cannot be asked over HTTP"))?;
        let asked = async {
            self.sender.ready().await.map_err(|_| words::not_http())?;
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|_| words::not_http())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES)
                .collect()
                .await
                .map_err(|_| words::not_http())?
                .to_bytes();
            Ok(Answer { status, body })
        };
        within(ANSWER_LIMIT, asked, words::answer_slow).await
    }
}

/// Path and query of a URL, as they go onto the wire.
pub(super) fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
