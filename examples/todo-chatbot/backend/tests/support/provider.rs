//! A scripted stand-in for an OpenAI-compatible API: it gives the prepared answers in order and
//! keeps what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One prepared answer.
pub enum Answer {
    Message(Value),
    /// The pieces of a stream, each as `data`; the second half says whether it ends with `[DONE]`.
    Pieces(Vec<Value>, bool),
    Status(u16, Value),
    Text(&'static str),
    Never,
}

pub fn says(text: &str) -> Answer {
    Answer::Message(json!({"role": "assistant", "content": text}))
}

pub fn calls(tools: &[(&str, Value)]) -> Answer {
    let calls: Vec<Value> = tools
        .iter()
        .enumerate()
        .map(|(index, (name, arguments))| {
            json!({"id": format!("call_{index}"), "type": "function", "function": {
                "name": name, "arguments": arguments.to_string()
            }})
        })
        .collect();
    Answer::Message(json!({"role": "assistant", "content": null, "tool_calls": calls}))
}

/// The text, word by word.
pub fn streams(text: &str) -> Answer {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let words = text
        .split_inclusive(' ')
        .map(|word| delta(json!({"content": word})));
    Answer::Pieces(words.collect(), true)
}

#[derive(Clone, Default)]
pub struct Provider {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    pub address: String,
}

impl Provider {
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            answers: Arc::new(Mutex::new(answers.into())),
            asked: Arc::default(),
            address: format!("http://{}/v1", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// What it was asked, with the headers.
    pub fn asked(&self) -> Vec<(HeaderMap, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    provider.asked.lock().unwrap().push((headers, body));
    let answer = provider.answers.lock().unwrap().pop_front();
    match answer {
        Some(Answer::Message(message)) => {
            Json(json!({"choices": [{"index": 0, "message": message}]})).into_response()
        }
        Some(Answer::Pieces(pieces, done)) => {
            let mut text: String = pieces
                .iter()
                .map(|piece| format!("data: {piece}\n\n"))
                .collect();
            if done {
                text.push_str("data: [DONE]\n\n");
            }
            ([("content-type", "text/event-stream")], text).into_response()
        }
        Some(Answer::Status(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
        }
        Some(Answer::Text(text)) => text.into_response(),
        Some(Answer::Never) => std::future::pending().await,
        None => (StatusCode::IM_A_TEAPOT, "the script is over").into_response(),
    }
}
