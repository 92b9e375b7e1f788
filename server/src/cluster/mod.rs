//! Which cluster is in use, how it is reached and whether it still answers.
//! Everyone else asks this room for the connection and lets go of it when it says that it is gone.

mod connected;
mod contexts;
mod guard;
mod heartbeat;
mod options;
mod practice;
mod why;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Access, ClusterChoice, ClusterKind, ClusterView, ContextName, Failure, Finding, Freshness,
    GoingRuns, RunId, RunKind,
};
use app::ports::Clusters;
use async_trait::async_trait;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

pub use connected::Connected;
use connected::Established;
use contexts::Contexts;
use practice::PracticeKeeper;

use crate::adapters::kube::client::{ReadOnly, connect, version};
use crate::adapters::kube::kubeconfig::ContextRow;
use crate::engine::{Core, clock};
use crate::process::Surroundings;

/// How long a cluster may take to answer before it is not taken.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The current context must be quicker: a person waits for the first page.
const DEFAULT_LIMIT: Duration = Duration::from_secs(2);
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// How long runs may take to end after they were cancelled for another cluster.
const RUNS_END: Duration = Duration::from_secs(20);

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// `--cluster`.
    pub wanted: Option<ClusterChoice>,
    /// Whether a person typed that name on the command line: it counts as typing it.
    pub typed: bool,
    /// Kubeconfig files to use instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<Vec<PathBuf>>,
    /// Where the tools that run local clusters are looked for.
    pub around: Surroundings,
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
    contexts: Contexts,
    current: watch::Sender<Option<Arc<Connected>>>,
    practice: PracticeKeeper,
    /// One choice at a time.
    choosing: Mutex<()>,
    /// One round of looking at all clusters at a time.
    asking: Mutex<()>,
    /// Ends the attempts to reach a wanted cluster that does not answer.
    retrying: Mutex<Option<CancellationToken>>,
}

impl ClusterRoom {
    pub fn new(core: Core, options: ClusterOptions) -> Self {
        let practice = PracticeKeeper::new(core.state_dir.path());
        Self {
            inner: Arc::new(Inner {
                core,
                contexts: Contexts::new(options.kubeconfig.clone()),
                options,
                current: watch::Sender::new(None),
                practice,
                choosing: Mutex::default(),
                asking: Mutex::default(),
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
                () = room.follow_kubeconfig() => {}
            }
        });
    }

    /// Takes the cluster of the command line, else the current context if it answers, else practice.
    /// What goes wrong is shown in the state; a wanted cluster is tried again until it answers.
    pub async fn start_default(&self) {
        self.refresh_options().await;
        if let Some(wanted) = self.inner.options.wanted.clone() {
            if self.inner.options.typed
                && let ClusterChoice::Context(name) = &wanted
                && self
                    .inner
                    .contexts
                    .row(name.as_str())
                    .map(|row| self.access(&row))
                    == Some(Access::LookOnly)
                && let Err(failure) = self.allow(name, name.as_str()).await
            {
                tracing::warn!(%failure, "the typed name was not remembered");
            }
            if let Err(failure) = self.choose(wanted.clone(), GoingRuns::Refuse).await {
                self.show_unreachable(&wanted, failure).await;
                self.keep_trying(wanted).await;
            }
            return;
        }
        if let Some(row) = self.quick_current_context().await
            && self
                .choose(ClusterChoice::Context(row.name.clone()), GoingRuns::Refuse)
                .await
                .is_ok()
        {
            return;
        }
        let practice = ClusterChoice::Practice;
        if let Err(failure) = self.choose(practice, GoingRuns::Refuse).await {
            self.show_unreachable(&ClusterChoice::Practice, failure)
                .await;
        }
    }

