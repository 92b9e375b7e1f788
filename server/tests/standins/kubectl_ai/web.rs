//! The two generations of its web mode. No password, no check of where a request comes from.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::agent::{Input, News, Options, Session};

pub struct Server {
    home: PathBuf,
    options: Arc<Options>,
    is_new: bool,
    sessions: Mutex<Vec<Arc<Session>>>,
}

type Shared = State<Arc<Server>>;
type Fields = Form<Vec<(String, String)>>;

pub async fn serve(listen: &str, is_new: bool, options: Arc<Options>, home: PathBuf) {
    let listener = tokio::net::TcpListener::bind(listen).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    crate::log(&home, "port.log", &address.port().to_string());
    println!("listening on http://{address}");
    let server = Arc::new(Server {
        home,
        options,
        is_new,
        sessions: Mutex::default(),
    });
    let page = get(|| async { Html("<html><body>kubectl-ai</body></html>") });
    let routes =
        match is_new {
            false => {
                server.begin();
                Router::new()
                    .route(
                        "/messages-stream",
                        get(|State(server): Shared| async move { stream(server.first()) }),
                    )
                    .route(
                        "/send-message",
                        post(|State(server): Shared, Form(fields): Fields| async move {
                            send(&server, server.first(), &fields).await
                        }),
                    )
                    .route(
                        "/choose-option",
                        post(|State(server): Shared, Form(fields): Fields| async move {
                            choose(&server, server.first(), &fields).await
                        }),
                    )
                    .fallback(page)
            }
            true => {
                Router::new()
                    .route("/", page)
                    .route("/api/sessions", get(list).post(create))
                    .route(
                        "/api/sessions/{id}/stream",
                        get(|State(server): Shared, Path(id): Path<String>| async move {
                            stream(server.find(&id))
                        }),
                    )
                    .route(
                        "/api/sessions/{id}/send-message",
                        post(
                            |State(server): Shared,
                             Path(id): Path<String>,
                             Form(fields): Fields| async move {
                                send(&server, server.find(&id), &fields).await
                            },
                        ),
                    )
                    .route(
                        "/api/sessions/{id}/choose-option",
                        post(
                            |State(server): Shared,
                             Path(id): Path<String>,
                             Form(fields): Fields| async move {
                                choose(&server, server.find(&id), &fields).await
                            },
                        ),
                    )
            }
        };
    axum::serve(listener, routes.with_state(server))
        .await
        .expect("served");
}

impl Server {
    fn begin(&self) -> Arc<Session> {
        let mut sessions = self.sessions.lock().expect("no panic");
        let id = format!("20260101-{:04}", sessions.len() + 1);
        let session = Session::start(&id, self.is_new, self.options.clone());
        sessions.push(session.clone());
        session
    }

    fn first(&self) -> Option<Arc<Session>> {
        self.sessions.lock().expect("no panic").first().cloned()
    }

    fn find(&self, id: &str) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().expect("no panic");
        sessions.iter().find(|session| session.id == id).cloned()
    }
}

async fn list(State(server): Shared) -> axum::Json<Value> {
    let sessions = server.sessions.lock().expect("no panic");
    let all: Vec<Value> = sessions
        .iter()
        .map(|session| json!({"id": session.id}))
        .collect();
    axum::Json(json!(all))
}

async fn create(State(server): Shared) -> axum::Json<Value> {
    let session = server.begin();
    axum::Json(json!({"id": session.id}))
}

fn stream(session: Option<Arc<Session>>) -> Response {
    let Some(session) = session else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let events = futures::stream::unfold(session.join(), |mut news| async move {
        match news.recv().await? {
            News::State(state) => Some((state, news)),
            News::Close => None,
        }
    });
    let events = events.map(|state| Ok::<_, Infallible>(Event::default().data(state)));
    Sse::new(events).into_response()
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(given, _)| given == name)?;
    (!found.1.is_empty()).then_some(&found.1)
}

async fn send(
    server: &Server,
    session: Option<Arc<Session>>,
    fields: &[(String, String)],
) -> StatusCode {
    let (Some(session), Some(query)) = (session, field(fields, "q")) else {
        return StatusCode::BAD_REQUEST;
    };
    crate::log(&server.home, "posts.log", &format!("q={query}"));
    let _ = session.input.send(Input::Query(query.to_owned())).await;
    StatusCode::OK
}

async fn choose(
    server: &Server,
    session: Option<Arc<Session>>,
    fields: &[(String, String)],
) -> StatusCode {
    let choice = field(fields, "choice").and_then(|choice| choice.parse().ok());
    let (Some(session), Some(choice)) = (session, choice) else {
        return StatusCode::BAD_REQUEST;
    };
    crate::log(&server.home, "posts.log", &format!("choice={choice}"));
    let _ = session.input.send(Input::Choice(choice)).await;
    StatusCode::OK
}
