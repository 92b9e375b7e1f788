//! Terminals: sessions that outlive the page that shows them, and not much else. What runs in them is
//! started by a person, typed by a person, and never answered by Slipway.

mod decode;
mod emulator;
mod following;
mod session;
mod shell;
mod style;
pub mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Failure, LONGEST_INPUT, TerminalEnd, TerminalFrame, TerminalId, TerminalPlace, TerminalSize,
    TypedText,
};
use app::ports::Terminals;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use self::session::Session;
pub use self::session::{Limits, Line};
use crate::cluster::ClusterRoom;
use crate::engine::Core;
use crate::project::Project;

/// More at once are forgotten ones.
const MOST: usize = 4;
/// Sessions that ended and can still be read.
const MOST_ENDED: usize = 6;
/// How long a program may take no keys before the person hears of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clones share it.
#[derive(Clone, Debug)]
pub struct TerminalRoom {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    project: Arc<Project>,
    cluster: ClusterRoom,
    limits: Limits,
    /// In the order they began.
    sessions: Mutex<Vec<Arc<Session>>>,
    /// Counts the sessions that began.
    began: watch::Sender<u64>,
    /// One is opened at a time, so that a place never gets two.
    opening: tokio::sync::Mutex<()>,
}

/// How a session is written down, and what ends it besides its program.
pub(crate) struct Start {
    pub place: TerminalPlace,
    pub size: TerminalSize,
    /// What is opened, as it stands in the audit: "a shell in …".
    pub what: String,
    /// Cancelled when what it runs in is gone, and the sentence for that.
    pub gone: (CancellationToken, &'static str),
}

impl TerminalRoom {
    pub fn new(core: Core, project: Arc<Project>, cluster: ClusterRoom) -> Self {
        Self::with_limits(core, project, cluster, Limits::default())
    }

    pub fn with_limits(
        core: Core,
        project: Arc<Project>,
        cluster: ClusterRoom,
        limits: Limits,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                project,
                cluster,
                limits,
                sessions: Mutex::default(),
                began: watch::channel(0).0,
                opening: tokio::sync::Mutex::default(),
            }),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.inner
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.began.subscribe()
    }

    /// The last session of this place, which may have ended.
    fn newest(&self, place: &TerminalPlace) -> Option<Arc<Session>> {
        let sessions = self.sessions();
        let found = sessions
            .iter()
            .rev()
            .find(|session| session.place == *place);
        found.cloned()
    }

    /// Whether a session goes on in this place.
    pub(crate) fn is_busy(&self, place: &TerminalPlace) -> bool {
        self.newest(place).is_some_and(|session| session.is_going())
    }

    fn going(&self, id: TerminalId) -> Result<Arc<Session>, Failure> {
        let sessions = self.sessions();
        let found = sessions
            .iter()
            .find(|session| session.id == id && session.is_going());
        found
            .cloned()
            .ok_or_else(|| words::terminal_not_open().into())
    }

    /// Begins a session on the line that `connect` makes, unless the place has one already. The audit
    /// journal knows of it before it does anything.
    pub(crate) async fn begin(
        &self,
        start: Start,
        connect: impl Future<Output = Result<Line, Failure>>,
    ) -> Result<TerminalId, Failure> {
        let _one = self.inner.opening.lock().await;
        if let Some(known) = self.newest(&start.place).filter(|one| one.is_going()) {
            return Ok(known.id);
        }
        let going = self.sessions().iter().filter(|one| one.is_going()).count();
        if going >= MOST {
            return Err(words::too_many_terminals(MOST).into());
        }
        let journal = &self.inner.core.journal;
        let Start {
            place,
            size,
            what,
            gone: (gone, why_gone),
        } = start;
        journal.audit("operator", &format!("Open {what}")).await?;
        let line = match connect.await {
            Ok(line) => line,
            Err(failure) => {
                journal
                    .audit("operator", &format!("Could not open {what}"))
                    .await?;
                return Err(failure);
            }
        };
        let number = *self.inner.began.borrow() + 1;
        let id = TerminalId(number);
        let redactor = self.inner.core.redactor.clone();
        let (session, work) = Session::new(id, place, size, redactor);
        self.keep(Arc::clone(&session));
        self.inner.began.send_replace(number);
        let (core, limits) = (self.inner.core.clone(), self.inner.limits);
        self.inner.core.tasks.spawn(async move {
            let shutdown = core.shutdown.clone();
            let gone = async move {
                tokio::select! {
                    () = gone.cancelled() => why_gone,
                    () = shutdown.cancelled() => "Slipway ended",
                }
            };
            let begun = tokio::time::Instant::now();
            let how = session.run(line, work, limits, gone).await;
            let how = match how {
                TerminalEnd::Failed { finding } => finding.code.clone(),
                other => other.words(),
            };
            let what = format!("Closed {what} after {} s: {how}", begun.elapsed().as_secs());
            // The session is over either way; a journal that cannot be written says so itself.
            let _ = core.journal.audit("operator", &what).await;
        });
        Ok(id)
    }

    /// Takes the place of an ended session there; of the others that ended, the last ones are kept.
    fn keep(&self, session: Arc<Session>) {
        let mut sessions = self.sessions();
        sessions.retain(|one| one.place != session.place);
        let ended = sessions.iter().filter(|one| !one.is_going()).count();
        if ended >= MOST_ENDED
            && let Some(oldest) = sessions.iter().position(|one| !one.is_going())
        {
            sessions.remove(oldest);
        }
        sessions.push(session);
    }
}

#[async_trait]
impl Terminals for TerminalRoom {
    async fn open(&self, place: TerminalPlace, size: TerminalSize) -> Result<TerminalId, Failure> {
        match place {
            TerminalPlace::Shell { source } => self.open_shell(source, size).await,
            TerminalPlace::Gordon => Err(words::not_without_a_text().into()),
        }
    }

    async fn type_in(&self, id: TerminalId, text: TypedText) -> Result<(), Failure> {
        let text = Zeroizing::new(text.0);
        let session = self.going(id)?;
        if matches!(session.place, TerminalPlace::Shell { .. }) {
            // The allowance may have been taken back since.
            self.inner.cluster.changeable()?;
        }
        if text.len() > LONGEST_INPUT {
            return Err(words::too_much_typed(LONGEST_INPUT).into());
        }
        if !session.type_in(text, PATIENCE).await {
            return Err(match session.is_going() {
                true => words::takes_no_keys(),
                false => words::terminal_not_open(),
            }
            .into());
        }
        Ok(())
    }

    async fn resize(&self, id: TerminalId, size: TerminalSize) -> Result<(), Failure> {
        self.going(id)?.resize(size);
        Ok(())
    }

    async fn close(&self, id: TerminalId) -> Result<(), Failure> {
        if let Ok(session) = self.going(id) {
            session.close("You closed it");
        }
        Ok(())
    }

    async fn follow(
        &self,
        place: TerminalPlace,
    ) -> Result<BoxStream<'static, TerminalFrame>, Failure> {
        Ok(following::follow(self.clone(), place).boxed())
    }
}
