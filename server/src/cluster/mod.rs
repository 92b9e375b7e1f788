//! Which cluster is in use, how it is reached and whether it still answers.
//! Everyone else asks this room for the connection and lets go of it when it says that it is gone.

mod connected;
mod heartbeat;
mod options;
mod practice;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    ClusterChoice, ClusterKind, ClusterView, Failure, Finding, Freshness, PanelEvent,
};
use kube::config::Kubeconfig;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

pub use connected::Connected;
use connected::Established;
use practice::PracticeKeeper;

use crate::adapters::kube::kubeconfig::{self, ContextRow};
use crate::engine::{Core, clock};

/// How long a cluster may take to answer before it is not taken.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The current context must be quicker: a person waits for the first page.
const DEFAULT_LIMIT: Duration = Duration::from_secs(2);
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Facts: remote clusters whose name a person typed.
const CONFIRMED: &str = "cluster-confirmed";

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// `--cluster`; typing a remote context's name there counts as typing its name.
    pub wanted: Option<ClusterChoice>,
    /// Kubeconfig files to use instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<Vec<PathBuf>>,
}

/// The room; clones are the same room.
#[derive(Clone, Debug)]
pub struct ClusterRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    options: ClusterOptions,
    current: watch::Sender<Option<Arc<Connected>>>,
    practice: PracticeKeeper,
    /// One choice at a time.
    choosing: Mutex<()>,
    /// Ends the attempts to reach a wanted cluster that does not answer.
    retrying: Mutex<Option<CancellationToken>>,
}

impl ClusterRoom {
    pub fn new(core: Core, options: ClusterOptions) -> Self {
        let practice = PracticeKeeper::new(core.state_dir.path());
        Self {
            inner: Arc::new(Inner {
                core,
                options,
                current: watch::Sender::new(None),
                practice,
                choosing: Mutex::default(),
                retrying: Mutex::default(),
            }),
        }
    }

    /// The connection in use, if any. It may be lost at the moment; requests tell.
    pub fn current(&self) -> Option<Arc<Connected>> {
        self.inner.current.borrow().clone()
    }

