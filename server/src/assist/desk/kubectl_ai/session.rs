//! One running kubectl-ai: its process, its account, and its state as it changes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::child::Child;
use super::super::looker::Looker;
use super::words;
use crate::adapters::kubectl_ai::client::WebMode;
use crate::adapters::kubectl_ai::serve::{Serve, listening};
use crate::adapters::kubectl_ai::web::Snapshot;
use crate::engine::Core;
use app::model::Finding;

/// From its start until it serves.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often a lost stream is taken up again; every state holds everything, so nothing is missed.
const RETRIES: u32 = 3;
const RETRY_AFTER: Duration = Duration::from_millis(300);
/// How often is looked for sessions that are not ours.
const GUARD_EVERY: Duration = Duration::from_secs(1);

/// Dropping it ends the program and removes its account.
#[derive(Debug)]
pub struct Session {
    pub web: WebMode,
    pub looker: Arc<Looker>,
    states: watch::Receiver<Snapshot>,
    /// How many questions were sent; more than these are somebody else's.
    sent: Arc<AtomicUsize>,
    broken: Arc<Broken>,
    child: Child,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Not only when the program has ended: it has a moment for that.
        self.looker.ending().cancel();
    }
}

/// Why it cannot be gone on with.
#[derive(Debug, Default)]
struct Broken {
    foreign: AtomicBool,
    lost: CancellationToken,
}

impl Session {
    /// Starts the program and waits until it can be asked.
    pub async fn start(
        core: &Core,
        serve: Serve<'_>,
        looker: Arc<Looker>,
    ) -> Result<Self, Finding> {
        let child = Child::start(core, serve.command(), looker.clone(), listening);
        let not_started = |why: &str| words::not_started(why, &child.last_words());
        let base = child
            .heard(START_LIMIT)
            .await
            .map_err(|why| not_started(&why))?;
        let web = WebMode::open(&base)
            .await
            .map_err(|error| not_started(&error.to_string()))?;
        let (sender, states) = watch::channel(Snapshot::default());
        let session = Self {
            web,
            looker,
            states,
            sent: Arc::default(),
            broken: Arc::default(),
            child,
        };
        session.follow(core, sender);
        session.guard(core).await;
        Ok(session)
    }

    /// Keeps the state, as long as the program lives.
    fn follow(&self, core: &Core, sender: watch::Sender<Snapshot>) {
        let (web, sent, broken) = (self.web.clone(), self.sent.clone(), self.broken.clone());
        let (stop, gone) = (self.child.stop(), self.looker.gone.clone());
        let (ended, over) = (self.child.ended(), self.looker.ending());
        core.tasks.spawn(async move {
            let mut retries = 0;
            let following = async {
                while retries <= RETRIES {
                    if let Ok(states) = web.states().await {
                        let mut states = std::pin::pin!(states);
                        while let Some(text) = states.next().await {
                            let Ok(state) = serde_json::from_str::<Snapshot>(&text) else {
                                continue;
                            };
                            retries = 0;
                            let questions = state.questions();
                            if questions > sent.load(Ordering::Acquire) || state.was_allowed() {
                                broken.foreign.store(true, Ordering::Release);
                                stop.cancel();
                                return;
                            }
                            sender.send_replace(state);
                        }
                    }
                    retries += 1;
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            };
            tokio::select! {
                () = following => {}
                () = gone.cancelled() => stop.cancel(),
                () = stop.cancelled() => {}
                _ = ended => {}
            }
            broken.lost.cancel();
            // Whoever still keeps the session: nothing can be asked any more.
            over.cancel();
        });
    }

    /// Where there are sessions, one that is not ours is an intruder: its approvals would not be seen.
    async fn guard(&self, core: &Core) {
        let Some(known) = self.web.sessions().await else {
            return;
        };
        let (web, broken) = (self.web.clone(), self.broken.clone());
        let (stop, ended) = (self.child.stop(), self.child.ended());
        core.tasks.spawn(async move {
            let watching = async {
                while web.sessions().await.is_none_or(|now| now <= known) {
                    tokio::time::sleep(GUARD_EVERY).await;
                }
            };
            tokio::select! {
                () = watching => {
                    broken.foreign.store(true, Ordering::Release);
                    stop.cancel();
                }
                () = stop.cancelled() => {}
                _ = ended => {}
            }
        });
    }

    /// Whether another question can go to it.
    pub fn is_usable(&self, cluster: &str) -> bool {
        self.looker.cluster == cluster
            && !self.looker.gone.is_cancelled()
            && !self.broken.lost.is_cancelled()
            && !self.child.is_over()
    }

    pub fn states(&self) -> watch::Receiver<Snapshot> {
        self.states.clone()
    }

    /// Counts a question that is about to be sent, and says which one it is, from 1.
    pub fn count(&self) -> usize {
        self.sent.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Waits until it cannot be gone on with, and says why.
    pub async fn broken(&self) -> Finding {
        let ended = tokio::select! {
            ended = self.child.ended() => Some(ended),
            () = self.broken.lost.cancelled() => None,
        };
        if self.broken.foreign.load(Ordering::Acquire) {
            return words::intruder();
        }
        match ended {
            Some(how) => words::ended(&how, &self.child.last_words()),
            // A program that is just ending loses its stream first.
            None => match tokio::time::timeout(Duration::from_secs(1), self.child.ended()).await {
                Ok(how) => words::ended(&how, &self.child.last_words()),
                Err(_) => words::lost(&self.child.last_words()),
            },
        }
    }

    /// Its last lines, for a finding.
    pub fn last_words(&self) -> String {
        self.child.last_words()
    }
}

/// The program, as it is looked for.
pub fn found(around: &crate::process::Surroundings) -> Option<std::path::PathBuf> {
    around.find("kubectl-ai").map(|path| {
        // Its working directory is another one.
        std::path::absolute(&path).unwrap_or(path)
    })
}

/// Where it may write.
pub fn folder(looker: &Looker) -> &Path {
    looker.folder()
}
