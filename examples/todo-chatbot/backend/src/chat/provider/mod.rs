//! One request to an OpenAI-compatible chat completions API, with a deadline,
//! streamed where the provider streams. The key leaves this file only as a header.

mod problem;
mod spoken;

use std::{error::Error as _, pin::pin, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, Request, Response, Uri, header},
};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::problem::ProviderProblem;
use self::{problem::refusal, spoken::Spoken};
use crate::config::AssistantConfig;

/// No answer of a chat model is larger.
const MAX_ANSWER: usize = 1024 * 1024;

/// What the model said: text, wishes to call tools, or both.
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    /// The text, if any.
    #[serde(default)]
    pub content: Option<String>,
    /// Tools to call, in this order.
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
}

/// One wish to call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ToolCall {
    /// Repeated in the result, so the model knows which call it belongs to.
    pub id: String,
    /// Name and arguments.
    pub function: FunctionCall,
}

/// The function part of a tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FunctionCall {
    /// Name of the tool.
    pub name: String,
    /// A JSON object, as text.
    #[serde(default)]
    pub arguments: String,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
}

/// A client of one provider with one key and one model.
pub struct Provider {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    authorization: HeaderValue,
    model: String,
    timeout: Duration,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// None without a key.
    pub(super) fn new(config: &AssistantConfig) -> Option<Self> {
        let key = config.api_key.as_ref()?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .expect("the settings take only keys of visible ASCII characters");
        authorization.set_sensitive(true);
        let endpoint = format!("{}/chat/completions", config.base_url)
            .parse()
            .expect("the settings take only addresses that parse");
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Some(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            endpoint,
            authorization,
            model: config.model.clone(),
            timeout: config.timeout,
        })
    }

    /// How long a whole turn of several requests may take.
    pub(super) fn turn_deadline(&self) -> Duration {
        self.timeout * 3
    }

    /// Sends the conversation so far and returns the model's next message. Text goes to `say` as it
    /// comes, piece by piece; a provider that does not stream gives it in one piece.
    pub(super) async fn complete(
        &self,
        messages: &[Value],
        tools: &Value,
        mut say: impl FnMut(&str),
    ) -> Result<Answer, ProviderProblem> {
        let response = self.in_time(self.ask(messages, tools)).await?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        let streams = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streams {
            return self.listen(response.into_body(), &mut say).await;
        }
        let body = self.in_time(whole(response.into_body())).await?;
        let completion: Completion =
            serde_json::from_slice(&body).map_err(|_| ProviderProblem::Malformed)?;
        let choice = completion.choices.into_iter().next();
        let answer = choice.ok_or(ProviderProblem::Malformed)?.message;
        if let Some(text) = &answer.content {
            say(text);
        }
        Ok(answer)
    }

    /// Puts the pieces together. The deadline is for each piece: a long answer is not a slow one.
    async fn listen(
        &self,
        body: Incoming,
        say: &mut impl FnMut(&str),
    ) -> Result<Answer, ProviderProblem> {
        let mut pieces = pin!(
            Limited::new(body, MAX_ANSWER)
                .into_data_stream()
                .eventsource()
        );
        let mut answer = Spoken::default();
        loop {
            let piece = self.in_time(async { Ok(pieces.next().await) }).await?;
            let Some(piece) = piece else {
                // Some providers close the connection instead of saying that they are done.
                return answer.finish();
            };
            let piece = piece.map_err(|_| ProviderProblem::Malformed)?;
            if piece.data == "[DONE]" {
                return answer.finish();
            }
            if let Some(text) = answer.take(&piece.data)? {
                say(&text);
            }
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderProblem>>,
    ) -> Result<T, ProviderProblem> {
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or(Err(ProviderProblem::Timeout))
    }

    /// A response with a good status, or what its status means.
    async fn ask(
        &self,
        messages: &[Value],
        tools: &Value,
    ) -> Result<Response<Incoming>, ProviderProblem> {
        let body = json!({
            "model": self.model, "messages": messages, "tools": tools, "stream": true
        });
        let request = Request::post(self.endpoint.clone())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream, application/json")
            .body(Full::from(body.to_string()))
            .map_err(|_| ProviderProblem::Refused)?;
        let response = self.client.request(request).await.map_err(|error| {
            // Host and reason only; the request with its key is not part of this error.
            let reason = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(reason, "the provider was not reached");
            ProviderProblem::Unreachable
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem = refusal(status, &whole(response.into_body()).await?);
        tracing::warn!(
            http.response.status_code = status.as_u16(),
            code = problem.code(),
            "the provider refused"
        );
        Err(problem)
    }
}

async fn whole(body: Incoming) -> Result<Bytes, ProviderProblem> {
    Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map(Collected::to_bytes)
        .map_err(|_| ProviderProblem::Malformed)
}