    /// Changes with every choice and every rebuilt client.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Connected>>> {
        self.inner.current.subscribe()
    }

    /// The connection in use, or why there is none.
    pub fn connected(&self) -> Result<Arc<Connected>, Failure> {
        self.current().ok_or_else(|| {
            let problem = self
                .inner
                .core
                .hub
                .read(|state| state.cluster.as_ref().and_then(|view| view.problem.clone()));
            problem.unwrap_or_else(words::no_cluster).into()
        })
    }

    /// Keeps the list of contexts fresh.
    pub fn spawn(&self) {
        let room = self.clone();
        let stop = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = room.keep_options_fresh() => {}
            }
        });
    }

    /// Takes the cluster of the command line, else the current context if it answers, else practice.
    /// What goes wrong is shown in the state; a wanted cluster is tried again until it answers.
    pub async fn start_default(&self) {
        self.refresh_options().await;
        if let Some(wanted) = self.inner.options.wanted.clone() {
            let name = wanted.label().to_owned();
            if let Err(failure) = self.choose(wanted.clone(), Some(name)).await {
                self.show_unreachable(&wanted, failure).await;
                self.keep_trying(wanted).await;
            }
            return;
        }
        if let Some(row) = self.quick_current_context().await
            && self
                .choose(ClusterChoice::Context(row.name.clone()), None)
                .await
                .is_ok()
        {
            return;
        }
        if let Err(failure) = self.choose(ClusterChoice::Practice, None).await {
            self.show_unreachable(&ClusterChoice::Practice, failure)
                .await;
        }
    }

    /// Starts to use a cluster. The one in use stays when the new one cannot be reached.
    pub async fn choose(
        &self,
        choice: ClusterChoice,
        typed_name: Option<String>,
    ) -> Result<(), Failure> {
        let _one = self.inner.choosing.lock().await;
        if let Some(retrying) = self.inner.retrying.lock().await.take() {
            retrying.cancel();
        }
        if let Some(current) = self.current()
            && current.choice == choice
            && !self.is_lost()
        {
            return Ok(());
        }
        self.refuse_while_running()?;
        self.check_confirmed(&choice, typed_name.as_deref()).await?;
        let established = self.establish(&choice).await?;
        self.activate(established);
        self.refresh_options_soon();
        Ok(())
    }

    /// Ends the practice cluster if this Slipway runs it. Its pods end; its objects stay.
    pub async fn shutdown(&self) {
        if let Some(current) = self.inner.current.send_replace(None) {
            current.gone.cancel();
        }
        self.inner.practice.shutdown().await;
    }

    fn is_lost(&self) -> bool {
        self.inner.core.hub.read(|state| {
            state
                .cluster
                .as_ref()
                .is_none_or(|cluster| cluster.freshness.lost.is_some())
        })
    }

    /// A run that changes one cluster must not lose it under its hands.
    fn refuse_while_running(&self) -> Result<(), Failure> {
        if self.current().is_none() {
            return Ok(());
        }
        let going = self.inner.core.hub.read(|state| {
            state
                .runs
                .values()
                .find(|run| run.is_going())
                .map(|run| (run.id, run.kind))
        });
        match going {
            Some((run, kind)) => Err(words::run_in_the_way(run, kind).into()),
            None => Ok(()),
        }
    }

    /// A remote cluster is used only after its name was typed once.
    async fn check_confirmed(
        &self,
        choice: &ClusterChoice,
        typed_name: Option<&str>,
    ) -> Result<(), Failure> {
        let ClusterChoice::Context(name) = choice else {
            return Ok(());
        };
        let Some(row) = self.context(name.as_str()) else {
            return Err(words::unknown_context(name, &self.contexts()).into());
        };
        if row.kind != ClusterKind::Remote || self.is_confirmed(&row) {
            return Ok(());
        }
        if typed_name != Some(name.as_str()) {
            return Err(words::remote_unconfirmed(&row).into());
        }
        self.inner
            .core
            .journal
            .put_fact_durably(CONFIRMED, &confirmation(&row), "typed")
            .await
            .map_err(Failure::from)
    }

    fn is_confirmed(&self, row: &ContextRow) -> bool {
        self.inner
            .core
            .journal
            .get_fact(CONFIRMED, &confirmation(row))
            .is_some()
    }

    /// The current context, if it may be used and answers at once.
    async fn quick_current_context(&self) -> Option<ContextRow> {
        let row = self.contexts().into_iter().find(|row| row.current)?;
        let allowed = row.kind != ClusterKind::Remote || self.is_confirmed(&row);
        // A login program may open a browser window: never without being asked.
        if !allowed || row.runs_program {
            return None;
        }
        let client = crate::adapters::kube::client::client(self.kubeconfig(), row.name.as_str())
            .await
            .ok()?;
        crate::adapters::kube::client::version(&client, DEFAULT_LIMIT)
            .await
            .ok()
            .map(|_| row)
    }

    /// Makes the new connection the one in use; the old one's work ends first.
    fn activate(&self, established: Established) {
        let Established { connected, version } = established;
        let connected = Arc::new(connected);
        if let Some(old) = self.inner.current.borrow().as_ref() {
            old.gone.cancel();
        }
        let view = ClusterView {
            choice: connected.choice.clone(),
            kind: connected.kind.clone(),
            server: connected.server.clone(),
            version: Some(version),
            freshness: Freshness::heard_at(clock::now()),
            problem: None,
        };
        // The page forgets the old cluster before anything of the new one can arrive.
        self.inner
            .core
            .hub
            .publish(PanelEvent::ClusterChosen(Some(Box::new(view))));
        self.inner.current.send_replace(Some(connected.clone()));
        let room = self.clone();
        self.inner.core.tasks.spawn(async move {
            room.heartbeat(connected).await;
        });
    }

    /// Shows a cluster that was wanted and cannot be reached.
    async fn show_unreachable(&self, wanted: &ClusterChoice, failure: Failure) {
        let problem = match failure {
            Failure::Finding(finding) => *finding,
            Failure::Transport(text) => {
                Finding::new("CLUSTER_UNREACHABLE", "The cluster cannot be used", text)
            }
        };
        let (kind, server) = match wanted {
            ClusterChoice::Practice => (ClusterKind::Practice, String::new()),
            ClusterChoice::Context(name) => self
                .context(name.as_str())
                .map_or((ClusterKind::Remote, String::new()), |row| {
                    (row.kind, row.server)
                }),
        };
        self.inner
            .core
            .hub
            .publish(PanelEvent::ClusterChosen(Some(Box::new(ClusterView {
                choice: wanted.clone(),
                kind,
                server,
                version: None,
                freshness: Freshness::default().lost_at(clock::now()),
                problem: Some(problem),
            }))));
    }

    async fn keep_trying(&self, wanted: ClusterChoice) {
        let ClusterChoice::Context(name) = &wanted else {
            return;
        };
        if self.context(name.as_str()).is_none() {
            return;
        }
        let stop = self.inner.core.shutdown.child_token();
        *self.inner.retrying.lock().await = Some(stop.clone());
        let room = self.clone();
        self.inner.core.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY_EVERY) => {}
                }
                // Not `choose`: that one ends these attempts, because a person decided.
                let established = room.establish(&wanted).await;
                let _one = room.inner.choosing.lock().await;
                if stop.is_cancelled() {
                    return;
                }
                if let Ok(established) = established {
                    room.activate(established);
                    return;
                }
            }
        });
    }

    fn kubeconfig_paths(&self) -> Vec<PathBuf> {
        self.inner
            .options
            .kubeconfig
            .clone()
            .unwrap_or_else(kubeconfig::paths)
    }

    fn kubeconfig(&self) -> Kubeconfig {
        kubeconfig::read(&self.kubeconfig_paths()).0
    }

    fn contexts(&self) -> Vec<ContextRow> {
        kubeconfig::contexts(&self.kubeconfig())
    }

    fn context(&self, name: &str) -> Option<ContextRow> {
        self.contexts()
            .into_iter()
            .find(|row| row.name.as_str() == name)
    }
}

/// The address belongs to it: a context of the same name may point elsewhere one day.
fn confirmation(row: &ContextRow) -> String {
    format!("{} {}", row.name, row.server)
}
