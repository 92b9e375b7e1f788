//! One request: by the API server's pod proxy where that can carry it, else through a port-forward.

use std::time::{Duration, Instant};

use app::model::OwnAnswer;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{Target, grpc};
use crate::adapters::kube::client::KubeError;
use crate::live::pod_facts::ProbeAct;

/// Says who asks, in the app's own log.
const AGENT: &str = "slipway-probe";
/// A port-forward that nobody refused for this long is connected: it says nothing of success.
const NOT_REFUSED: Duration = Duration::from_millis(300);
const MOST_BODY: usize = 64 << 10;

/// What an attempt gave: an answer about the container, or why there is none.
#[derive(Debug)]
pub enum Asked {
    Passed(Option<u16>),
    Failed(Option<u16>, String),
    NotAsked(String),
}

/// Makes the request once, within the probe's own timeout.
pub async fn make(client: &Client, namespace: &str, target: &Target) -> OwnAnswer {
    let began = Instant::now();
    let attempt = attempt(client, namespace, target);
    let asked = match tokio::time::timeout(target.timeout, attempt).await {
        Ok(asked) => asked,
        Err(_) => Asked::Failed(
            None,
            format!("No answer within {} s", target.timeout.as_secs()),
        ),
    };
    let took_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    match asked {
        Asked::Passed(status) => OwnAnswer::Passed { status, took_ms },
        Asked::Failed(status, why) => OwnAnswer::Failed {
            status,
            took_ms,
            why,
        },
        Asked::NotAsked(why) => OwnAnswer::NotAsked { why },
    }
}

async fn attempt(client: &Client, namespace: &str, target: &Target) -> Asked {
    match &target.act {
        ProbeAct::Http {
            https,
            port,
            path,
            headers,
        } => {
            // These two would be the API server's and ours on the way through the proxy.
            let needs_tunnel = headers.iter().any(|(name, _)| {
                name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("authorization")
            });
            match (needs_tunnel, https) {
                (false, _) => {
                    by_proxy(client, namespace, target, *https, *port, path, headers).await
                }
                (true, false) => match tunnel(client, namespace, target, *port).await {
                    Ok(tunnel) => http_through(tunnel.stream, path, headers).await,
                    Err(why) => why,
                },
                (true, true) => Asked::NotAsked(
                    "It sends a Host or Authorization header over HTTPS, which only the node can"
                        .into(),
                ),
            }
        }
        ProbeAct::Tcp { port } => match tunnel(client, namespace, target, *port).await {
            Ok(tunnel) => tunnel.stays_connected().await,
            Err(why) => why,
        },
        ProbeAct::Grpc { port, service } => match tunnel(client, namespace, target, *port).await {
            Ok(tunnel) => grpc::check(tunnel.stream, service).await,
            Err(why) => why,
        },
        ProbeAct::KubeletOnly(why) => Asked::NotAsked((*why).to_owned()),
    }
}

async fn by_proxy(
    client: &Client,
    namespace: &str,
    target: &Target,
    https: bool,
    port: u16,
    path: &str,
    headers: &[(String, String)],
) -> Asked {
    let scheme = if https { "https:" } else { "" };
    let pod = &target.name;
    let mut request = Request::get(format!(
        "/api/v1/namespaces/{namespace}/pods/{scheme}{pod}:{port}/proxy{path}"
    ))
    .header(header::USER_AGENT, AGENT);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(kube::client::Body::empty()) else {
        return Asked::NotAsked("Its path or headers cannot be sent through the API server".into());
    };
    match client.send(request).await {
        Ok(response) => proxied(response).await,
        Err(error) => Asked::NotAsked(format!(
            "The API server did not pass it on: {}",
            KubeError::from(error)
        )),
    }
}

async fn proxied(response: Response<kube::client::Body>) -> Asked {
    let status = response.status().as_u16();
    if (200..400).contains(&status) {
        return Asked::Passed(Some(status));
    }
    // The API server's own words come as a Status object; the app's are whatever it likes.
    let body = Limited::new(response.into_body(), MOST_BODY)
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    match api_server_words(&body) {
        None => failed(status),
        Some(words) => match words.strip_prefix("error trying to reach service: ") {
            Some(why) => Asked::Failed(None, why.to_owned()),
            None => Asked::NotAsked(format!("The API server did not pass it on: {words}")),
        },
    }
}

fn api_server_words(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    (value["kind"] == "Status" && value["apiVersion"] == "v1")
        .then(|| value["message"].as_str().unwrap_or_default().to_owned())
}