    /// Starts to use a cluster. The one in use stays when the new one cannot be reached.
    pub async fn choose(&self, choice: ClusterChoice, going: GoingRuns) -> Result<(), Failure> {
        let _one = self.inner.choosing.lock().await;
        if let Some(retrying) = self.inner.retrying.lock().await.take() {
            retrying.cancel();
        }
        let current = self.current();
        let is_same = current
            .as_ref()
            .is_some_and(|current| current.choice == choice);
        if is_same && !self.is_lost() {
            return Ok(());
        }
        if !is_same {
            self.make_way(&choice, going).await?;
        }
        let established = self.establish(&choice).await?;
        match current.filter(|current| is_same && current.id == established.connected.id) {
            // The same cluster answers again: nothing that is shown of it becomes wrong.
            Some(current) => drop(self.take_up_again(&current, established)),
            None => self.activate(established),
        }
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
    async fn make_way(&self, choice: &ClusterChoice, going: GoingRuns) -> Result<(), Failure> {
        if self.current().is_none() {
            return Ok(());
        }
        let Some((run, kind)) = self.going_run() else {
            return Ok(());
        };
        if going == GoingRuns::Refuse {
            return Err(words::run_in_the_way(run, kind, choice).into());
        }
        let runs = &self.inner.core.runs;
        let all_end = async {
            while let Some((run, _)) = self.going_run() {
                // Ended meanwhile: then the store hears of it at once.
                let _ = runs.cancel(run);
                runs.wait(run).await;
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(RUNS_END, all_end).await.is_err() {
            return Err(words::run_in_the_way(run, kind, choice).into());
        }
        Ok(())
    }

    /// A run that works with the cluster in use: starting or stopping another one does not.
    fn going_run(&self) -> Option<(RunId, RunKind)> {
        self.inner.core.hub.read(|state| {
            state
                .runs
                .values()
                .find(|run| run.is_going() && !RunKind::OF_MINIKUBE.contains(&run.kind))
                .map(|run| (run.id, run.kind))
        })
    }

    /// The current context, if it may be used and answers at once.
    async fn quick_current_context(&self) -> Option<ContextRow> {
        let row = self
            .inner
            .contexts
            .rows()
            .into_iter()
            .find(|row| row.current)?;
        // Others' clusters are asked only when somebody chose them, and a login program may open a
        // browser window: never without being asked.
        if self.access(&row) == Access::LookOnly || row.login_program.is_some() {
            return None;
        }
        let config = &self.inner.contexts.loaded().config;
        let redactor = &self.inner.core.redactor;
        let connection = connect(config, row.name.as_str(), ReadOnly::new(true), redactor)
            .await
            .ok()?;
        version(&connection.client, DEFAULT_LIMIT)
            .await
            .ok()
            .map(|_| row)
    }

    /// Makes the new connection the one in use; the old one's work ends first.
    fn activate(&self, established: Established) {
        let Established {
            mut connected,
            version,
            who,
            warnings,
        } = established;
        if let Some(old) = self.inner.current.borrow().as_ref() {
            old.gone.cancel();
        }
        // The page forgets the old cluster before anything of the new one can arrive.
        connected.voice = self.inner.core.hub.choose_cluster(Some(ClusterView {
            choice: connected.choice.clone(),
            kind: connected.kind.clone(),
            server: connected.server.clone(),
            version: Some(version),
            freshness: Freshness::heard_at(clock::now()),
            problem: None,
            era: 0,
            access: connected.access,
            who,
            warnings,
        }));
        let connected = Arc::new(connected);
        self.inner.current.send_replace(Some(connected.clone()));
        let room = self.clone();
        self.inner.core.tasks.spawn(async move {
            room.heartbeat(connected).await;
        });
    }

    /// A new client for the cluster in use: the page keeps what it shows, the watches begin anew.
    fn take_up_again(&self, current: &Connected, established: Established) -> Arc<Connected> {
        let Established {
            mut connected,
            version,
            who,
            warnings,
        } = established;
        connected.gone = current.gone.clone();
        connected.voice = current.voice.clone();
        let (server, access) = (connected.server.clone(), connected.access);
        connected.voice.change_cluster(|view| {
            view.server = server;
            view.version = Some(version);
            view.access = access;
            view.who = who;
            view.warnings = warnings;
            view.problem = None;
            view.freshness = Freshness::heard_at(clock::now());
        });
        let again = Arc::new(connected);
        self.inner.current.send_replace(Some(again.clone()));
        again
    }

    /// Shows a cluster that was wanted and cannot be reached.
    async fn show_unreachable(&self, wanted: &ClusterChoice, failure: Failure) {
        let problem = match failure {
            Failure::Finding(finding) => *finding,
            Failure::Transport(text) => {
                Finding::new("CLUSTER_UNREACHABLE", "The cluster cannot be used", text)
            }
        };
        let (kind, server, access) = match wanted {
            ClusterChoice::Practice => (ClusterKind::Practice, String::new(), Access::Free),
            ClusterChoice::Context(name) => match self.inner.contexts.row(name.as_str()) {
                Some(row) => (row.kind.clone(), row.server.clone(), self.access(&row)),
                None => (ClusterKind::Remote, String::new(), Access::LookOnly),
            },
        };
        self.inner.core.hub.choose_cluster(Some(ClusterView {
            choice: wanted.clone(),
            kind,
            server,
            version: None,
            freshness: Freshness::default().lost_at(clock::now()),
            problem: Some(problem),
            era: 0,
            access,
            who: None,
            warnings: Vec::new(),
        }));
    }

    async fn keep_trying(&self, wanted: ClusterChoice) {
        let ClusterChoice::Context(name) = &wanted else {
            return;
        };
        if self.inner.contexts.row(name.as_str()).is_none() {
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
}

#[async_trait]
impl Clusters for ClusterRoom {
    async fn use_cluster(&self, choice: ClusterChoice, going: GoingRuns) -> Result<(), Failure> {
        self.choose(choice, going).await
    }

    async fn allow_changes(&self, context: ContextName, typed_name: String) -> Result<(), Failure> {
        self.allow(&context, &typed_name).await
    }

    async fn forget_allowance(&self, context: ContextName) -> Result<(), Failure> {
        self.forget(&context).await
    }

    async fn look_again(&self) -> Result<(), Failure> {
        self.refresh_options_soon();
        Ok(())
    }
}
