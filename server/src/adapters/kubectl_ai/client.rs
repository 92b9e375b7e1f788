//! The two generations of kubectl-ai's web mode: v0.0.28 with one conversation, and the one after it
//! with sessions. Whoever asks has to look at the state first ([`super::web`]).

use std::time::Duration;

use futures::Stream;
use reqwest::Client;
use serde_json::Value;

use crate::adapters::local_http::{LocalError, client, events, good};

const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A running kubectl-ai.
#[derive(Clone, Debug)]
pub struct WebMode {
    client: Client,
    base: String,
    /// The session's id where there are sessions.
    session: Option<String>,
}

impl WebMode {
    /// Finds out which generation it is; begins a session where there are sessions.
    pub async fn open(base: &str) -> Result<Self, LocalError> {
        let client = client()?;
        let sessions = client
            .get(format!("{base}/api/sessions"))
            .timeout(REQUEST_LIMIT)
            .send()
            .await?;
        // The older one answers any address with its page.
        let has_sessions = sessions.status().is_success()
            && serde_json::from_slice::<Value>(&sessions.bytes().await?).is_ok();
        let mut web = Self {
            client,
            base: base.to_owned(),
            session: None,
        };
        if has_sessions {
            let made = web
                .client
                .post(format!("{base}/api/sessions"))
                .timeout(REQUEST_LIMIT)
                .send()
                .await?;
            let made: Value = good(made)?.json().await?;
            let id = made["id"].as_str().filter(|id| is_plain(id));
            web.session = Some(id.ok_or(LocalError::Nonsense)?.to_owned());
        }
        Ok(web)
    }

    fn at(&self, old: &str, new: &str) -> String {
        match &self.session {
            None => format!("{}/{old}", self.base),
            Some(id) => format!("{}/api/sessions/{id}/{new}", self.base),
        }
    }

    /// Every state as it comes, as text.
    pub async fn states(&self) -> Result<impl Stream<Item = String> + Send + use<>, LocalError> {
        let url = self.at("messages-stream", "stream");
        let asked = self.client.get(url).send();
        let response = tokio::time::timeout(REQUEST_LIMIT, asked)
            .await
            .map_err(|_| LocalError::Nonsense)??;
        Ok(events(good(response)?))
    }

    /// Sends a question.
    pub async fn ask(&self, question: &str) -> Result<(), LocalError> {
        self.post("send-message", &[("q", question)]).await
    }

    /// Answers an approval with the option of this number, from 1.
    pub async fn choose(&self, option: usize) -> Result<(), LocalError> {
        self.post("choose-option", &[("choice", &option.to_string())])
            .await
    }

    async fn post(&self, to: &str, form: &[(&str, &str)]) -> Result<(), LocalError> {
        let sent = self
            .client
            .post(self.at(to, to))
            .timeout(REQUEST_LIMIT)
            .form(form)
            .send()
            .await?;
        good(sent).map(drop)
    }

    /// How many sessions there are; none where there are no sessions.
    pub async fn sessions(&self) -> Option<usize> {
        self.session.as_ref()?;
        let asked = self
            .client
            .get(format!("{}/api/sessions", self.base))
            .timeout(REQUEST_LIMIT)
            .send();
        let sessions: Value = asked.await.ok()?.json().await.ok()?;
        let list = sessions
            .as_array()
            .or_else(|| sessions["sessions"].as_array());
        list.map(Vec::len)
    }
}

/// An id that goes into an address.
fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 100
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
