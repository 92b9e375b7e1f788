//! A running frontend, a browser without JavaScript, and a scripted backend.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use todo_frontend::{app::App, config::Config};
use tokio::net::TcpListener;

/// What the stand-in for the backend was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub what: String,
    pub visitor: Option<String>,
    pub traceparent: Option<String>,
    pub body: Value,
}

/// A stand-in for the backend with prepared answers; an unprepared question never gets one.
#[derive(Clone)]
pub struct Backend {
    answers: Arc<Mutex<HashMap<String, (u16, Value)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub address: String,
}

pub const TOKEN: &str = "v1.aaaa.bbbb";

impl Backend {
    /// Knows one visitor with one todo and one exchange of words.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            answers: Arc::default(),
            asked: Arc::default(),
            address: format!("http://{}", listener.local_addr().unwrap()),
        };
        backend.answers("POST /api/session", 201, json!({"token": TOKEN}));
        backend.answers(
            "GET /api/board",
            200,
            json!({
                "assistant": {"state": "configured", "model": "model-x"},
                "todos": [{"id": 7, "title": "Buy <milk>", "completed": false, "created_at": 0}],
                "conversation": [
                    {"id": 1, "role": "user", "content": "milk", "actions": [], "created_at": 0},
                    {"id": 2, "role": "assistant", "content": "Noted", "created_at": 0,
                     "actions": [{"kind": "added", "id": 7, "title": "Buy <milk>"}]}
                ]
            }),
        );
        let router = Router::new().fallback(answer).with_state(backend.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        backend
    }

    /// Prepares an answer; text is sent as a stream of events.
    pub fn answers(&self, what: &str, status: u16, body: Value) {
        self.answers
            .lock()
            .unwrap()
            .insert(what.to_owned(), (status, body));
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn asked_for(&self, what: &str) -> Asked {
        let asked = self.asked().into_iter().find(|asked| asked.what == what);
        asked.unwrap_or_else(|| panic!("{what} is not among {:?}", self.asked()))
    }
}

async fn answer(
    State(backend): State<Backend>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let what = format!("{method} {}", uri.path());
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    backend.asked.lock().unwrap().push(Asked {
        what: what.clone(),
        visitor: header("x-visitor"),
        traceparent: header("traceparent"),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    let answer = backend.answers.lock().unwrap().get(&what).cloned();
    match answer {
        Some((200, Value::String(events))) => {
            ([("content-type", "text/event-stream")], events).into_response()
        }
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        None => std::future::pending().await,
    }
}

/// A frontend listening on a port of its own.
pub struct Frontend {
    address: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Frontend {
    pub async fn start(backend: &str) -> Self {
        let mut config =
            Config::read(|name| (name == "BACKEND_URL").then(|| backend.to_owned())).unwrap();
        config.deadline = Duration::from_millis(300);
        config.chat_deadline = Duration::from_millis(600);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = App::new(&config).router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", path, headers, "").await
    }

    /// Sends a form, as the known visitor.
    pub async fn form(&self, path: &str, form: &'static str, more: &[(&str, &str)]) -> Answer {
        let cookie = format!("todo_visitor={TOKEN}");
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", cookie.as_str()),
        ];
        headers.extend(more);
        self.call("POST", path, &headers, form).await
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Answer {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let call = self.http.request(request.body(Full::from(body)).unwrap());
        let response = tokio::time::timeout(Duration::from_secs(20), call)
            .await
            .unwrap()
            .unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
