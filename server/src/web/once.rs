//! Wishes are granted once, and on the cluster they were made for.
//! A page sends a key with every wish: the same key again gets the first answer instead of a second
//! deed. It also sends which choice of a cluster it was looking at: with another one chosen meanwhile,
//! nothing is done.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::model::{Failure, Finding, NextAction};
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::{HeaderMap, Request, StatusCode, header};
use leptos::server_fn::error::FromServerFnError;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::gate::LONGEST_BODY;
use crate::engine::Hub;

/// The key of one wish, made up by the page.
pub const WISH: &str = "x-slipway-wish";
/// The era of the cluster the page shows.
pub const ERA: &str = "x-slipway-era";

/// How long and how many answers are remembered: a page gives up long before.
const REMEMBERED: Duration = Duration::from_secs(600);
const MOST: usize = 1024;
const LONGEST_KEY: usize = 64;
/// Longer answers are those of questions, which may as well be asked again.
const LONGEST_ANSWER: usize = 64 << 10;

/// What these do does not depend on the cluster in use, or decides about it.
const FREE: [&str; 6] = [
    "/api/adopt/",
    "/api/clusters/",
    "/api/setup/",
    "/api/runs/",
    "/api/minikube/",
    "/api/share/",
];

/// The wishes of the last minutes; clones share them.
#[derive(Clone)]
pub(super) struct Wishes {
    hub: Hub,
    known: Arc<Mutex<VecDeque<Wish>>>,
}

impl std::fmt::Debug for Wishes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wishes")
    }
}

struct Wish {
    key: String,
    /// Of path and body: the same key for something else is a mistake of the sender.
    digest: Vec<u8>,
    made: Instant,
    answer: Shared<BoxFuture<'static, Answer>>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Wishes {
    pub fn new(hub: Hub) -> Self {
        Self {
            hub,
            known: Arc::default(),
        }
    }

    /// Grants the request by `grant`, unless it was granted before or was meant for another cluster.
    pub async fn grant<F, Fut>(&self, request: Request<Body>, grant: F) -> Response
    where
        F: FnOnce(Request<Body>) -> Fut + Send + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        let Some(key) = request.headers().get(WISH) else {
            return match self.changed_meanwhile(&request) {
                None => grant(request).await,
                Some(finding) => refuse(finding),
            };
        };
        let key = match key.to_str() {
            Ok(key) if is_key(key) => key.to_owned(),
            _ => return StatusCode::BAD_REQUEST.into_response(),
        };
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let digest = Sha256::new_with_prefix(parts.uri.path())
            .chain_update(&body)
            .finalize()
            .to_vec();
        let request = Request::from_parts(parts, Body::from(body));
        let answer = match self.find_or_begin(&key, digest, request, grant) {
            Ok(answer) => answer.await,
            Err(finding) => return refuse(*finding),
        };
        if answer.body.len() > LONGEST_ANSWER {
            self.lock().retain(|wish| wish.key != key);
        }
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    fn find_or_begin<F, Fut>(
        &self,
        key: &str,
        digest: Vec<u8>,
        request: Request<Body>,
        grant: F,
    ) -> Result<Shared<BoxFuture<'static, Answer>>, Box<Finding>>
    where
        F: FnOnce(Request<Body>) -> Fut + Send + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        let mut known = self.lock();
        let is_old = |wish: &Wish| wish.made.elapsed() > REMEMBERED;
        while known.len() >= MOST || known.front().is_some_and(is_old) {
            known.pop_front();
        }
        if let Some(wish) = known.iter().find(|wish| wish.key == key) {
            if wish.digest != digest {
                return Err(Box::new(key_reused()));
            }
            return Ok(wish.answer.clone());
        }
        // Only the first time: a repeated wish gets its answer whatever was chosen since.
        if let Some(finding) = self.changed_meanwhile(&request) {
            return Err(Box::new(finding));
        }
        // In a task of its own: a page that goes away does not tear a deed apart.
        let deed = tokio::spawn(async move { read(grant(request).await).await });
        let answer = async move { deed.await.unwrap_or_else(|_| Answer::broken()) }
            .boxed()
            .shared();
        known.push_back(Wish {
            key: key.to_owned(),
            digest,
            made: Instant::now(),
            answer: answer.clone(),
        });
        Ok(answer)
    }

    /// Why it must not be granted: the page looked at another cluster than the one in use.
    fn changed_meanwhile(&self, request: &Request<Body>) -> Option<Finding> {
        let seen = request.headers().get(ERA)?;
        let path = request.uri().path();
        if FREE.iter().any(|free| path.starts_with(free)) {
            return None;
        }
        let (now, name) = self.hub.read(|state| {
            let cluster = state.cluster.as_ref();
            let name = cluster.map(|cluster| cluster.choice.label().to_owned());
            (cluster.map_or(0, |cluster| cluster.era), name)
        });
        let seen = seen.to_str().ok().and_then(|seen| seen.parse().ok());
        (seen != Some(now)).then(|| cluster_changed(name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Wish>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    fn broken() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(body) => Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        },
        Err(_) => Answer::broken(),
    }
}

fn is_key(key: &str) -> bool {
    (8..=LONGEST_KEY).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn refuse(finding: Finding) -> Response {
    failed(StatusCode::CONFLICT, Failure::from(finding))
}

/// A failure as a server function tells it.
pub(super) fn failed(status: StatusCode, failure: Failure) -> Response {
    let mut response = Response::new(Body::from(failure.ser()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn cluster_changed(now: Option<String>) -> Finding {
    let now = match now {
        Some(name) => format!("{name} is in use now"),
        None => "no cluster is in use now".to_owned(),
    };
    Finding::new(
        "CLUSTER_CHANGED",
        "Another cluster was chosen meanwhile",
        format!("The page you pressed it on showed another cluster; {now}. Nothing was done."),
    )
    .attention()
    .next(NextAction::advice(
        "Look at the page again, then press it if it is still what you want",
    ))
}

fn key_reused() -> Finding {
    Finding::new(
        "WISH_KEY_REUSED",
        "The same key was sent with another wish",
        "A key stands for one wish: with it, something else was asked for before. Nothing was done.",
    )
}
