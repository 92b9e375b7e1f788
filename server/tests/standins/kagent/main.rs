//! Stands in for kagent 0.9.12 (b45990582): its controller with one agent behind it, speaking A2A with
//! `A2A-Version: 0.3`. It runs in a pod. For tests only.
//!
//! With a second argument it is the controller alone: what is meant for the agent goes on to that address,
//! as kagent's own does with an agent's pod.
//!
//! What the agent does follows from a word in the question:
//!
//! - `logs`: it uses a tool, says its answer in pieces and whole, and repeats it in the artifact.
//! - `delete`: it pauses for two calls; what a decision does not name counts as approved.
//! - `artifact`: it says its answer in the artifact alone.
//! - `fail`: its model refuses the key. `hang`: it says Hm, and nothing more comes. `cut`: the stream breaks off.
//! - `context`: it tells which context this is, and which question in it.
//! - `dawdle`: it has begun for a second before it says so.
//! - `cancelled`: it tells which tasks were cancelled.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc;

#[derive(Default)]
struct Agent {
    /// Where the agent is, if it is somebody else's.
    elsewhere: Option<String>,
    tasks: Mutex<u32>,
    cancelled: Mutex<Vec<String>>,
    /// Contexts in the order of their first question, with how many were asked.
    contexts: Mutex<Vec<(String, u32)>>,
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".to_owned());
    let routes = Router::new()
        .route("/health", get(|| async { Json(json!({"error": false, "data": {"status": "OK"}, "message": "OK"})) }))
        .route("/version", get(|| async { Json(json!({"kagent_version": "0.9.12", "git_commit": "b459", "build_date": "2026-07-20"})) }))
        .route("/api/a2a/{namespace}/{name}/", post(a2a))
        .with_state(Arc::new(Agent {
            elsewhere: std::env::args().nth(2),
            ..Agent::default()
        }));
    let listener = tokio::net::TcpListener::bind(format!("0.0.0.0:{port}"))
        .await
        .expect("a port");
    println!("INFO listening on {port}");
    axum::serve(listener, routes).await.expect("served");
}

async fn a2a(
    State(agent): State<Arc<Agent>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    if name != "k8s-agent" {
        let text = format!("Agent {namespace}/{name} not found");
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    // Without the header it is the same wire; with another version it is refused.
    if headers
        .get("a2a-version")
        .is_some_and(|version| version != "0.3")
    {
        return (StatusCode::BAD_REQUEST, "unsupported A2A version").into_response();
    }
    if let Some(peer) = &agent.elsewhere {
        return pass_on(peer, &headers, &request).await;
    }
    let params = &request["params"];
    match request["method"].as_str() {
        Some("tasks/cancel") => {
            let id = params["id"].as_str().unwrap_or_default().to_owned();
            agent.cancelled.lock().expect("no panic").push(id.clone());
            let task = json!({"kind": "task", "id": id, "contextId": "C", "status": {"state": "canceled"}});
            Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": task})).into_response()
        }
        Some("message/stream") => {
            let (sender, events) = mpsc::channel(100);
            let talk = Talk::new(&agent, request["id"].clone(), &params["message"], sender);
            let message = params["message"].clone();
            tokio::spawn(async move { talk.answer(&agent, &message).await });
            let events = futures::stream::unfold(events, |mut events| async move {
                let text: String = events.recv().await?;
                Some((Ok::<_, Infallible>(Event::default().data(text)), events))
            });
            Sse::new(events).keep_alive(KeepAlive::default()).into_response()
        }
        _ => Json(json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "Method not found"}})).into_response(),
    }
}

