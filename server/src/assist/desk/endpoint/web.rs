//! Talks to the endpoint: no redirect, certificates checked, every wait with an end.

use std::time::Duration;

use app::model::Finding;
use eventsource_stream::Eventsource as _;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::words;
use crate::adapters::openai::{Answer, models, refusal};
use crate::assist::desk::settings::is_here;
use crate::assist::reading::shown;
use crate::engine::Redactor;

const CONNECT_LIMIT: Duration = Duration::from_secs(8);
const LIST_LIMIT: Duration = Duration::from_secs(5);
/// A model on this machine is loaded first, which takes as long as its file is large.
const FIRST_LIMIT: Duration = Duration::from_secs(180);
/// Between two pieces of an answer.
const PAUSE_LIMIT: Duration = Duration::from_secs(90);
const LONGEST_LIST: usize = 2 << 20;
/// One streamed answer, in bytes of the wire.
const LONGEST_ANSWER: usize = 8 << 20;

/// A connection to one endpoint; what it says in errors is redacted.
pub struct Web<'a> {
    client: Client,
    base: Url,
    authorization: Option<HeaderValue>,
    redactor: &'a Redactor,
}

impl<'a> Web<'a> {
    /// `key` is sent as a bearer token; local endpoints want none.
    pub fn new(base: Url, key: Option<&str>, redactor: &'a Redactor) -> Result<Self, Finding> {
        // The same encryption as everywhere here; the second time it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("slipway");
        if is_here(&base) {
            // What is meant for this machine does not go through somebody's proxy.
            builder = builder.no_proxy();
        }
        let authorization = match key {
            None => None,
            Some(key) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                    .map_err(|_| crate::assist::desk::words::bad_key())?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            client: builder
                .build()
                .map_err(|error| words::broken(&error.to_string()))?,
            base,
            authorization,
            redactor,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base.as_str().trim_end_matches('/'))
    }

    fn dressed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }

    /// The models it has.
    pub async fn models(&self) -> Result<Vec<String>, Finding> {
        let listing = async {
            let request = self.dressed(self.client.get(self.url("models")));
            let response = self.accepted(request.send().await).await?;
            let body = self.text(response, LONGEST_LIST).await?;
            models(body.as_bytes()).ok_or_else(|| words::not_compatible(&self.base))
        };
        timeout(LIST_LIMIT, listing)
            .await
            .unwrap_or_else(|_| Err(words::unreachable(&self.base, "it did not answer in time")))
    }

    /// Asks, and hands over what is added to the text as it comes.
    pub async fn complete(
        &self,
        body: &Value,
        mut on_text: impl FnMut(&str),
    ) -> Result<Answer, Finding> {
        let request = self
            .dressed(self.client.post(self.url("chat/completions")))
            .json(body);
        let late = |_| words::too_slow(&self.base);
        let response = timeout(FIRST_LIMIT, request.send()).await.map_err(late)?;
        let response = self.accepted(response).await?;
        let mut answer = Answer::default();
        let broken = |error: &dyn std::fmt::Display| {
            words::broken_off(&self.base, &shown(&error.to_string(), self.redactor))
        };
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !is_stream {
            let text = self.text(response, LONGEST_ANSWER).await?;
            let json: Value =
                serde_json::from_str(&text).map_err(|_| words::not_compatible(&self.base))?;
            if !json["choices"].is_array() {
                return Err(words::not_compatible(&self.base));
            }
            let added = answer.take_json(&json).map_err(|error| broken(&error))?;
            on_text(&added);
            return Ok(answer);
        }
        let mut length = 0_usize;
        let bytes = response.bytes_stream().map(move |piece| {
            let piece = piece.map_err(|error| error.to_string())?;
            length = length.saturating_add(piece.len());
            match length > LONGEST_ANSWER {
                true => Err("the answer has no end".to_owned()),
                false => Ok(piece),
            }
        });
        let mut events = bytes.eventsource();
        let mut is_done = false;
        while let Some(event) = timeout(PAUSE_LIMIT, events.next()).await.map_err(late)? {
            let event = event.map_err(|error| broken(&error))?;
            let added = answer.take(&event.data).map_err(|error| broken(&error))?;
            if !added.is_empty() {
                on_text(&added);
            }
            if event.data.trim() == "[DONE]" {
                is_done = true;
                break;
            }
        }
        let is_empty = answer.text.is_empty() && answer.calls.is_empty();
        match answer.finish.is_none() && (is_empty || !is_done) {
            true => Err(broken(&"the stream ended in the middle")),
            false => Ok(answer),
        }
    }

    async fn accepted(
        &self,
        answered: Result<Response, reqwest::Error>,
    ) -> Result<Response, Finding> {
        let response = answered.map_err(|error| {
            // Without the URL: it is said anyway, and once is enough.
            let error = error.without_url();
            words::unreachable(&self.base, &because(&error))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.text(response, LONGEST_LIST).await.unwrap_or_default();
        let (code, said) = refusal(&body);
        let said = shown(&said, self.redactor);
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                words::key_refused(&self.base, &said)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYMENT_REQUIRED => {
                words::used_up(&self.base, &said)
            }
            StatusCode::NOT_FOUND => words::no_model(&self.base, &said),
            StatusCode::BAD_REQUEST if code.contains("model") => words::no_model(&self.base, &said),
            status => words::refused(&self.base, status.as_u16(), &said),
        })
    }

    async fn text(&self, response: Response, most: usize) -> Result<String, Finding> {
        let broken = |error: &dyn std::fmt::Display| {
            words::broken_off(&self.base, &shown(&error.to_string(), self.redactor))
        };
        let read = response
            .bytes_stream()
            .map_err(|error| error.to_string())
            .try_fold(Vec::new(), |mut all, piece| async move {
                match all.len() + piece.len() > most {
                    true => Err("the answer is too long".to_owned()),
                    false => {
                        all.extend_from_slice(&piece);
                        Ok(all)
                    }
                }
            });
        let read = timeout(FIRST_LIMIT, read)
            .await
            .map_err(|_| words::too_slow(&self.base))?;
        Ok(String::from_utf8_lossy(&read.map_err(|error| broken(&error))?).into_owned())
    }
}

/// The innermost cause, which says most.
fn because(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
