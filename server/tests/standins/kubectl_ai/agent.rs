//! The agent loop: one question at a time, and the ways in which it falls silent.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::exit;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc;

pub struct Options {
    pub skip_permissions: bool,
    pub kubeconfig: Option<PathBuf>,
    pub trace: Option<PathBuf>,
    pub turns: Vec<Value>,
}

pub enum Input {
    Query(String),
    Choice(usize),
}

/// What a stream is told.
#[derive(Clone)]
pub enum News {
    State(String),
    Close,
}

/// What the web mode shows of an agent.
pub struct Session {
    pub id: String,
    /// Where sessions have ids, they are in every state.
    pub names_itself: bool,
    state: Mutex<(&'static str, Vec<Value>)>,
    clients: Mutex<Vec<mpsc::Sender<News>>>,
    pub input: mpsc::Sender<Input>,
}

impl Session {
    /// Starts an agent loop.
    pub fn start(id: &str, names_itself: bool, options: Arc<Options>) -> Arc<Self> {
        let (input, inputs) = mpsc::channel(10);
        let session = Arc::new(Self {
            id: id.to_owned(),
            names_itself,
            state: Mutex::new(("idle", Vec::new())),
            clients: Mutex::default(),
            input,
        });
        let agent = Agent {
            session: session.clone(),
            skip_permissions: options.skip_permissions,
            options,
            inputs,
            questions: 0,
        };
        tokio::spawn(agent.work());
        session
    }

    pub fn json(&self) -> String {
        let state = self.state.lock().expect("no panic");
        let messages = match state.1.is_empty() {
            true => Value::Null,
            false => json!(state.1),
        };
        let mut all = json!({"agentState": state.0, "messages": messages});
        if self.names_itself {
            all["sessionId"] = json!(self.id);
        }
        all.to_string()
    }

    pub fn join(&self) -> mpsc::Receiver<News> {
        let (sender, receiver) = mpsc::channel(10);
        let _ = sender.try_send(News::State(self.json()));
        self.clients.lock().expect("no panic").push(sender);
        receiver
    }

    fn tell(&self, news: &News) {
        let mut clients = self.clients.lock().expect("no panic");
        // A full buffer loses it; the next one carries everything anyway.
        clients.retain(|client| {
            !matches!(
                client.try_send(news.clone()),
                Err(mpsc::error::TrySendError::Closed(_))
            )
        });
        if matches!(news, News::Close) {
            clients.clear();
        }
    }

    fn broadcast(&self) {
        self.tell(&News::State(self.json()));
    }

    /// No broadcast: only messages make one.
    fn set(&self, state: &'static str) {
        self.state.lock().expect("no panic").0 = state;
    }

    fn add(&self, source: &str, kind: &str, payload: Value) {
        {
            let mut state = self.state.lock().expect("no panic");
            let id = format!("{}-{}", self.id, state.1.len());
            state.1.push(json!({
                "ID": id, "Source": source, "Type": kind, "Payload": payload,
                "Timestamp": "2026-01-01T00:00:00Z"
            }));
        }
        self.broadcast();
    }
}

struct Agent {
    session: Arc<Session>,
    options: Arc<Options>,
    skip_permissions: bool,
    inputs: mpsc::Receiver<Input>,
    questions: usize,
}

impl Agent {
    async fn work(mut self) {
        let session = self.session.clone();
        session.add(
            "agent",
            "text",
            json!("Hey there, what can I help you with today?"),
        );
        loop {
            // The ">>>" is left out of what is shown, but shown anew.
            session.broadcast();
            // Anything but a question here ends the loop without a word.
            let Some(Input::Query(query)) = self.inputs.recv().await else {
                return;
            };
            session.add("user", "text", json!(query));
            if query == "exit" {
                session.set("exited");
                session.add(
                    "agent",
                    "text",
                    json!("It has been a pleasure assisting you. Have a great day!"),
                );
                return;
            }
            session.set("running");
            let turns = &self.options.turns;
            let turn = turns.get(self.questions).or(turns.last()).cloned();
            self.questions += 1;
            for step in turn
                .as_ref()
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                match self.step(step).await {
                    Next::Step => {}
                    Next::Turn => break,
                    Next::Nothing => return,
                }
            }
            session.set("done");
        }
    }

    async fn step(&mut self, step: &Value) -> Next {
        let session = self.session.clone();
        let text = |key: &str| step[key].as_str().map(str::to_owned);
        if let Some(text) = text("say") {
            session.add("model", "text", json!(text));
        } else if let Some(command) = text("run") {
            self.run(&command).await;
        } else if let Some(commands) = step["ask"].as_array() {
            let commands: Vec<String> = commands
                .iter()
                .filter_map(|command| command.as_str().map(str::to_owned))
                .collect();
            return self.ask(&commands).await;
        } else if step["fail"] == true {
            return Next::Turn;
        } else if let Some(error) = text("error") {
            session.set("done");
            session.add("agent", "error", json!(format!("Error: {error}")));
            return Next::Turn;
        } else if step["hang"] == true {
            std::future::pending::<()>().await;
        } else if step["drop"] == true {
            session.tell(&News::Close);
        } else if let Some(code) = step["exit"].as_i64() {
            eprintln!(
                "panic: the end with key {}",
                std::env::var("GEMINI_API_KEY").unwrap_or_default()
            );
            exit(i32::try_from(code).unwrap_or(1));
        }
        Next::Step
    }

    async fn ask(&mut self, commands: &[String]) -> Next {
        let session = self.session.clone();
        if self.skip_permissions {
            for command in commands {
                self.run(command).await;
            }
            return Next::Step;
        }
        let prompt = format!(
            "The following commands require your approval to run:\n* {}\n\nDo you want to proceed ?",
            commands.join("\n* ")
        );
        session.set("waiting-for-input");
        session.add(
            "agent",
            "user-choice-request",
            json!({"Prompt": prompt, "Options": [
                {"label": "Yes", "value": "yes"},
                {"label": "Yes, and don't ask me again", "value": "yes_and_dont_ask_me_again"},
                {"label": "No", "value": "no"}
            ]}),
        );
        match self.inputs.recv().await {
            Some(Input::Choice(choice @ (1 | 2))) => {
                self.skip_permissions |= choice == 2;
                for command in commands {
                    self.run(command).await;
                }
            }
            Some(Input::Choice(_)) => session.add(
                "agent",
                "error",
                json!("Error: Operation was skipped. User declined to run this operation."),
            ),
            // A question here ends the loop without a word.
            _ => return Next::Nothing,
        }
        session.set("running");
        Next::Step
    }

    async fn run(&self, command: &str) {
        let session = &self.session;
        session.add("model", "tool-call-request", json!(command));
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(command);
        if let Some(kubeconfig) = &self.options.kubeconfig {
            shell.env("KUBECONFIG", kubeconfig);
        }
        let mut result = json!({"command": command});
        match shell.output().await {
            Ok(output) => {
                result["stdout"] = json!(String::from_utf8_lossy(&output.stdout));
                result["stderr"] = json!(String::from_utf8_lossy(&output.stderr));
                if !output.status.success() {
                    result["error"] = json!(output.status.to_string());
                    result["exit_code"] = json!(output.status.code());
                }
            }
            Err(error) => result["error"] = json!(error.to_string()),
        }
        if let Some(trace) = &self.options.trace
            && let Ok(mut file) = File::options().append(true).open(trace)
        {
            let _ = writeln!(file, "action: tool-response\npayload: {result}\n---");
        }
        session.add("agent", "tool-call-response", result);
    }
}

enum Next {
    Step,
    Turn,
    Nothing,
}
