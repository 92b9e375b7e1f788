//! The desk on a real practice cluster, with a scripted model behind an OpenAI-compatible endpoint.

mod asking;
mod hostile;
mod mcp;
mod model;

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    AssistantChoices, AssistantId, AssistantSetting, Question, SecretInput, Turn, TurnId,
    TurnOutcome, fold_desk,
};
use app::ports::{Approvals as _, Assistants as _};
use futures::StreamExt as _;
use server::assist::AssistRoom;
use server::assist::approvals::ApprovalsRoom;
use server::assist::desk::{DeskRoom, Kit, Settings};
use server::assist::tools::Tools;
use server::process::Surroundings;
use server::project::Project;
use server::terminal::TerminalRoom;
use tokio::time::timeout;

use super::deploy_world::{World, succeeded};
use crate::real_tools;

const PATIENCE: Duration = Duration::from_secs(30);

/// A deployed project with everything an assistant works with.
struct Office {
    world: World,
    assist: Arc<AssistRoom>,
    approvals: ApprovalsRoom,
    tools: Tools,
    desk: DeskRoom,
}

impl Office {
    async fn open() -> Self {
        let world = World::prepared().await;
        succeeded(world.deploy().await);
        let project = Arc::new(Project::load(&world.project_folder()).expect("a project"));
        world
            .core
            .hub
            .voice()
            .publish(app::model::PanelEvent::Project(Box::new(project.view())));
        let assist = Arc::new(AssistRoom::new(
            world.core.clone(),
            project.clone(),
            world.cluster.clone(),
        ));
        let approvals = ApprovalsRoom::new(
            world.core.clone(),
            project.clone(),
            world.cluster.clone(),
            assist.clone(),
            real_tools::kubectl().into_os_string(),
        );
        let tools = Tools::new(
            world.core.clone(),
            project.clone(),
            world.cluster.clone(),
            assist.clone(),
            world.deploys.clone(),
        );
        let desk = DeskRoom::new(Kit {
            core: world.core.clone(),
            project: project.clone(),
            cluster: world.cluster.clone(),
            assist: assist.clone(),
            approvals: approvals.clone(),
            tools: tools.clone(),
            settings: Settings::new(world.core.journal.clone(), world.core.redactor.clone()),
            terminals: TerminalRoom::new(world.core.clone(), project, world.cluster.clone()),
            around: Surroundings::with(vec![("OPENAI_API_KEY".into(), "".into())]),
            slipway: env!("CARGO_BIN_EXE_slipway").into(),
        });
        assist.spawn();
        approvals.spawn();
        Self {
            world,
            assist,
            approvals,
            tools,
            desk,
        }
    }

    async fn use_endpoint(&self, base_url: &str, key: Option<&str>) {
        let setting = AssistantSetting {
            assistant: AssistantId::Endpoint,
            choices: AssistantChoices {
                base_url: Some(base_url.to_owned()),
                model: Some("scripted".to_owned()),
                ..AssistantChoices::default()
            },
            key: key.map(|key| SecretInput(key.to_owned())),
        };
        self.desk.configure(setting).await.expect("configured");
    }

    /// Asks, and waits for the end of the answer.
    async fn ask(&self, text: &str) -> Turn {
        let turn = self
            .desk
            .ask(question(text), None)
            .await
            .expect("it is asked");
        self.ended(turn).await
    }

    /// The turn, once it has ended: as a page that follows sees it.
    async fn ended(&self, id: TurnId) -> Turn {
        self.until(id, |turn| turn.ending.is_some()).await
    }

    async fn until(&self, id: TurnId, wanted: impl Fn(&Turn) -> bool) -> Turn {
        let mut frames = self.desk.follow().await.expect("followed");
        let mut turns = Vec::new();
        let waiting = async {
            loop {
                fold_desk(&mut turns, frames.next().await.expect("it goes on"));
                let turn = turns.iter().find(|turn: &&Turn| turn.id == id);
                if let Some(turn) = turn.filter(|turn| wanted(turn)) {
                    return turn.clone();
                }
            }
        };
        timeout(PATIENCE, waiting).await.expect("in time")
    }

    async fn audit(&self) -> Vec<String> {
        let page = self.approvals.audit(Default::default()).await;
        let entries = page.expect("a page").entries.into_iter();
        entries
            .map(|entry| format!("{}: {}", entry.who, entry.what))
            .collect()
    }

    async fn end(self) {
        drop(self.desk);
        drop(self.assist);
        self.world.end().await;
    }
}

fn question(text: &str) -> Question {
    Question {
        assistant: AssistantId::Endpoint,
        text: text.to_owned(),
        left_out: Default::default(),
    }
}

fn outcome(turn: &Turn) -> &TurnOutcome {
    &turn.ending.as_ref().expect("it has ended").how
}

/// The code with which an answer failed.
fn code(turn: &Turn) -> &str {
    match outcome(turn) {
        TurnOutcome::Failed { finding } => &finding.code,
        other => panic!("{other:?}"),
    }
}
