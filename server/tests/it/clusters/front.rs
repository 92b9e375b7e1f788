//! Things that stand between Slipway and a practice API: a server that can be made to misbehave, and
//! a proxy through which an address far away leads to this machine.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the front answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Takes every connection and request, and never answers.
    Frozen,
    Slow(Duration),
    /// Answers everything with this status.
    Says(u16),
    /// Answers watches with this status, everything else honestly.
    WatchSays(u16),
    /// Passes this many writes on, and holds the next one for ever.
    Holds(Writes, usize),
}

/// Which requests are counted before one is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Server-side applies.
    Applies,
    /// The patches that change an object's hands.
    Handovers,
}

impl Writes {
    fn counts(self, request: &Request<Body>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let media = request.headers().get(http::header::CONTENT_TYPE);
        let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
        request.method() == http::Method::PATCH
            && !query.contains("dryRun=")
            && match self {
                Self::Applies => media.contains("apply-patch"),
                Self::Handovers => query.contains("fieldManager=slipway-handover"),
            }
    }
}

/// A plain HTTP server that passes requests on to a practice API, or does not.
pub struct Front {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    pub lists: Arc<AtomicUsize>,
    /// Writes seen since the mood changed, and whether one is held.
    writes: watch::Sender<(usize, bool)>,
    serving: JoinHandle<()>,
    api: kube::Client,
}

#[derive(Clone)]
struct Behind {
    api: kube::Client,
    mood: Arc<Mutex<Mood>>,
    lists: Arc<AtomicUsize>,
    writes: watch::Sender<(usize, bool)>,
}

impl Front {
    pub async fn before(api: kube::Client) -> Self {
        let mood = Arc::new(Mutex::new(Mood::Honest));
        let lists = Arc::<AtomicUsize>::default();
        let writes = watch::Sender::new((0, false));
        let (port, serving) = serve(Behind {
            api: api.clone(),
            mood: Arc::clone(&mood),
            lists: Arc::clone(&lists),
            writes: writes.clone(),
        })
        .await;
        Self {
            port,
            mood,
            lists,
            writes,
            serving,
            api,
        }
    }

    pub fn be(&self, mood: Mood) {
        self.writes.send_replace((0, false));
        *self.mood.lock().expect("not poisoned") = mood;
    }

    /// Waits until a write is held.
    pub async fn holding(&self) {
        let mut writes = self.writes.subscribe();
        let held = writes.wait_for(|(_, held)| *held);
        let held = tokio::time::timeout(Duration::from_secs(60), held).await;
        held.expect("a write is held in time")
            .expect("the front lives");
    }

    /// Stops listening: connections are refused from now on.
    pub fn close(&self) {
        self.serving.abort();
    }

    /// Listens again, at another port.
    pub async fn move_away(&mut self) {
        self.close();
        let (port, serving) = serve(Behind {
            api: self.api.clone(),
            mood: Arc::clone(&self.mood),
            lists: Arc::clone(&self.lists),
            writes: self.writes.clone(),
        })
        .await;
        (self.port, self.serving) = (port, serving);
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self, name: &str) -> String {
        let server = format!("server: 'http://127.0.0.1:{}'", self.port);
        super::kubeconfig(name, &server, "")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(behind: Behind) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let router = Router::new().fallback(answer).with_state(behind);
    let serving = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (port, serving)
}

async fn answer(State(behind): State<Behind>, request: Request<Body>) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_watch = query.contains("watch=");
    if !is_watch && request.uri().path().ends_with("/configmaps") {
        behind.lists.fetch_add(1, Ordering::SeqCst);
    }
    let mood = *behind.mood.lock().expect("not poisoned");
    match mood {
        Mood::Frozen => std::future::pending().await,
        Mood::Slow(time) => tokio::time::sleep(time).await,
        Mood::Says(code) => return status(code),
        Mood::WatchSays(code) if is_watch => return status(code),
        Mood::Holds(which, pass) if which.counts(&request) => {
            let mut held = false;
            behind.writes.send_modify(|(seen, holds)| {
                *seen += 1;
                held = *seen > pass;
                *holds |= held;
            });
            if held {
                std::future::pending().await
            }
        }
        Mood::Honest | Mood::WatchSays(_) | Mood::Holds(..) => {}
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    match behind.api.send(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn status(code: u16) -> Response {
    let code = StatusCode::from_u16(code).expect("a status");
    let reason = match code.as_u16() {
        410 => "Expired",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "InternalError",
    };
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("the front says {code}"), "reason": reason, "code": code.as_u16(),
    });
    (code, axum::Json(body)).into_response()
}

/// A CONNECT proxy that leads every destination to one port of this machine.
pub struct Proxy {
    pub port: u16,
    serving: JoinHandle<()>,
    pub tunnels: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let tunnels = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&tunnels);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(tunnel(stream, target));
            }
        });
        Self {
            port,
            serving,
            tunnels,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn tunnel(stream: TcpStream, target: u16) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut behind = TcpStream::connect((Ipv4Addr::LOCALHOST, target))
        .await
        .ok()?;
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .ok()?;
    copy_bidirectional(&mut stream, &mut behind).await.ok()?;
    Some(())
}
