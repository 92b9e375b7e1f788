//! The live stream: a snapshot, then every event, and a heartbeat so that silence means trouble.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use app::model::{LiveMessage, PanelEvent, Role, StateRevision};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use futures::stream;
use http::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::share::Link;
use crate::engine::hub::{Delivery, Subscription};
use crate::engine::{Hub, clock};

const HEARTBEAT: Duration = Duration::from_secs(2);
/// More pages than this at once are refused, each role for itself: an audience never keeps the
/// operator out.
const OPERATOR_STREAMS: usize = 64;
const VIEWER_STREAMS: usize = 1024;

/// What the streams need: the store to read and nothing to act with.
#[derive(Clone, Debug)]
pub struct Stage {
    hub: Hub,
    shutdown: CancellationToken,
    operator_seats: Arc<Semaphore>,
    viewer_seats: Arc<Semaphore>,
    watching: Arc<AtomicU32>,
    on_share: OnShare,
}

/// Told when somebody came or left through a link for viewers.
#[derive(Clone)]
struct OnShare(Arc<Told>);

type Told = dyn Fn(&Arc<Link>) + Send + Sync;

impl std::fmt::Debug for OnShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnShare")
    }
}

impl Stage {
    pub fn new(hub: Hub, shutdown: CancellationToken) -> Self {
        Self {
            hub,
            shutdown,
            operator_seats: Arc::new(Semaphore::new(OPERATOR_STREAMS)),
            viewer_seats: Arc::new(Semaphore::new(VIEWER_STREAMS)),
            watching: Arc::default(),
            on_share: OnShare(Arc::new(|_| {})),
        }
    }

    /// With somebody to be told of those who come and leave through links.
    pub fn shared(self, told: impl Fn(&Arc<Link>) + Send + Sync + 'static) -> Self {
        Self {
            on_share: OnShare(Arc::new(told)),
            ..self
        }
    }

    /// Answers with the last walk that went well.
    pub fn replay<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let hub = self.hub.clone();
        get(move || {
            let recording = hub.recording();
            async move {
                match recording {
                    Some(json) => {
                        ([(header::CONTENT_TYPE, "application/json")], json).into_response()
                    }
                    None => StatusCode::NOT_FOUND.into_response(),
                }
            }
        })
    }

    /// Answers with a stream that ends with the server or when the page goes away.
    pub fn stream(&self, role: Role) -> Response {
        let presence = || Presence::here(self);
        self.stream_until(role, self.shutdown.clone(), presence)
    }

    /// The same for somebody who came through a link: it also ends with the link.
    pub fn stream_through(&self, role: Role, link: Arc<Link>) -> Response {
        // Cancelled by the end of the listener, or of the link, whichever is first.
        let end = link.ended().child_token();
        let shutdown = self.shutdown.clone();
        let both = end.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => both.cancel(),
                () = both.cancelled() => {}
            }
        });
        let leaves = end.clone();
        let presence = || Presence::through(self, link, leaves);
        self.stream_until(role, end, presence)
    }

    fn stream_until(
        &self,
        role: Role,
        end: CancellationToken,
        presence: impl FnOnce() -> Presence,
    ) -> Response {
        let seats = match role {
            Role::Operator => &self.operator_seats,
            Role::Viewer => &self.viewer_seats,
        };
        let Ok(seat) = Arc::clone(seats).try_acquire_owned() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let listener = Listener {
            subscription: self.hub.subscribe(),
            role,
            heartbeat,
            _presence: presence(),
            end,
            revision: StateRevision(0),
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
    /// The newest that was sent.
    revision: StateRevision,
    end: CancellationToken,
    _presence: Presence,
    _seat: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.end.cancelled() => None,
            // Also while there are news: they do not say what time it is here.
            _ = self.heartbeat.tick() => Some(encode(&LiveMessage::Heartbeat {
                revision: self.revision,
                now: clock::now(),
            })),
            delivery = self.subscription.next() => Some(match delivery {
                Delivery::Event(published) => {
                    self.revision = published.revision;
                    frame(&published.json())
                }
                Delivery::Snapshot { revision, state } => {
                    self.revision = revision;
                    self.heartbeat.reset();
                    encode(&LiveMessage::Snapshot {
                        revision,
                        now: clock::now(),
                        role: self.role,
                        state,
                    })
                }
            }),
        }
    }
}

fn encode(message: &LiveMessage) -> Bytes {
    // The model has string keys only, so it always encodes.
    frame(&serde_json::to_string(message).expect("a live message encodes as JSON"))
}

/// One server-sent event; JSON has no line breaks of its own.
pub(super) fn frame(json: &str) -> Bytes {
    Bytes::from(format!("data: {json}\n\n"))
}

/// Counts a page as watching while it lives.
enum Presence {
    Here {
        hub: Hub,
        watching: Arc<AtomicU32>,
    },
    Through {
        link: Arc<Link>,
        told: OnShare,
        end: CancellationToken,
    },
}

impl Presence {
    fn here(stage: &Stage) -> Self {
        let watching = stage.watching.fetch_add(1, Ordering::SeqCst) + 1;
        stage.hub.voice().publish(PanelEvent::Viewers(watching));
        Self::Here {
            hub: stage.hub.clone(),
            watching: Arc::clone(&stage.watching),
        }
    }

    fn through(stage: &Stage, link: Arc<Link>, end: CancellationToken) -> Self {
        link.joined();
        (stage.on_share.0)(&link);
        Self::Through {
            link,
            told: stage.on_share.clone(),
            end,
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        match self {
            Self::Here { hub, watching } => {
                let watching = watching.fetch_sub(1, Ordering::SeqCst) - 1;
                hub.voice().publish(PanelEvent::Viewers(watching));
            }
            Self::Through { link, told, end } => {
                end.cancel();
                link.left();
                (told.0)(link);
            }
        }
    }
}
