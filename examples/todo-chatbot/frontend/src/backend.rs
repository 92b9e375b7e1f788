//! The backend as a client sees it: typed questions, each with a deadline.

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    config::Config,
    requests::{TRACEPARENT, Trace},
};

/// The header that carries the visitor token.
const VISITOR: &str = "x-visitor";
/// No answer of the backend is larger.
const MAX_ANSWER: usize = 2 * 1024 * 1024;

/// Why the backend gave no answer we can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// No connection.
    Unreachable,
    /// No answer before the deadline.
    Slow,
    /// The visitor's token is unknown: it needs a new one.
    NoSession,
    /// It answered with a refusal and said why.
    Said {
        /// The HTTP status.
        status: u16,
        /// A sentence for the visitor.
        message: String,
    },
    /// It answered with something we cannot read.
    Strange,
}

impl BackendError {
    /// A sentence for the visitor.
    pub fn message(&self) -> String {
        match self {
            Self::Unreachable => {
                "The backend cannot be reached. This page works again as soon as it is back."
                    .to_owned()
            }
            Self::Slow => "The backend took too long to answer. Try again in a moment.".to_owned(),
            Self::NoSession => {
                "Your session is no longer valid. Reload the page for a new one.".to_owned()
            }
            Self::Said { message, .. } => sentence(message),
            Self::Strange => {
                "The backend answered with something this page cannot read.".to_owned()
            }
        }
    }

    /// The status for a client of the API.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable | Self::Strange => StatusCode::BAD_GATEWAY,
            Self::Slow => StatusCode::GATEWAY_TIMEOUT,
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::Said { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY)
            }
        }
    }
}

/// The backend's messages are fragments; on the page they are sentences.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let mut text: String = match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => return "The backend refused, and did not say why.".to_owned(),
    };
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// All that a page shows.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Board {
    /// Of a visitor who signed in.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether there is somebody to talk to.
    pub assistant: Assistant,
    /// Open ones first.
    pub todos: Vec<Todo>,
    /// Oldest first.
    pub conversation: Vec<Message>,
}

/// The assistant's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Assistant {
    /// A key is set.
    Configured {
        /// Name of the model.
        model: String,
    },
    /// No key.
    #[default]
    Offline,
}

/// One todo.
#[derive(Clone, Debug, Deserialize)]
pub struct Todo {
    /// Its number.
    pub id: i64,
    /// What is to be done.
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
}

/// One line of the conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// `user`, `assistant` or `notice`.
    pub role: String,
    /// Plain text.
    pub content: String,
    /// What was done to the list along with it.
    #[serde(default)]
    pub actions: Vec<Action>,
}

/// A change the assistant made.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// `added`, `completed`, `edited` or `deleted`.
    pub kind: String,
    /// The todo's title at that time.
    pub title: String,
}

#[derive(Deserialize)]
struct Session {
    token: String,
}

/// A client of one backend.
#[derive(Clone, Debug)]
pub struct Backend {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
    deadline: Duration,
    chat_deadline: Duration,
}

/// Who asks: the visitor's token and the id of the request being served.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// None only while a token is being fetched.
    pub token: Option<&'a str>,
    /// Passed on, so one id finds the log lines of both servers.
    pub trace: &'a Trace,
}

