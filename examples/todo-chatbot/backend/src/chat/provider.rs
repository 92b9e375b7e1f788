//! One request to an OpenAI-compatible chat completions API, with a deadline,
//! and every way it can fail as a case of its own. The key leaves this file only as a header.

use std::{error::Error as _, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, Request, StatusCode, Uri, header},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::AssistantConfig;

/// No answer of a chat model is larger.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why the provider gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderProblem {
    /// 401 or 403.
    #[error("The AI provider refused the key. Check OPENAI_API_KEY.")]
    BadKey,
    /// 429 with `insufficient_quota`.
    #[error("The AI provider says this account's quota is used up. Check its plan and billing.")]
    Quota,
    /// Any other 429.
    #[error("The AI provider is asked too often right now. Try again in a moment.")]
    RateLimited,
    /// 404: no such model, or a wrong base address.
    #[error(
        "The AI provider does not know this model or address. Check OPENAI_MODEL and OPENAI_BASE_URL."
    )]
    NotFound,
    /// 5xx.
    #[error("The AI provider has trouble of its own. Try again in a moment.")]
    Broken,
    /// Any other refusal.
    #[error("The AI provider refused the request.")]
    Refused,
    /// No connection.
    #[error("The AI provider cannot be reached. Check OPENAI_BASE_URL and the network.")]
    Unreachable,
    /// No answer before the deadline.
    #[error("The AI provider took too long to answer. Try again in a moment.")]
    Timeout,
    /// An answer that is not a chat completion.
    #[error("The AI provider answered with something that is not a chat message.")]
    Malformed,
    /// The model kept calling tools and never came to an end.
    #[error("The assistant did not come to an end. What it did so far is on your list.")]
    NoEnd,
}

impl ProviderProblem {
    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::NotFound => "not_found",
            Self::Broken => "provider_error",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::NoEnd => "no_end",
        }
    }
}

/// What the model said: text, wishes to call tools, or both.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The text, if any.
    #[serde(default)]
    pub content: Option<String>,
    /// Tools to call, in this order.
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
}

/// One wish to call a tool.
#[derive(Clone, Debug, Deserialize)]
pub struct ToolCall {
    /// Repeated in the result, so the model knows which call it belongs to.
    pub id: String,
    /// Name and arguments.
    pub function: FunctionCall,
}

/// The function part of a tool call.
#[derive(Clone, Debug, Deserialize)]
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

    /// Sends the conversation so far and returns the model's next message.
    pub(super) async fn complete(
        &self,
        messages: &[Value],
        tools: &Value,
    ) -> Result<Answer, ProviderProblem> {
        tokio::time::timeout(self.timeout, self.exchange(messages, tools))
            .await
            .unwrap_or(Err(ProviderProblem::Timeout))
    }

    async fn exchange(&self, messages: &[Value], tools: &Value) -> Result<Answer, ProviderProblem> {
        let body = json!({"model": self.model, "messages": messages, "tools": tools}).to_string();
        let request = Request::post(self.endpoint.clone())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::from(body))
            .map_err(|_| ProviderProblem::Refused)?;
        let response = self.client.request(request).await.map_err(|error| {
            // Host and reason only; the request with its key is not part of this error.
            let reason = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(reason, "the provider was not reached");
            ProviderProblem::Unreachable
        })?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|_| ProviderProblem::Malformed)?
            .to_bytes();
        if !status.is_success() {
            let problem = refusal(status, &bytes);
            tracing::warn!(
                status = status.as_u16(),
                code = problem.code(),
                "the provider refused"
            );
            return Err(problem);
        }
        let completion: Completion =
            serde_json::from_slice(&bytes).map_err(|_| ProviderProblem::Malformed)?;
        let answer = completion
            .choices
            .into_iter()
            .next()
            .ok_or(ProviderProblem::Malformed)?;
        Ok(answer.message)
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> ProviderProblem {
    match status.as_u16() {
        401 | 403 => ProviderProblem::BadKey,
        404 => ProviderProblem::NotFound,
        408 => ProviderProblem::Timeout,
        429 => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let error = &body["error"];
            let quota = Value::from("insufficient_quota");
            if error["code"] == quota || error["type"] == quota {
                ProviderProblem::Quota
            } else {
                ProviderProblem::RateLimited
            }
        }
        500..=599 => ProviderProblem::Broken,
        _ => ProviderProblem::Refused,
    }
}
