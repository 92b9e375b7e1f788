//! The live stream: a snapshot, then every event, and a heartbeat so that silence means trouble.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use app::model::{LiveMessage, PanelEvent, Role};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::engine::hub::{Delivery, Subscription};
use crate::engine::{Hub, clock};

const HEARTBEAT: Duration = Duration::from_secs(2);
/// More pages than this at once are refused.
const MOST_STREAMS: usize = 64;

/// What the streams need: the store to read and nothing to act with.
#[derive(Clone, Debug)]
pub struct Stage {
    hub: Hub,
    shutdown: CancellationToken,
    seats: Arc<Semaphore>,
    watching: Arc<AtomicU32>,
}

impl Stage {
    pub fn new(hub: Hub, shutdown: CancellationToken) -> Self {
        Self {
            hub,
            shutdown,
            seats: Arc::new(Semaphore::new(MOST_STREAMS)),
            watching: Arc::default(),
        }
    }

    /// Answers with a stream that ends with the server or when the page goes away.
    pub fn stream(&self, role: Role) -> Response {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let listener = Listener {
            subscription: self.hub.subscribe(),
            role,
            heartbeat,
            _presence: Presence::new(self),
            stage: self.clone(),
            _seat: seat,
        };
        let frames = stream::unfold(listener, |mut listener| async move {
            let frame = listener.next().await?;
            Some((Ok::<_, Infallible>(frame), listener))
        });
        let mut response = Response::new(Body::from_stream(frames));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("text/event-stream"),
        );
        response
    }
}

struct Listener {
    subscription: Subscription,
    role: Role,
    heartbeat: Interval,
    stage: Stage,
    _presence: Presence,
    _seat: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            () = self.stage.shutdown.cancelled() => None,
            delivery = self.subscription.next() => {
                // Whatever arrives is a sign of life; no heartbeat is needed beside it.
                self.heartbeat.reset();
                Some(match delivery {
                    Delivery::Event(published) => frame(&published.json()),
                    Delivery::Snapshot { revision, state } => encode(&LiveMessage::Snapshot {
                        revision,
                        now: clock::now(),
                        role: self.role,
                        state,
                    }),
                })
            }
            _ = self.heartbeat.tick() => Some(encode(&LiveMessage::Heartbeat {
                revision: self.stage.hub.revision(),
                now: clock::now(),
            })),
        }
    }
}

fn encode(message: &LiveMessage) -> Bytes {
    // The model has string keys only, so it always encodes.
    frame(&serde_json::to_string(message).expect("a live message encodes as JSON"))
}

/// One server-sent event; JSON has no line breaks of its own.
fn frame(json: &str) -> Bytes {
    Bytes::from(format!("data: {json}\n\n"))
}

/// Counts a page as watching while it lives.
struct Presence {
    hub: Hub,
    watching: Arc<AtomicU32>,
}

impl Presence {
    fn new(stage: &Stage) -> Self {
        let watching = stage.watching.fetch_add(1, Ordering::SeqCst) + 1;
        stage.hub.voice().publish(PanelEvent::Viewers(watching));
        Self {
            hub: stage.hub.clone(),
            watching: Arc::clone(&stage.watching),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let watching = self.watching.fetch_sub(1, Ordering::SeqCst) - 1;
        self.hub.voice().publish(PanelEvent::Viewers(watching));
    }
}
