//! The panel: the engine and all rooms, put together once. Knows who needs whom, and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use app::model::{Failure, Finding, LogLine, LogPage, LogQuestion, PanelEvent, RunId};
use app::ports::{Ports, RunBook};
use async_trait::async_trait;

use crate::adapters;
use crate::assist::AssistRoom;
use crate::assist::approvals::ApprovalsRoom;
use crate::assist::desk::{DeskRoom, Kit, Settings};
use crate::assist::mcp::McpServer;
use crate::assist::tools::Tools;
use crate::cluster::{ClusterOptions, ClusterRoom};
use crate::deploy::helm::ReleasesRoom;
use crate::deploy::{ChartObjects, DeployRoom};
use crate::engine::{Core, Runs, steps};
use crate::images::ImagesRoom;
use crate::live::LiveRoom;
use crate::minikube::MinikubeRoom;
use crate::process::Surroundings;
use crate::project::Project;
use crate::secrets::SecretsRoom;
use crate::setup::SetupRoom;
use crate::terminal::TerminalRoom;
use crate::web::Sharing;

/// Everything the commands work with.
#[derive(Debug)]
pub struct Panel {
    pub core: Core,
    pub project: Arc<Project>,
    pub cluster: ClusterRoom,
    pub secrets: Arc<SecretsRoom>,
    pub images: Arc<ImagesRoom>,
    pub deploys: Arc<DeployRoom>,
    pub releases: Arc<ReleasesRoom>,
    pub live: Arc<LiveRoom>,
    pub minikube: MinikubeRoom,
    pub setup: Arc<SetupRoom>,
    pub assist: Arc<AssistRoom>,
    pub sharing: Sharing,
    pub approvals: ApprovalsRoom,
    pub desk: DeskRoom,
    pub terminals: TerminalRoom,
    pub mcp: McpServer,
}

impl Panel {
    /// Puts the rooms together; nothing runs before [`Panel::spawn`].
    pub fn new(
        core: Core,
        project: Arc<Project>,
        options: ClusterOptions,
    ) -> Result<Self, Finding> {
        core.hub
            .voice()
            .publish(PanelEvent::Project(Box::new(project.view())));
        let cluster = ClusterRoom::new(core.clone(), options);
        let secrets = Arc::new(SecretsRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
        )?);
        let images = Arc::new(ImagesRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
        ));
        let deploys = Arc::new(DeployRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&secrets),
        ));
        let releases = Arc::new(ReleasesRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&secrets),
            deploys.previews(),
            adapters::helm::program(),
        ));
        let chart: Arc<dyn ChartObjects> = releases.clone();
        secrets.set_chart(&chart);
        deploys.set_chart(chart);
        let live = Arc::new(LiveRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&secrets),
        ));
        let around = Surroundings::default();
        let minikube = MinikubeRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            around.clone(),
        );
        let setup = Arc::new(SetupRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&images),
            minikube.clone(),
            around.clone(),
        ));
        let assist = Arc::new(AssistRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
        ));
        let sharing = Sharing::new(core.clone());
        let approvals = ApprovalsRoom::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&assist),
            adapters::kubectl::program(),
        );
        let tools = Tools::new(
            core.clone(),
            Arc::clone(&project),
            cluster.clone(),
            Arc::clone(&assist),
            deploys.clone(),
        );
        let mcp = McpServer::new(core.clone(), tools.clone(), approvals.clone());
        let terminals = TerminalRoom::new(core.clone(), Arc::clone(&project), cluster.clone());
        let desk = DeskRoom::new(Kit {
            core: core.clone(),
            project: Arc::clone(&project),
            cluster: cluster.clone(),
            assist: Arc::clone(&assist),
            approvals: approvals.clone(),
            tools,
            settings: Settings::new(core.journal.clone(), core.redactor.clone()),
            terminals: terminals.clone(),
            around: around.clone(),
            slipway: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("slipway")),
        });
        Ok(Self {
            core,
            project,
            cluster,
            secrets,
            images,
            deploys,
            releases,
            live,
            minikube,
            setup,
            assist,
            sharing,
            approvals,
            desk,
            terminals,
            mcp,
        })
    }

    /// Starts the background work of every room and the gates between the steps.
    pub fn spawn(&self) {
        steps::spawn(&self.core);
        self.cluster.spawn();
        self.secrets.spawn();
        self.images.spawn();
        self.deploys.spawn();
        self.releases.spawn();
        self.live.spawn();
        self.minikube.spawn();
        self.setup.spawn();
        self.assist.spawn();
        self.approvals.spawn();
        self.desk.spawn();
    }

    /// What the server functions act through.
    pub fn ports(&self) -> Ports {
        Ports {
            setup: self.setup.clone(),
            clusters: Arc::new(self.cluster.clone()),
            minikube: Arc::new(self.minikube.clone()),
            secrets: self.secrets.clone(),
            images: self.images.clone(),
            deploys: self.deploys.clone(),
            handovers: self.deploys.clone(),
            releases: self.releases.clone(),
            revisions: self.deploys.clone(),
            rollouts: self.deploys.clone(),
            drills: self.deploys.clone(),
            live: self.live.clone(),
            forwards: self.live.clone(),
            terminals: Arc::new(self.terminals.clone()),
            approvals: Arc::new(self.approvals.clone()),
            assistants: Arc::new(self.desk.clone()),
            runs: Arc::new(RunsPort(self.core.runs.clone())),
            sharing: Arc::new(self.sharing.clone()),
        }
    }
}

/// The runs as the face needs them.
struct RunsPort(Runs);

#[async_trait]
impl RunBook for RunsPort {
    async fn cancel(&self, run: RunId) -> Result<(), Failure> {
        self.0.cancel(run)
    }

    async fn log(&self, run: RunId, from: u64) -> Result<Vec<LogLine>, Failure> {
        self.0.log(run, from).await
    }

    async fn search_log(&self, run: RunId, question: LogQuestion) -> Result<LogPage, Failure> {
        self.0.search_log(run, question).await
    }
}
