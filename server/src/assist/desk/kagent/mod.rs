//! kagent: agents that live in the cluster, asked over A2A through the API server. They act with rights of
//! their own, so those whose writing tools ask nobody are marked.

mod controller;
mod converse;
mod own_agent;
mod words;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use app::model::{
    AgentView, AssistantId, AssistantView, ChoiceField, Destination, Failure, Finding, Standing,
};
use async_trait::async_trait;
use kube::api::DynamicObject;

use self::controller::Controller;
pub use self::own_agent::{apply as apply_agent, remove as remove_agent};
use super::{Asked, Assistant, Kit, Patience, Teller, with_earlier};
use crate::adapters::kagent::agents;
use crate::adapters::kube::client::KubeError;

const ID: AssistantId = AssistantId::Kagent;
/// Kagent's word for models that run where somebody put them, which may be here or not.
const OWN_MODEL: &str = "Ollama";

#[derive(Debug)]
pub struct Kagent {
    kit: Kit,
    patience: Patience,
    conversation: Mutex<Option<Conversation>>,
}

/// Names a conversation with one agent of one cluster to it.
#[derive(Clone, Debug, PartialEq)]
struct Conversation {
    cluster: String,
    agent: String,
    context: String,
}

/// What is there.
struct Found {
    agents: Vec<DynamicObject>,
    controller: Controller,
    cluster: String,
}

impl Kagent {
    pub fn new(kit: Kit, patience: Patience) -> Self {
        Self {
            kit,
            patience,
            conversation: Mutex::default(),
        }
    }

    async fn found(&self) -> Result<Found, Finding> {
        let connected = self.kit.cluster.connected().map_err(finding)?;
        // What an agent does with a question is not only looking.
        self.kit
            .cluster
            .changeable()
            .map_err(|refused| words::only_looked_at(&finding(refused)))?;
        let unreadable = |error: KubeError| words::unreadable(&error.to_string());
        let agents = controller::agents(&connected.client)
            .await
            .map_err(unreadable)?
            .ok_or_else(|| words::not_installed(self.kit.around.find("kagent").is_some()))?;
        let controller = Controller::find(&connected.client)
            .await
            .map_err(unreadable)?
            .ok_or_else(words::no_controller)?;
        Ok(Found {
            agents,
            controller,
            cluster: connected.id.clone(),
        })
    }

    /// The chosen agent, else a ready one: those that ask before they write first, and of them
    /// Slipway's own.
    fn agent<'a>(&self, found: &'a Found) -> Result<(&'a DynamicObject, AgentView), Finding> {
        let all = found
            .agents
            .iter()
            .map(|agent| (agent, agents::view(agent)));
        match self.kit.settings.choices(ID).agent {
            Some(name) => {
                let chosen = all.into_iter().find(|(_, view)| view.name == name);
                let (agent, view) = chosen.ok_or_else(|| words::no_such_agent(&name, ""))?;
                match view.is_ready {
                    true => Ok((agent, view)),
                    false => Err(words::not_ready(&name)),
                }
            }
            None => all
                .into_iter()
                .filter(|(_, view)| view.is_ready)
                .min_by_key(|(agent, view)| (view.unasked.len(), !own_agent::is_own(agent)))
                .ok_or_else(words::no_ready_agent),
        }
    }

    async fn goes_to(&self, agent: &DynamicObject) -> Destination {
        let Some(connected) = self.kit.cluster.current() else {
            return Destination::Unknown;
        };
        match controller::provider(&connected.client, agent).await {
            Some(provider) if provider != OWN_MODEL => Destination::Cloud { to: provider },
            _ => Destination::Unknown,
        }
    }

    /// The context to go on with, or a new one; and whether it is new.
    fn context(&self, cluster: &str, agent: &str) -> (String, bool) {
        let mut kept = self
            .conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref()
            && kept.cluster == cluster
            && kept.agent == agent
        {
            return (kept.context.clone(), false);
        }
        let context = id();
        *kept = Some(Conversation {
            cluster: cluster.to_owned(),
            agent: agent.to_owned(),
            context: context.clone(),
        });
        (context, true)
    }

    fn forget_context(&self) {
        let mut kept = self
            .conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = None;
    }
}

fn finding(failure: Failure) -> Finding {
    match failure {
        Failure::Finding(finding) => *finding,
        Failure::Transport(why) => words::unreadable(&why),
    }
}

/// A random UUID (version 4).
fn id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ]
    .join("-")
}

fn warning(agent: &AgentView) -> Option<String> {
    (!agent.unasked.is_empty()).then(|| {
        format!(
            "{} can change things in the cluster without asking anybody: {}.",
            agent.name,
            agent.unasked.join(", ")
        )
    })
}

#[async_trait]
impl Assistant for Kagent {
    fn id(&self) -> AssistantId {
        ID
    }

    async fn look(&self) -> AssistantView {
        let missing = |finding: Finding| {
            let finding = Box::new(finding);
            self.kit.view(ID, Standing::Missing { finding })
        };
        let found = match self.found().await {
            Ok(found) => found,
            Err(finding) => return missing(finding),
        };
        let version = found.controller.version().await;
        let mut view = match (self.agent(&found), &version) {
            (Err(finding), _) => missing(finding),
            (Ok(_), None) => missing(words::unreachable("it does not say its version")),
            (Ok((agent, chosen)), Some(_)) => {
                let mut view = self.kit.view(ID, Standing::Ready);
                view.destination = self.goes_to(agent).await;
                if let Some(warning) = warning(&chosen) {
                    view.notes.push(warning);
                }
                view.choices.agent = Some(chosen.name);
                view
            }
        };
        view.version = version;
        view.fields = BTreeSet::from([ChoiceField::Agent]);
        view.agents = found.agents.iter().map(agents::view).collect();
        view.own_agent = Some(own_agent::view(&found.agents, found.controller.namespace()));
        view.notes.push(
            "Anybody who reaches its controller can ask its agents: it has no password of its own."
                .to_owned(),
        );
        view
    }

    async fn destination(&self) -> Destination {
        let Ok(found) = self.found().await else {
            return Destination::Unknown;
        };
        match self.agent(&found) {
            Ok((agent, _)) => self.goes_to(agent).await,
            Err(_) => Destination::Unknown,
        }
    }

    async fn answer(&self, asked: &Asked, teller: &Teller) -> Result<(), Finding> {
        let found = self.found().await?;
        let (_, agent) = self.agent(&found)?;
        teller.model(&agent.name);
        if let Some(warning) = warning(&agent) {
            teller.notice(warning);
        }
        let (context, is_new) = self.context(&found.cluster, &agent.name);
        let text = match is_new {
            true => with_earlier(asked),
            false => asked.text.clone(),
        };
        let (core, quiet) = (&self.kit.core, self.patience.quiet);
        let answered = converse::converse(
            core,
            &found.controller,
            &agent.name,
            &context,
            &text,
            teller,
            quiet,
        )
        .await;
        if answered.is_err() {
            // What went wrong once does not have to be gone on with.
            self.forget_context();
        }
        answered
    }

    async fn forget(&self) {
        self.forget_context();
    }
}
