//! Stands in for `docker-agent` v1.32.3 (0d76412a), as a program and as a plugin of docker: its handshake,
//! `serve api`, and the events of its runtime. For tests only.
//!
//! `docker-agent.json` beside the folder of the program it is called by is the scenario:
//!
//! ```json
//! {"turns": [[{"say": "Hello."}, {"ask": {"name": "shell", "arguments": {"cmd": "ls"}, "response": "a"}}]]}
//! ```
//!
//! A turn is what comes of one question:
//!
//! - `say`: text, in pieces. `tool`: a call that runs unasked, with its `response`. `use`: one that runs
//!   unasked, and is really made of the toolset that the file names, which is started for it.
//! - `ask`: a call that waits for `/resume`. `limit` waits there, too; `elicit` for `/elicitation`.
//! - `event`: any event as it is. `error`: an error event and the end.
//! - `hang`: nothing more comes; `cut`: the stream ends without its last event; `exit`: so does the process.
//!
//! `calls.log` has every call, `posts.log` what was sent, `env.log` its variables, `agent.yaml` its file.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Stdio, exit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path as InPath, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

fn main() {
    let mut words = std::env::args();
    let program = PathBuf::from(words.next().unwrap_or_default());
    let mut words: Vec<String> = words.collect();
    let home = program.parent().and_then(Path::parent);
    let home = home.map(Path::to_owned).unwrap_or_default();
    // Docker starts its plugins with their name first.
    if words.first().is_some_and(|word| word == "agent") {
        words.remove(0);
    }
    let words_text: Vec<&str> = words.iter().map(String::as_str).collect();
    match words_text[..] {
        ["docker-cli-plugin-metadata"] => println!(
            "{}",
            json!({"SchemaVersion": "0.1.0", "Vendor": "Docker Inc.", "Version": "v1.32.3", "ShortDescription": "Docker AI Agent Runner"})
        ),
        ["version"] => println!("docker-agent version v1.32.3\nCommit: 0d76412a"),
        ["serve", "api", file, "-l", listen, "-s", _session] => {
            log(&home, "calls.log", &words.join(" "));
            let env: Vec<String> = std::env::vars()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            log(&home, "env.log", &env.join("\n"));
            let _ = fs::copy(file, home.join("agent.yaml"));
            let Some(socket) = listen.strip_prefix("unix://") else {
                eprintln!("only a socket is stood in for");
                exit(1);
            };
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(serve(Path::new(socket), home));
        }
        _ => {
            eprintln!("Error: unknown command {words:?} for \"docker-agent\"");
            exit(1);
        }
    }
}

