//! kagent's controller, reached through the API server: no port of this machine is opened.

use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures::{Stream, StreamExt as _};
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::client::Body;
use serde_json::Value;

use super::words;
use crate::adapters::kagent::a2a;
use crate::adapters::kagent::agents;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use app::model::Finding;

const SERVICE: &str = "kagent-controller";
const PORT: u16 = 8083;
/// Its usual namespace goes before others.
const NAMESPACE: &str = "kagent";
/// How we are named to it: it believes anybody.
const USER: &str = "slipway";
const LONGEST_ERROR: usize = 400;
/// Until an answer begins; an agent that thinks says so at once.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

/// Where it is, for as long as it stays there.
#[derive(Clone)]
pub struct Controller {
    client: Client,
    namespace: String,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Controller").field(&self.namespace).finish()
    }
}

/// All agents there are; none when the cluster does not know the kind.
pub async fn agents(client: &Client) -> Result<Option<Vec<DynamicObject>>, KubeError> {
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &agents::resource());
    match within(REQUEST_LIMIT, all.list(&ListParams::default())).await {
        Ok(list) => Ok(Some(list.items)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who runs the model of an agent, by kagent's word for it.
pub async fn provider(client: &Client, agent: &DynamicObject) -> Option<String> {
    let namespace = agent.metadata.namespace.as_deref()?;
    let configs: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &agents::model_configs());
    let name = agents::model_config(agent)?;
    let config = within(REQUEST_LIMIT, configs.get(&name)).await.ok()?;
    config.data["spec"]["provider"].as_str().map(str::to_owned)
}

impl Controller {
    /// Looks for its service.
    pub async fn find(client: &Client) -> Result<Option<Self>, KubeError> {
        let services: Api<Service> = Api::all(client.clone());
        let named = ListParams::default().fields(&format!("metadata.name={SERVICE}"));
        let found = within(REQUEST_LIMIT, services.list(&named)).await?;
        let mut namespaces: Vec<String> = found
            .into_iter()
            .filter(|service| service.metadata.name.as_deref() == Some(SERVICE))
            .filter_map(|service| service.metadata.namespace)
            .collect();
        namespaces.sort_by_key(|namespace| namespace != NAMESPACE);
        Ok(namespaces.into_iter().next().map(|namespace| Self {
            client: client.clone(),
            namespace,
        }))
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn path(&self, rest: &str) -> String {
        format!(
            "/api/v1/namespaces/{}/services/{SERVICE}:{PORT}/proxy/{rest}",
            self.namespace
        )
    }

    /// Its version.
    pub async fn version(&self) -> Option<String> {
        let request = Request::get(self.path("version")).body(Vec::new()).ok()?;
        let answer: Value = within(REQUEST_LIMIT, self.client.request(request))
            .await
            .ok()?;
        // In its usual envelope or without.
        let version = answer["kagent_version"].as_str();
        let version = version.or_else(|| answer["data"]["kagent_version"].as_str())?;
        let is_plain = version.len() <= 64 && version.chars().all(|c| c.is_ascii_graphic());
        is_plain.then(|| version.to_owned())
    }

    async fn post(&self, agent: &str, body: &Value) -> Result<http::Response<Body>, Finding> {
        let (name, value) = a2a::VERSION;
        let request = Request::post(self.path(&format!("api/a2a/{agent}/")))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .header("X-User-Id", USER)
            .header(name, value)
            .body(Body::from(body.to_string().into_bytes()))
            .map_err(|error| words::unreachable(&error.to_string()))?;
        let answer = within(BEGIN_LIMIT, self.client.send(request))
            .await
            .map_err(|error| words::unreachable(&error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = tokio::time::timeout(REQUEST_LIMIT, answer.into_body().collect()).await;
        let text = text.ok().and_then(Result::ok).map(|body| body.to_bytes());
        let text = String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned();
        let text: String = text.chars().take(LONGEST_ERROR).collect();
        Err(match status.as_u16() {
            404 => words::no_such_agent(agent, &text),
            code => words::unreachable(&format!("it answered with status {code}: {text}")),
        })
    }

    /// Sends a message to an agent; the events are its answer.
    pub async fn send(
        &self,
        agent: &str,
        message: &Value,
    ) -> Result<impl Stream<Item = String> + Send + use<>, Finding> {
        let body = self.post(agent, message).await?.into_body();
        Ok(body
            .into_data_stream()
            .eventsource()
            .take_while(|event| std::future::ready(event.is_ok()))
            .filter_map(|event| std::future::ready(event.ok()))
            .map(|event| event.data))
    }

    /// Ends a task of an agent, as well as it goes.
    pub async fn cancel(&self, agent: &str, task: &str) {
        if let Err(finding) = self.post(agent, &a2a::cancel(task)).await {
            tracing::warn!(why = %finding.why, "a task of kagent was not cancelled");
        }
    }
}
