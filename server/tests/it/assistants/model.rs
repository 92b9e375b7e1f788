//! An endpoint that speaks the streaming form of OpenAI's chat completions and says what it was told to
//! say. It keeps everything it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What it does with one question.
pub enum Reply {
    /// Streams these chunks and ends.
    Chunks(Vec<Value>),
    /// Streams these, and then nothing ever again.
    Hangs(Vec<Value>),
    /// Streams these and ends in the middle.
    Breaks(Vec<Value>),
    Status(StatusCode, Value),
    /// The whole answer at once, as endpoints do that cannot stream.
    Whole(Value),
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    asked: Vec<Value>,
    authorization: Vec<Option<String>>,
}

type Shared = Arc<Mutex<Script>>;

/// Ends when it is dropped.
pub struct Model {
    script: Shared,
    pub base_url: String,
    _server: AbortOnDropHandle<()>,
}

impl Model {
    pub async fn scripted(replies: Vec<Reply>) -> Self {
        let script = Shared::default();
        script.lock().expect("a script").replies = replies.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let list = || async { Json(json!({"object": "list", "data": [{"id": "scripted"}]})) };
        let router = Router::new()
            .route("/v1/models", get(list))
            .route("/v1/chat/completions", post(complete))
            .with_state(script.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            script,
            base_url,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub fn asked(&self) -> Vec<Value> {
        self.script.lock().expect("a script").asked.clone()
    }

    pub fn authorization(&self) -> Vec<Option<String>> {
        self.script.lock().expect("a script").authorization.clone()
    }
}

async fn complete(
    State(script): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let reply = {
        let mut script = script.lock().expect("a script");
        script.asked.push(body);
        let authorization = headers.get("authorization");
        script
            .authorization
            .push(authorization.map(|value| value.to_str().expect("plain").to_owned()));
        script.replies.pop_front()
    };
    let line = |chunk: &Value| Bytes::from(format!("data: {chunk}\n\n"));
    let (chunks, end) = match reply.expect("it was asked more often than scripted") {
        Reply::Status(status, body) => return (status, Json(body)).into_response(),
        Reply::Whole(body) => return Json(body).into_response(),
        Reply::Chunks(chunks) => {
            let done =
                futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from("data: [DONE]\n\n"))]);
            (chunks, done.boxed())
        }
        Reply::Hangs(chunks) => (chunks, futures::stream::pending().boxed()),
        Reply::Breaks(chunks) => (chunks, futures::stream::empty().boxed()),
    };
    let lines: Vec<_> = chunks.iter().map(|chunk| Ok(line(chunk))).collect();
    let body = Body::from_stream(futures::stream::iter(lines).chain(end));
    ([("content-type", "text/event-stream; charset=utf-8")], body).into_response()
}

/// A piece of text.
pub fn text(text: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": text}}]})
}

/// The last chunk, with the tokens that were used.
pub fn stop() -> Value {
    json!({
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    })
}

/// Tools it wants used, all in one answer.
pub fn calls(wanted: &[(&str, Value)]) -> Reply {
    let one = |(at, (name, arguments)): (usize, &(&str, Value))| {
        let arguments = match arguments {
            // As the model wrote it, broken or not.
            Value::String(text) => text.clone(),
            whole => whole.to_string(),
        };
        json!({"index": at, "id": format!("call_{at}"), "type": "function",
            "function": {"name": name, "arguments": arguments}})
    };
    let wanted: Vec<Value> = wanted.iter().enumerate().map(one).collect();
    Reply::Chunks(vec![
        json!({"choices": [{"index": 0, "delta": {"tool_calls": wanted}}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ])
}

pub fn says(words: &str) -> Reply {
    Reply::Chunks(vec![text(words), stop()])
}