fn log(home: &Path, name: &str, line: &str) {
    let file = File::options()
        .append(true)
        .create(true)
        .open(home.join(name));
    if let Ok(mut file) = file {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

struct Server {
    home: PathBuf,
    turns: AtomicUsize,
    /// Answers to what the runtime waits for.
    answers: Mutex<Option<mpsc::Sender<Value>>>,
}

async fn serve(socket: &Path, home: PathBuf) {
    let listener = UnixListener::bind(socket).expect("a socket");
    let server = Arc::new(Server {
        home,
        turns: AtomicUsize::new(0),
        answers: Mutex::default(),
    });
    let routes = Router::new()
        .route("/api/ping", get(|| async { Json(json!({"status": "ok"})) }))
        .route(
            "/api/agents",
            get(|| async {
                Json(json!([{"name": "slipway", "multi": false, "description": "x"}]))
            }),
        )
        .route(
            "/api/sessions",
            post(|| async { Json(json!({"id": "s-1", "title": ""})) }),
        )
        .route("/api/sessions/{id}/agent/{agent}", post(ask))
        .route("/api/sessions/{id}/resume", post(resume))
        .route("/api/sessions/{id}/elicitation", post(resume))
        .with_state(server);
    axum::serve(listener, routes).await.expect("served");
}

async fn resume(State(server): State<Arc<Server>>, Json(body): Json<Value>) -> StatusCode {
    log(&server.home, "posts.log", &body.to_string());
    let waiting = server.answers.lock().expect("no panic").clone();
    if let Some(waiting) = waiting {
        let _ = waiting.send(body).await;
    }
    StatusCode::OK
}

async fn ask(
    State(server): State<Arc<Server>>,
    InPath((session, agent)): InPath<(String, String)>,
    Json(messages): Json<Value>,
) -> Response {
    if (session.as_str(), agent.as_str()) != ("s-1", "slipway") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let question = messages[0]["content"].as_str().unwrap_or_default();
    log(&server.home, "posts.log", &format!("q={question}"));
    let (sender, events) = mpsc::channel(100);
    let (answers, waiting) = mpsc::channel(10);
    *server.answers.lock().expect("no panic") = Some(answers);
    tokio::spawn(async move { turn(&server, sender, waiting).await });
    let events = futures::stream::unfold(events, |mut events| async move {
        let event: Value = events.recv().await?;
        let event = Event::default().data(event.to_string());
        Some((Ok::<_, Infallible>(event), events))
    });
    Sse::new(events).into_response()
}

/// Starts the toolset of the agent's file, as the runtime does, and calls a tool of it.
async fn use_toolset(home: &Path, of: &Value) -> (String, bool) {
    let file = fs::read_to_string(home.join("agent.yaml")).expect("its file");
    let file: Value = serde_yaml::from_str(&file).expect("YAML");
    let toolset = &file["agents"]["root"]["toolsets"][0];
    let words = toolset["args"].as_array().into_iter().flatten();
    let mut program = tokio::process::Command::new(toolset["command"].as_str().expect("a command"))
        .args(words.filter_map(Value::as_str))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the toolset starts");
    let pipes = (
        program.stdout.take().expect("stdout"),
        program.stdin.take().expect("stdin"),
    );
    let client = ClientConfig::new(
        ClientCapabilities::default(),
        Implementation::new("docker-agent", "v1.32.3"),
    );
    let client = client.serve(pipes).await.expect("a session");
    let name = of["name"].as_str().unwrap_or_default().to_owned();
    let arguments = of["arguments"].as_object().cloned().unwrap_or_default();
    let wanted = CallToolRequestParams::new(name).with_arguments(arguments);
    let result = client.call_tool(wanted).await.expect("answered");
    let texts = result.content.iter().filter_map(|block| block.as_text());
    let text: Vec<&str> = texts.map(|text| text.text.as_str()).collect();
    let said = (text.join("\n"), result.is_error == Some(true));
    let _ = client.cancel().await;
    said
}

async fn turn(server: &Server, events: mpsc::Sender<Value>, mut answers: mpsc::Receiver<Value>) {
    let tell = async |event: Value| {
        let _ = events.send(event).await;
    };
    let scenario = fs::read_to_string(server.home.join("docker-agent.json")).unwrap_or_default();
    let scenario: Value = serde_json::from_str(&scenario).unwrap_or_default();
    let turns = scenario["turns"].as_array().cloned().unwrap_or_default();
    let at = server.turns.fetch_add(1, Ordering::SeqCst);
    let steps = turns
        .get(at)
        .or(turns.last())
        .and_then(Value::as_array)
        .cloned();
    tell(json!({"type": "user_message", "message": "…"})).await;
    tell(json!({"type": "stream_started", "session_id": "s-1", "agent_name": "root"})).await;
    tell(json!({"type": "of_tomorrow", "agent_name": "root"})).await;
    for (number, step) in steps.unwrap_or_default().iter().enumerate() {
        let call = |of: &Value| {
            json!({"id": format!("call_{at}_{number}"), "type": "function", "function": {
                "name": of["name"], "arguments": of["arguments"].to_string()
            }})
        };
        let called = |of: &Value| json!({"type": "tool_call", "agent_name": "root", "tool_call": call(of), "tool_definition": {"name": of["name"]}});
        let response = |of: &Value| json!({"type": "tool_call_response", "tool_call": call(of), "response": of["response"], "result": {"isError": false}});
        if let Some(text) = step["say"].as_str() {
            for piece in text.split_inclusive(' ') {
                tell(json!({"type": "agent_choice", "agent_name": "root", "session_id": "s-1", "content": piece})).await;
            }
            tell(json!({"type": "token_usage", "session_id": "s-1", "usage": {"input_tokens": 100 * (at + 1), "output_tokens": 10 * (at + 1)}})).await;
        } else if step["tool"].is_object() {
            tell(called(&step["tool"])).await;
            tell(response(&step["tool"])).await;
        } else if step["use"].is_object() {
            let of = &step["use"];
            tell(called(of)).await;
            let (said, failed) = use_toolset(&server.home, of).await;
            tell(json!({"type": "tool_call_response", "tool_call": call(of), "response": said, "result": {"isError": failed}})).await;
        } else if step["ask"].is_object() {
            let of = &step["ask"];
            tell(json!({"type": "tool_call_confirmation", "agent_name": "root", "tool_call": call(of), "tool_definition": {"name": of["name"]}})).await;
            let answer = answers.recv().await.unwrap_or_default();
            if answer["confirmation"] == "reject" {
                let said = format!(
                    "The user rejected the tool call. Reason: {}",
                    answer["reason"]
                );
                tell(json!({"type": "tool_call_response", "tool_call": call(of), "response": said, "result": {"isError": true}})).await;
            } else {
                tell(called(of)).await;
                tell(response(of)).await;
            }
        } else if step["limit"] == true {
            tell(json!({"type": "max_iterations_reached", "max_iterations": 10})).await;
            let _ = answers.recv().await;
        } else if step["elicit"] == true {
            tell(json!({"type": "elicitation_request", "message": "Your password?"})).await;
            let _ = answers.recv().await;
        } else if step["event"].is_object() {
            tell(step["event"].clone()).await;
        } else if let Some(error) = step["error"].as_str() {
            tell(json!({"type": "error", "error": error})).await;
            return;
        } else if step["hang"] == true {
            std::future::pending::<()>().await;
        } else if step["cut"] == true {
            return;
        } else if let Some(code) = step["exit"].as_i64() {
            eprintln!(
                "fatal: the end with {}",
                std::env::var("OPENAI_API_KEY").unwrap_or_default()
            );
            exit(i32::try_from(code).unwrap_or(1));
        }
    }
    tell(json!({"type": "stream_stopped", "session_id": "s-1", "agent_name": "root"})).await;
}