impl Backend {
    /// Connects when first asked.
    pub fn new(config: &Config) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(3)));
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(20))
                .build(connector),
            address: config.backend.clone(),
            deadline: config.deadline,
            chat_deadline: config.chat_deadline,
        }
    }

    /// A token for a new visitor.
    pub async fn session(&self, trace: &Trace) -> Result<String, BackendError> {
        let asking = Asking { token: None, trace };
        let session: Session = self.ask(asking, Method::POST, "/api/session", None).await?;
        Ok(session.token)
    }

    /// A token for the visitor of this name; a new name is given to the one who asks.
    pub async fn sign_in(
        &self,
        asking: Asking<'_>,
        name: &str,
        pin: &str,
    ) -> Result<String, BackendError> {
        let given = Some(json!({"name": name, "pin": pin}));
        let session: Session = self
            .ask(asking, Method::POST, "/api/session", given)
            .await?;
        Ok(session.token)
    }

    /// All that a page shows.
    pub async fn board(&self, asking: Asking<'_>) -> Result<Board, BackendError> {
        self.ask(asking, Method::GET, "/api/board", None).await
    }

    /// Writes a todo down.
    pub async fn add(&self, asking: Asking<'_>, title: &str) -> Result<(), BackendError> {
        self.send(
            asking,
            Method::POST,
            "/api/todos",
            Some(json!({"title": title})),
        )
        .await
    }

    /// Ticks a todo off, or opens it again.
    pub async fn complete(
        &self,
        asking: Asking<'_>,
        id: i64,
        completed: bool,
    ) -> Result<(), BackendError> {
        let change = Some(json!({"completed": completed}));
        self.send(asking, Method::PATCH, &format!("/api/todos/{id}"), change)
            .await
    }

    /// Deletes a todo.
    pub async fn delete(&self, asking: Asking<'_>, id: i64) -> Result<(), BackendError> {
        self.send(asking, Method::DELETE, &format!("/api/todos/{id}"), None)
            .await
    }

    /// Says something to the assistant.
    pub async fn chat(&self, asking: Asking<'_>, message: &str) -> Result<(), BackendError> {
        self.send(
            asking,
            Method::POST,
            "/api/chat",
            Some(json!({"message": message})),
        )
        .await
    }

    /// Says something and returns the events of the turn as they come.
    pub async fn chat_stream(
        &self,
        asking: Asking<'_>,
        message: &str,
    ) -> Result<Incoming, BackendError> {
        let body = json!({"message": message}).to_string();
        let path = "/api/chat/stream";
        let request = self.request(asking, Method::POST, path, body.into())?;
        let response = tokio::time::timeout(self.deadline, self.client.request(request))
            .await
            .map_err(|_| BackendError::Slow)?
            .map_err(|_| BackendError::Unreachable)?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(refused(head.status, &whole(body).await?))
    }

    /// Forgets the conversation.
    pub async fn forget(&self, asking: Asking<'_>) -> Result<(), BackendError> {
        self.send(asking, Method::DELETE, "/api/conversation", None)
            .await
    }

    async fn send(
        &self,
        asking: Asking<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(), BackendError> {
        self.answered(asking, method, path, body).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        asking: Asking<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, BackendError> {
        let bytes = self.answered(asking, method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|_| BackendError::Strange)
    }

    /// A successful answer's body, or the refusal in its error.
    async fn answered(
        &self,
        asking: Asking<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Bytes, BackendError> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, _, bytes) = self.exchange(asking, method, path, body).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(refused(status, &bytes))
    }

    /// One exchange as it is, for the proxy as well; the path has been checked by its route.
    pub async fn exchange(
        &self,
        asking: Asking<'_>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes), BackendError> {
        let request = self.request(asking, method, path, body)?;
        let deadline = if path == "/api/chat" {
            self.chat_deadline
        } else {
            self.deadline
        };
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|_| BackendError::Unreachable)?;
            let (head, body) = response.into_parts();
            Ok((head.status, head.headers, whole(body).await?))
        };
        let answer = tokio::time::timeout(deadline, exchange)
            .await
            .unwrap_or(Err(BackendError::Slow));
        if let Err(error) = &answer {
            tracing::warn!(path, ?error, "the backend gave no answer");
        }
        answer
    }

    fn request(
        &self,
        asking: Asking<'_>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, BackendError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header(TRACEPARENT, asking.trace.parent())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = asking.token {
            request = request.header(VISITOR, token);
        }
        request
            .body(Full::from(body))
            .map_err(|_| BackendError::Strange)
    }
}

async fn whole(body: Incoming) -> Result<Bytes, BackendError> {
    Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map(Collected::to_bytes)
        .map_err(|_| BackendError::Strange)
}

fn refused(status: StatusCode, body: &[u8]) -> BackendError {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &told["error"];
    match error["message"].as_str() {
        _ if error["code"] == "no_session" => BackendError::NoSession,
        Some(message) => BackendError::Said {
            status: status.as_u16(),
            message: message.to_owned(),
        },
        None => BackendError::Strange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_become_sentences() {
        assert_eq!(sentence("a todo needs a title"), "A todo needs a title.");
        assert_eq!(sentence("Try again?"), "Try again?");
        assert!(!sentence("").is_empty());
    }
}