/// Hands a request to the agent's own server, and its answer back as it comes.
async fn pass_on(peer: &str, headers: &HeaderMap, request: &Value) -> Response {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut onward = reqwest::Client::new().post(peer).json(request);
    for name in ["accept", "a2a-version", "x-user-id"] {
        if let Some(value) = headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    match onward.send().await {
        Ok(answer) => {
            let kind = answer.headers().get("content-type").cloned();
            let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
            if let Some(kind) = kind {
                response.headers_mut().insert("content-type", kind);
            }
            response
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

struct Talk {
    id: Value,
    task: String,
    context: String,
    events: mpsc::Sender<String>,
}

impl Talk {
    fn new(agent: &Agent, id: Value, message: &Value, events: mpsc::Sender<String>) -> Self {
        let task = match message["taskId"].as_str() {
            Some(task) => task.to_owned(),
            None => {
                let mut tasks = agent.tasks.lock().expect("no panic");
                *tasks += 1;
                format!("task-{}", *tasks)
            }
        };
        let context = message["contextId"]
            .as_str()
            .unwrap_or("made-up")
            .to_owned();
        Self {
            id,
            task,
            context,
            events,
        }
    }

    async fn tell(&self, result: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": self.id, "result": result});
        let _ = self.events.send(answer.to_string()).await;
    }

    async fn status(&self, state: &str, is_final: bool, message: Value, metadata: Value) {
        let mut status = json!({"state": state, "timestamp": "2026-01-01T00:00:00Z"});
        if !message.is_null() {
            status["message"] = message;
        }
        self.tell(json!({
            "kind": "status-update", "taskId": self.task, "contextId": self.context,
            "final": is_final, "status": status, "metadata": metadata
        }))
        .await;
    }

    async fn parts(&self, id: &str, parts: Value, metadata: Value) {
        let id = format!("{}-{id}", self.task);
        let message = json!({"kind": "message", "role": "agent", "messageId": id, "parts": parts});
        self.status("working", false, message, metadata).await;
    }

    async fn artifact(&self, text: &str) {
        self.tell(json!({
            "kind": "artifact-update", "taskId": self.task, "contextId": self.context, "lastChunk": true,
            "artifact": {"artifactId": "a1", "parts": [{"kind": "text", "text": text}]}
        })).await;
    }

    async fn say(&self, text: &str) {
        self.parts("say", json!([{"kind": "text", "text": text}]), json!({}))
            .await;
        self.done(text).await;
    }

    async fn done(&self, text: &str) {
        self.artifact(text).await;
        let usage =
            json!({"kagent_usage_metadata": {"promptTokenCount": 120, "candidatesTokenCount": 7}});
        self.status("completed", true, Value::Null, usage).await;
    }

    async fn answer(&self, agent: &Agent, message: &Value) {
        let asked = message["parts"][0]["text"].as_str().unwrap_or_default();
        if asked.contains("dawdle") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.status("submitted", false, Value::Null, json!({}))
            .await;
        self.status(
            "working",
            false,
            Value::Null,
            json!({"kagent_session_id": self.context}),
        )
        .await;
        let part = &message["parts"][0];
        if part["kind"] == "data" {
            return self.decided(&part["data"]).await;
        }
        let question = part["text"].as_str().unwrap_or_default();
        // What was said before may stand in front of it.
        let question = question
            .rsplit("The question now: ")
            .next()
            .unwrap_or_default();
        let (number, asked) = self.count(agent);
        let has = |word: &str| question.contains(word);
        if has("delete") {
            self.pause().await;
        } else if has("logs") {
            self.use_a_tool().await;
        } else if has("artifact") {
            self.done("Only in the artifact.").await;
        } else if has("fail") {
            let why = json!({"kind": "message", "role": "agent", "messageId": "f", "parts": [{"kind": "text", "text": "401 invalid api key sk-abcdefghijklmnop"}]});
            self.status("failed", true, why, json!({})).await;
        } else if has("hang") {
            self.parts("hm", json!([{"kind": "text", "text": "Hm."}]), json!({}))
                .await;
            std::future::pending::<()>().await;
        } else if has("context") {
            self.say(&format!("context {number}, question {asked}"))
                .await;
        } else if has("cancelled") {
            let all = agent.cancelled.lock().expect("no panic").join(",");
            self.say(&format!("cancelled: {all}")).await;
        } else if !has("cut") {
            self.say("Well.").await;
        }
    }

    /// Which context this is, and which question in it, both from 1.
    fn count(&self, agent: &Agent) -> (usize, u32) {
        let mut contexts = agent.contexts.lock().expect("no panic");
        let known = contexts
            .iter()
            .position(|(context, _)| *context == self.context);
        let at = known.unwrap_or_else(|| {
            contexts.push((self.context.clone(), 0));
            contexts.len() - 1
        });
        contexts[at].1 += 1;
        (at + 1, contexts[at].1)
    }

    async fn use_a_tool(&self) {
        let call =
            json!({"name": "k8s_get_pod_logs", "args": {"pod_name": "web-0"}, "id": "call_1"});
        self.parts(
            "call",
            json!([{"kind": "data", "data": call, "metadata": {"kagent_type": "function_call"}}]),
            json!({}),
        )
        .await;
        let response = json!({"name": "k8s_get_pod_logs", "id": "call_1", "response": {"result": "ERROR no route to host"}});
        self.parts("response", json!([{"kind": "data", "data": response, "metadata": {"adk_type": "function_response"}}]), json!({})).await;
        for piece in ["The pod ", "has no ", "route."] {
            let partial = json!({"kagent_adk_partial": true});
            self.parts(piece, json!([{"kind": "text", "text": piece}]), partial)
                .await;
        }
        self.say("The pod has no route.").await;
    }

    async fn pause(&self) {
        let ask = |number: &str, call: Value| {
            json!({"kind": "data", "metadata": {"kagent_type": "function_call", "kagent_is_long_running": true}, "data": {
                "name": "adk_request_confirmation", "id": format!("fc9{number}"), "args": {
                    "originalFunctionCall": call,
                    "toolConfirmation": {"hint": "...", "confirmed": false, "payload": null}
                }
            }})
        };
        let first = json!({"name": "k8s_delete_resource", "id": "fc1", "args": {"resource_type": "configmap", "resource_name": "extra", "namespace": "t"}});
        let second = json!({"name": "helm_uninstall", "id": "fc2", "args": {"name": "shop"}});
        let message = json!({"kind": "message", "role": "agent", "messageId": "p", "parts": [ask("1", first), ask("2", second)]});
        self.status("input-required", true, message, json!({}))
            .await;
    }

    async fn decided(&self, decision: &Value) {
        let refused = |id: &str| match decision["decision_type"].as_str() {
            Some("batch") => decision["decisions"][id] == "reject",
            Some("reject") => true,
            _ => false,
        };
        let done: Vec<&str> = ["fc1", "fc2"]
            .into_iter()
            .filter(|id| !refused(id))
            .collect();
        match done.is_empty() {
            true => self.say("I left everything as it is.").await,
            false => self.say(&format!("I DID {}", done.join(" and "))).await,
        }
    }
}
