//! Answers that do not end: logs as they are written, the turns of the desk, what a terminal shows; server-sent events on a POST.

use std::convert::Infallible;
use std::sync::Arc;

use app::model::{Failure, LogWish, TerminalPlace};
use app::ports::{Assistants, Live, Terminals};
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Request, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::events::frame;
use super::gate::LONGEST_BODY;
use super::once::failed;

/// More at once are refused: each one reads many logs.
static SEATS: Semaphore = Semaphore::const_new(16);

/// Holds its seat as long as the stream lives.
struct Seated<S> {
    stream: S,
    _seat: SemaphorePermit<'static>,
}

/// Follows the logs that the body asks for.
pub(super) async fn logs(live: Arc<dyn Live>, request: Request<Body>) -> Response {
    match body_of::<LogWish>(request).await {
        Ok(wish) => follow(live.follow_logs(wish)).await,
        Err(refused) => refused.into_response(),
    }
}

/// Follows the desk: everything said so far, then what is said.
pub(super) async fn desk(assistants: Arc<dyn Assistants>) -> Response {
    follow(assistants.follow()).await
}

/// Follows the terminal in the place that the body names.
pub(super) async fn terminal(terminals: Arc<dyn Terminals>, request: Request<Body>) -> Response {
    match body_of::<TerminalPlace>(request).await {
        Ok(place) => follow(terminals.follow(place)).await,
        Err(refused) => refused.into_response(),
    }
}

async fn body_of<T: DeserializeOwned>(request: Request<Body>) -> Result<T, StatusCode> {
    let body = to_bytes(request.into_body(), LONGEST_BODY)
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Takes a seat, opens the stream and passes on what comes.
async fn follow<T: Serialize + Send + 'static>(
    open: impl Future<Output = Result<BoxStream<'static, T>, Failure>>,
) -> Response {
    let Ok(seat) = SEATS.try_acquire() else {
        let why = Failure::Transport("too many pages follow already".to_owned());
        return failed(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    match open.await {
        Ok(stream) => streamed(stream, seat),
        Err(why) => failed(StatusCode::CONFLICT, why),
    }
}

fn streamed<T: Serialize + Send + 'static>(
    stream: BoxStream<'static, T>,
    seat: SemaphorePermit<'static>,
) -> Response {
    let seated = Seated {
        stream,
        _seat: seat,
    };
    let frames = futures::stream::unfold(seated, |mut seated| async move {
        let next = seated.stream.next().await?;
        Some((Ok::<_, Infallible>(encode(&next)), seated))
    });
    let mut response = Response::new(Body::from_stream(frames));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    response
}

fn encode<T: Serialize>(next: &T) -> bytes::Bytes {
    // The model has string keys only, so it always encodes.
    frame(&serde_json::to_string(next).expect("a frame encodes as JSON"))
}