fn failed(status: u16) -> Asked {
    Asked::Failed(Some(status), format!("Answered with status {status}"))
}

async fn http_through<S>(stream: S, path: &str, headers: &[(String, String)]) -> Asked
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, driver) =
        match hyper::client::conn::http1::handshake(TokioIo::new(stream)).await {
            Ok(pair) => pair,
            Err(error) => return Asked::Failed(None, error.to_string()),
        };
    // Ends with the stream, which this function owns.
    let driver = tokio::spawn(driver);
    let mut request = Request::get(path).header(header::USER_AGENT, AGENT);
    for (name, value) in headers {
        request = match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => request.header(name, value),
            _ => return Asked::NotAsked("Its headers cannot be sent".into()),
        };
    }
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header(header::HOST, "localhost");
    }
    let Ok(request) = request.body(Empty::<Bytes>::new()) else {
        return Asked::NotAsked("Its path cannot be sent".into());
    };
    let asked = match sender.send_request(request).await {
        Ok(response) => match response.status().as_u16() {
            status @ 200..400 => Asked::Passed(Some(status)),
            status => failed(status),
        },
        Err(error) => Asked::Failed(None, error.to_string()),
    };
    driver.abort();
    asked
}

/// A connection into the pod.
struct Tunnel<S, E> {
    stream: S,
    refused: E,
}

async fn tunnel(
    client: &Client,
    namespace: &str,
    target: &Target,
    port: u16,
) -> Result<
    Tunnel<
        impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        impl Future<Output = Option<String>> + Send + 'static,
    >,
    Asked,
> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut forward = api
        .portforward(&target.name, &[port])
        .await
        .map_err(|error| {
            Asked::NotAsked(format!(
                "There is no way into the pod: {}",
                KubeError::from(error)
            ))
        })?;
    match (forward.take_stream(port), forward.take_error(port)) {
        (Some(stream), Some(refused)) => Ok(Tunnel { stream, refused }),
        _ => Err(Asked::NotAsked("There is no way into the pod".into())),
    }
}

impl<S, E> Tunnel<S, E>
where
    S: AsyncRead + Unpin,
    E: Future<Output = Option<String>>,
{
    async fn stays_connected(mut self) -> Asked {
        let mut byte = [0_u8];
        tokio::select! {
            Some(why) = self.refused => Asked::Failed(None, last_line(&why).to_owned()),
            read = self.stream.read(&mut byte) => match read {
                Ok(0) | Err(_) => Asked::Failed(None, "The connection was closed at once".into()),
                Ok(_) => Asked::Passed(None),
            },
            () = tokio::time::sleep(NOT_REFUSED) => Asked::Passed(None),
        }
    }
}

fn last_line(text: &str) -> &str {
    text.trim().lines().last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_servers_words_are_told_from_the_apps() {
        let unreachable = br#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused","code":503}"#;
        assert!(api_server_words(unreachable).is_some_and(|words| words.ends_with("refused")));
        assert_eq!(api_server_words(br#"{"status":"down"}"#), None);
        assert_eq!(api_server_words(b"\xff"), None);
    }

    async fn server(
        answer: &'static [u8],
    ) -> (tokio::io::DuplexStream, tokio::task::JoinHandle<String>) {
        use tokio::io::AsyncWriteExt as _;
        let (near, mut far) = tokio::io::duplex(4096);
        let asked = tokio::spawn(async move {
            let mut text = Vec::new();
            let mut bytes = [0; 512];
            while !text.ends_with(b"\r\n\r\n") {
                let read = far.read(&mut bytes).await.expect("readable");
                text.extend_from_slice(&bytes[..read]);
            }
            far.write_all(answer).await.expect("writable");
            String::from_utf8(text).expect("text")
        });
        (near, asked)
    }

    #[tokio::test]
    async fn a_probe_with_a_host_header_is_asked_through_a_tunnel_with_it() {
        let (stream, asked) = server(b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n").await;
        let headers = [("Host".to_owned(), "shop.example".to_owned())];
        let answer = http_through(stream, "/health?deep=1", &headers).await;
        assert!(matches!(answer, Asked::Failed(Some(503), _)), "{answer:?}");
        let asked = asked.await.expect("asked").to_lowercase();
        assert!(asked.starts_with("get /health?deep=1 http/1.1"), "{asked}");
        assert!(asked.contains("host: shop.example"), "{asked}");
    }
}
