//! Its API server, through its socket.

use std::path::Path;
use std::time::Duration;

use futures::Stream;
use reqwest::Client;
use serde_json::{Value, json};

use crate::adapters::local_http::{LocalError, events, good, through};

const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Any host: the socket is the address.
const BASE: &str = "http://docker-agent";

/// One session of a running Docker Agent.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    session: String,
    agent: String,
}

/// Whether it serves already.
pub async fn answers(socket: &Path) -> bool {
    let Ok(client) = through(socket) else {
        return false;
    };
    let ping = client
        .get(format!("{BASE}/api/ping"))
        .timeout(REQUEST_LIMIT);
    ping.send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
}

impl Api {
    /// Begins a session with the only agent there is.
    pub async fn open(socket: &Path) -> Result<Self, LocalError> {
        let client = through(socket)?;
        let agents = client.get(format!("{BASE}/api/agents"));
        let agents: Value = good(agents.timeout(REQUEST_LIMIT).send().await?)?
            .json()
            .await?;
        let agent = &agents[0];
        let agent = agent["name"].as_str().or_else(|| agent["id"].as_str());
        let agent = word(agent.ok_or(LocalError::Nonsense)?);
        let made = client.post(format!("{BASE}/api/sessions")).json(&json!({}));
        let made: Value = good(made.timeout(REQUEST_LIMIT).send().await?)?
            .json()
            .await?;
        let session = word(made["id"].as_str().ok_or(LocalError::Nonsense)?);
        Ok(Self {
            client,
            session,
            agent,
        })
    }

    fn at(&self, rest: &str) -> String {
        format!("{BASE}/api/sessions/{}/{rest}", self.session)
    }

    /// Asks; the events are those of the answer.
    pub async fn ask(
        &self,
        question: &str,
    ) -> Result<impl Stream<Item = String> + Send + use<>, LocalError> {
        let url = self.at(&format!("agent/{}", self.agent));
        let body = json!([{"role": "user", "content": question}]);
        let asked = self.client.post(url).json(&body).send();
        let answer = tokio::time::timeout(REQUEST_LIMIT, asked)
            .await
            .map_err(|_| LocalError::Nonsense)??;
        Ok(events(good(answer)?))
    }

    /// Lets one call of a tool pass.
    pub async fn approve(&self) -> Result<(), LocalError> {
        self.post("resume", json!({"confirmation": "approve"}))
            .await
    }

    /// Refuses what it waits for.
    pub async fn reject(&self, reason: &str) -> Result<(), LocalError> {
        let no = json!({"confirmation": "reject", "reason": reason});
        self.post("resume", no).await
    }

    /// Fills in nothing.
    pub async fn decline(&self) -> Result<(), LocalError> {
        let no = json!({"action": "decline", "content": {}});
        self.post("elicitation", no).await
    }

    async fn post(&self, to: &str, body: Value) -> Result<(), LocalError> {
        let sent = self.client.post(self.at(to)).json(&body);
        good(sent.timeout(REQUEST_LIMIT).send().await?).map(drop)
    }
}

/// One word of an address, whatever is in it.
fn word(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}
