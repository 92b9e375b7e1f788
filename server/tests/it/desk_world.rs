//! A desk on a practice cluster with a deployed project, and a machine of its own for its programs.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Approval, AssistantChoices, AssistantId, AssistantSetting, AssistantView, DeskFrame, Finding,
    PackPart, Question, SecretInput, Turn, TurnItem, TurnOutcome, fold_desk,
};
use app::ports::Assistants;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::ListParams;
use server::assist::AssistRoom;
use server::assist::approvals::ApprovalsRoom;
use server::assist::desk::{DeskRoom, Kit, Patience, Settings};
use server::assist::tools::Tools;
use server::process::Surroundings;
use server::project::Project;
use server::terminal::TerminalRoom;

use super::deploy_world::{World, succeeded};
use super::standin_minikube::Machine;
use crate::real_tools;

const LABEL: &str = "slipway.dev/looker";
const LIMIT: Duration = Duration::from_secs(60);

pub struct DeskWorld {
    pub world: World,
    pub machine: Machine,
    pub desk: DeskRoom,
    pub kit: Kit,
}

/// Short enough for a test of a hang, long enough for a slow machine.
pub fn short_patience() -> Patience {
    Patience {
        taken: Duration::from_secs(4),
        quiet: Duration::from_secs(8),
        last_word: Duration::from_millis(600),
        settle: Duration::from_millis(200),
    }
}

impl DeskWorld {
    /// With these variables beside the usual ones.
    pub async fn open(machine: Machine, env: &[(&str, &str)], patience: Patience) -> Self {
        let world = World::prepared().await;
        succeeded(world.deploy().await);
        Self::around(world, machine, env, patience)
    }

    pub fn around(
        world: World,
        machine: Machine,
        env: &[(&str, &str)],
        patience: Patience,
    ) -> Self {
        machine.add("kubectl", &real_tools::kubectl());
        let project = Arc::new(Project::load(&world.project_folder()).expect("a project"));
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
        let mut vars = machine.env();
        let empty = ["GEMINI_API_KEY", "OPENAI_API_KEY", "OPENAI_ENDPOINT"];
        vars.extend(empty.map(|name| (OsString::from(name), OsString::new())));
        vars.extend(
            env.iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value))),
        );
        let kit = Kit {
            core: world.core.clone(),
            project: project.clone(),
            cluster: world.cluster.clone(),
            assist,
            approvals,
            tools,
            settings: Settings::new(world.core.journal.clone(), world.core.redactor.clone()),
            terminals: TerminalRoom::new(
                world.core.clone(),
                project.clone(),
                world.cluster.clone(),
            ),
            around: Surroundings::with(vars),
            slipway: env!("CARGO_BIN_EXE_slipway").into(),
        };
        let desk = DeskRoom::patient(kit.clone(), patience);
        desk.spawn();
        Self {
            world,
            machine,
            desk,
            kit,
        }
    }

    pub async fn view(&self, id: AssistantId) -> AssistantView {
        let desk = self.desk.desk().await.expect("a desk");
        let found = desk.assistants.into_iter().find(|view| view.id == id);
        found.expect("it is at the desk")
    }

    pub async fn set(&self, assistant: AssistantId, choices: AssistantChoices, key: Option<&str>) {
        let key = key.map(|key| SecretInput(key.to_owned()));
        let setting = AssistantSetting {
            assistant,
            choices,
            key,
        };
        self.desk.configure(setting).await.expect("kept");
    }

    /// Asks without parts of the context, having looked at what goes out.
    pub async fn begin(&self, assistant: AssistantId, text: &str) -> app::model::TurnId {
        let question = Question {
            assistant,
            text: text.to_owned(),
            left_out: PackPart::ALL.into_iter().collect(),
        };
        let seen = self.desk.preview(question.clone()).await.expect("seen");
        let asked = self.desk.ask(question, Some(seen.hash)).await;
        asked.expect("asked")
    }

    /// Asks and waits for the end of the answer.
    pub async fn ask(&self, assistant: AssistantId, text: &str) -> Turn {
        let id = self.begin(assistant, text).await;
        self.until("the answer ends", |turn| {
            turn.id == id && turn.ending.is_some()
        })
        .await
    }

    /// Waits until a turn is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Turn) -> bool) -> Turn {
        let mut frames = self.desk.follow().await.expect("followed");
        let mut turns: Vec<Turn> = Vec::new();
        let waiting = async {
            loop {
                let frame: DeskFrame = frames.next().await.expect("the desk goes on");
                fold_desk(&mut turns, frame);
                if let Some(turn) = turns.iter().find(|turn| wanted(turn)) {
                    return turn.clone();
                }
            }
        };
        let found = tokio::time::timeout(LIMIT, waiting).await;
        match found {
            Ok(turn) => turn,
            Err(_) => panic!("waited for: {what}\n{turns:#?}"),
        }
    }

    pub fn cards(&self) -> Vec<Approval> {
        self.world.core.hub.read(|state| state.approvals.clone())
    }

    /// How many objects made for lookers there are, of each kind.
    pub async fn lookers(&self) -> (usize, usize, usize) {
        let ours = ListParams::default().labels(LABEL);
        let (client, namespace) = (self.world.client(), &self.world.namespace);
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let roles: Api<Role> = Api::namespaced(client.clone(), namespace);
        let bindings: Api<RoleBinding> = Api::namespaced(client, namespace);
        (
            accounts.list(&ours).await.expect("listed").items.len(),
            roles.list(&ours).await.expect("listed").items.len(),
            bindings.list(&ours).await.expect("listed").items.len(),
        )
    }

    /// Waits until nothing made for lookers is left.
    pub async fn until_no_looker(&self) {
        let gone = async {
            while self.lookers().await != (0, 0, 0) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(LIMIT, gone)
            .await
            .expect("everything is removed");
    }

    pub async fn end(self) {
        self.desk.end().await;
        drop(self.desk);
        self.world.end().await;
    }
}

/// The finding an answer failed with.
pub fn failure(turn: &Turn) -> &Finding {
    match turn.ending.as_ref().map(|ending| &ending.how) {
        Some(TurnOutcome::Failed { finding }) => finding,
        other => panic!("it should have failed: {other:?}\n{turn:#?}"),
    }
}

pub fn answered(turn: &Turn) {
    let how = turn.ending.as_ref().map(|ending| &ending.how);
    assert_eq!(how, Some(&TurnOutcome::Answered), "{turn:#?}");
}

/// What its tools said.
pub fn tools(turn: &Turn) -> Vec<(String, String, bool)> {
    let of = |item: &TurnItem| match item {
        TurnItem::Tool {
            arguments, answer, ..
        } => {
            let answer = answer.clone();
            let (text, failed) = answer.map_or_else(
                || (String::new(), false),
                |answer| (answer.text, answer.failed),
            );
            Some((arguments.clone(), text, failed))
        }
        _ => None,
    };
    turn.items.iter().filter_map(of).collect()
}
