//! `grpc.health.v1.Health/Check` by hand: two tiny messages are no reason for a code generator.
//! The protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::request::Asked;

const MOST_ANSWER: usize = 4 << 10;

pub(super) async fn check<S>(stream: S, service: &str) -> Asked
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, driver) = match handshake {
        Ok(pair) => pair,
        Err(error) => return Asked::Failed(None, error.to_string()),
    };
    // Ends with the stream, which this function owns.
    let driver = tokio::spawn(driver);
    let request = Request::post("http://localhost/grpc.health.v1.Health/Check")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(question(service)));
    let asked = match request {
        Ok(request) => match sender.send_request(request).await {
            Ok(response) => answer(response).await,
            Err(error) => Asked::Failed(None, format!("No gRPC answer: {error}")),
        },
        Err(error) => Asked::NotAsked(error.to_string()),
    };
    driver.abort();
    asked
}

/// A `HealthCheckRequest`: field 1, the service's name.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

fn put_varint(message: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        message.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    message.put_u8(number as u8);
}

async fn answer(response: http::Response<hyper::body::Incoming>) -> Asked {
    let text = |headers: &http::HeaderMap, name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    // An error may come in the headers alone.
    let early = (
        text(response.headers(), "grpc-status"),
        text(response.headers(), "grpc-message"),
    );
    let Ok(body) = Limited::new(response.into_body(), MOST_ANSWER)
        .collect()
        .await
    else {
        return Asked::Failed(None, "The gRPC answer broke off".into());
    };
    let (status, message) = match (early, body.trailers()) {
        ((Some(status), message), _) => (Some(status), message),
        (_, Some(trailers)) => (
            text(trailers, "grpc-status"),
            text(trailers, "grpc-message"),
        ),
        _ => (None, None),
    };
    let body = body.to_bytes();
    match status.as_deref() {
        Some("0") => serving(&body),
        Some(code) => Asked::Failed(
            None,
            format!("gRPC status {code}: {}", message.unwrap_or_default()),
        ),
        None => Asked::Failed(None, "It does not speak gRPC".into()),
    }
}

/// A `HealthCheckResponse`: field 1, an enum. A field left out is `UNKNOWN`.
fn serving(body: &[u8]) -> Asked {
    let status = match body.get(5..) {
        Some([0x08, status, ..]) => *status,
        Some([]) => 0,
        _ => return Asked::Failed(None, "The gRPC answer is no health answer".into()),
    };
    match status {
        1 => Asked::Passed(None),
        0 => unhealthy("UNKNOWN"),
        2 => unhealthy("NOT_SERVING"),
        3 => unhealthy("SERVICE_UNKNOWN"),
        other => unhealthy(&other.to_string()),
    }
}

/// In the kubelet's own words.
fn unhealthy(status: &str) -> Asked {
    Asked::Failed(
        None,
        format!("service unhealthy (responded with \"{status}\")"),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use hyper::service::service_fn;

    use super::*;

    /// Answers one check with these message bytes and this status.
    fn server(message: &'static [u8], status: &'static str) -> tokio::io::DuplexStream {
        let (near, far) = tokio::io::duplex(64 << 10);
        let serve = service_fn(move |request: Request<hyper::body::Incoming>| async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            let asked = request
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            assert_eq!(&asked[..], b"\0\0\0\0\x06\x0a\x04todo");
            let mut framed = vec![0, 0, 0, 0, message.len() as u8];
            framed.extend_from_slice(message);
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static(status));
            let frames = futures::stream::iter([
                Ok::<_, Infallible>(Frame::data(Bytes::from(framed))),
                Ok(Frame::trailers(trailers)),
            ]);
            Ok::<_, Infallible>(http::Response::new(StreamBody::new(frames)))
        });
        tokio::spawn(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(far), serve),
        );
        near
    }

    #[tokio::test]
    async fn health_is_read_from_message_and_trailers() {
        let serving = check(server(b"\x08\x01", "0"), "todo").await;
        assert!(matches!(serving, Asked::Passed(None)), "{serving:?}");
        let down = check(server(b"\x08\x02", "0"), "todo").await;
        assert!(
            matches!(&down, Asked::Failed(None, why) if why.contains("NOT_SERVING")),
            "{down:?}"
        );
        let unknown = check(server(b"", "0"), "todo").await;
        assert!(matches!(&unknown, Asked::Failed(None, why) if why.contains("UNKNOWN")));
        let missing = check(server(b"", "12"), "todo").await;
        assert!(matches!(&missing, Asked::Failed(None, why) if why.contains("status 12")));
    }

    #[tokio::test]
    async fn what_is_no_grpc_fails_and_ends() {
        use tokio::io::AsyncWriteExt as _;
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("written");
        let asked = check(near, "").await;
        assert!(matches!(asked, Asked::Failed(None, _)), "{asked:?}");
    }

    #[test]
    fn long_names_have_lengths_of_several_bytes() {
        let framed = question(&"x".repeat(300));
        assert_eq!(&framed[5..8], &[0x0a, 0xac, 0x02]);
    }
}
