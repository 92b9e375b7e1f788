//! The journal: runs with plan, stages, log and ending, and small facts of the rooms, in SQLite.
//! One thread owns the database; what must be durable is confirmed after its commit.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use app::model::{
    AuditPage, AuditQuestion, Ending, Finding, LaneSpan, LogLine, LogPage, LogQuestion, NextAction,
    RunId, RunView, StageState, Timeline, TimelineMark, UnixMillis,
};
use tokio::sync::oneshot;

use super::journal_db::{Database, Entry};

/// The journal's handle; clones share it. Never given a secret value.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: mpsc::Sender<Job>,
    next_run: AtomicU64,
    facts: Mutex<BTreeMap<(String, String), String>>,
    earlier: Vec<RunView>,
}

enum Job {
    /// Written with the next commit.
    Write(Entry),
    /// Written with the next commit, which is then confirmed.
    Durable(Entry, oneshot::Sender<Result<(), String>>),
    ReadLog {
        run: RunId,
        from: u64,
        answer: oneshot::Sender<Result<Vec<LogLine>, String>>,
    },
    SearchLog {
        run: RunId,
        question: LogQuestion,
        answer: oneshot::Sender<Result<LogPage, String>>,
    },
    /// A window of a cluster's timeline.
    ReadTimeline {
        cluster: String,
        from: UnixMillis,
        to: UnixMillis,
        answer: oneshot::Sender<Result<Timeline, String>>,
    },
    SearchAudit {
        question: AuditQuestion,
        answer: oneshot::Sender<Result<AuditPage, String>>,
    },
}

impl Journal {
    /// Opens or makes the journal of a state folder. Runs found going are closed as interrupted.
    pub fn open(folder: &Path) -> Result<Self, Finding> {
        Self::with(Database::open(&folder.join("journal.sqlite")))
    }

    /// A journal that forgets everything at the end, for looking without leaving a trace.
    pub fn in_memory() -> Result<Self, Finding> {
        Self::with(Database::in_memory())
    }

    fn with(database: rusqlite::Result<Database>) -> Result<Self, Finding> {
        let open = || -> rusqlite::Result<Self> {
            let mut database = database?;
            database.close_interrupted(super::clock::now())?;
            let shared = Shared {
                next_run: AtomicU64::new(database.newest_run()? + 1),
                facts: Mutex::new(database.facts()?),
                earlier: database.last_runs()?,
                sender: start_writer(database),
            };
            Ok(Self {
                shared: Arc::new(shared),
            })
        };
        open().map_err(|error| journal_broken(&error.to_string()))
    }

    /// The last ended runs of earlier starts, oldest first.
    pub fn earlier_runs(&self) -> Vec<RunView> {
        self.shared.earlier.clone()
    }

    pub(super) fn next_run_id(&self) -> RunId {
        RunId(self.shared.next_run.fetch_add(1, Ordering::Relaxed))
    }

    /// The plan and the start; the returned future ends when they are durable.
    pub(super) fn run_started(
        &self,
        run: &RunView,
    ) -> impl Future<Output = Result<(), Finding>> + Send + 'static {
        self.durable(Entry::RunStarted(Box::new(run.clone())))
    }

    pub(super) fn stage_changed(&self, run: RunId, stage: &str, state: &StageState) {
        self.write(Entry::Stage {
            run,
            stage: stage.to_owned(),
            state: Box::new(state.clone()),
        });
    }

    /// Adds log lines; `first` is the number of the first of them.
    pub(super) fn append_log(&self, run: RunId, first: u64, lines: Vec<LogLine>) {
        self.write(Entry::Log { run, first, lines });
    }

    pub(super) fn run_ended(
        &self,
        run: RunId,
        ending: &Ending,
    ) -> impl Future<Output = Result<(), Finding>> + Send + 'static {
        self.durable(Entry::RunEnded {
            run,
            ending: Box::new(ending.clone()),
        })
    }

    /// Log lines of a run from number `from` (0-based), at most 1,000.
    pub async fn log_lines(&self, run: RunId, from: u64) -> Result<Vec<LogLine>, Finding> {
        let (answer, lines) = oneshot::channel();
        let _ = self.shared.sender.send(Job::ReadLog { run, from, answer });
        match lines.await {
            Ok(result) => result.map_err(|why| journal_broken(&why)),
            Err(_) => Err(journal_gone()),
        }
    }

    /// Log lines of a run that fit the question, with everything written so far.
    pub async fn search_log(&self, run: RunId, question: LogQuestion) -> Result<LogPage, Finding> {
        let (answer, page) = oneshot::channel();
        let _ = self.shared.sender.send(Job::SearchLog {
            run,
            question,
            answer,
        });
        match page.await {
            Ok(result) => result.map_err(|why| journal_broken(&why)),
            Err(_) => Err(journal_gone()),
        }
    }

    /// Adds to a cluster's timeline; a span replaces the one that began at the same time.
    pub fn record_timeline(&self, cluster: &str, spans: Vec<LaneSpan>, marks: Vec<TimelineMark>) {
        self.write(Entry::Timeline {
            cluster: cluster.to_owned(),
            spans,
            marks,
        });
    }

    /// What touches a window of a cluster's timeline.
    pub async fn timeline(
        &self,
        cluster: &str,
        from: UnixMillis,
        to: UnixMillis,
    ) -> Result<Timeline, Finding> {
        let (answer, timeline) = oneshot::channel();
        let _ = self.shared.sender.send(Job::ReadTimeline {
            cluster: cluster.to_owned(),
            from,
            to,
            answer,
        });
        match timeline.await {
            Ok(result) => result.map_err(|why| journal_broken(&why)),
            Err(_) => Err(journal_gone()),
        }
    }

    /// Entries of the audit journal that fit the question, newest first.
    pub async fn search_audit(&self, question: AuditQuestion) -> Result<AuditPage, Finding> {
        let (answer, page) = oneshot::channel();
        let job = Job::SearchAudit { question, answer };
        let _ = self.shared.sender.send(job);
        match page.await {
            Ok(result) => result.map_err(|why| journal_broken(&why)),
            Err(_) => Err(journal_gone()),
        }
    }

    /// Something a room wrote down earlier.
    pub fn get_fact(&self, scope: &str, key: &str) -> Option<String> {
        self.facts()
            .get(&(scope.to_owned(), key.to_owned()))
            .cloned()
    }

    /// All facts of a scope.
    pub fn facts_of(&self, scope: &str) -> BTreeMap<String, String> {
        self.facts()
            .iter()
            .filter(|((of, _), _)| of == scope)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Writes a fact down; readable at once, durable a moment later. Never a secret value.
    pub fn put_fact(&self, scope: &str, key: &str, value: &str) {
        self.write(self.fact(scope, key, value));
    }

    /// Writes a fact down and waits until it is durable. Never a secret value.
    pub async fn put_fact_durably(
        &self,
        scope: &str,
        key: &str,
        value: &str,
    ) -> Result<(), Finding> {
        self.durable(self.fact(scope, key, value)).await
    }

    pub fn delete_fact(&self, scope: &str, key: &str) {
        self.facts().remove(&(scope.to_owned(), key.to_owned()));
        self.write(Entry::FactGone {
            scope: scope.to_owned(),
            key: key.to_owned(),
        });
    }

    /// Records who asked for what, durably, before it is done. Secrets only by their keys.
    pub async fn audit(&self, who: &str, what: &str) -> Result<(), Finding> {
        self.durable(Entry::Audit {
            at: super::clock::now(),
            who: who.to_owned(),
            what: what.to_owned(),
        })
        .await
    }

    /// Waits until everything written so far is durable.
    pub async fn flush(&self) -> Result<(), Finding> {
        self.durable(Entry::Nothing).await
    }

    fn fact(&self, scope: &str, key: &str, value: &str) -> Entry {
        self.facts()
            .insert((scope.to_owned(), key.to_owned()), value.to_owned());
        Entry::Fact {
            scope: scope.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    fn write(&self, entry: Entry) {
        // Only fails when the writer is gone, and then the next durable write says so.
        let _ = self.shared.sender.send(Job::Write(entry));
    }

    fn durable(&self, entry: Entry) -> impl Future<Output = Result<(), Finding>> + Send + 'static {
        let (confirm, confirmed) = oneshot::channel();
        let _ = self.shared.sender.send(Job::Durable(entry, confirm));
        async move {
            match confirmed.await {
                Ok(result) => result.map_err(|why| journal_broken(&why)),
                Err(_) => Err(journal_gone()),
            }
        }
    }

    fn facts(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.shared
            .facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that owns the database: everything that waits goes into one commit.
fn start_writer(mut database: Database) -> mpsc::Sender<Job> {
    const MOST_AT_ONCE: usize = 1000;
    let (sender, jobs) = mpsc::channel();
    let work = move || {
        while let Ok(first) = jobs.recv() {
            let mut entries = Vec::new();
            let mut confirms = Vec::new();
            let mut reads = Vec::new();
            let mut searches = Vec::new();
            let mut windows = Vec::new();
            let mut audits = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Write(entry) => entries.push(entry),
                    Job::Durable(entry, confirm) => {
                        entries.push(entry);
                        confirms.push(confirm);
                    }
                    Job::ReadLog { run, from, answer } => reads.push((run, from, answer)),
                    Job::SearchLog {
                        run,
                        question,
                        answer,
                    } => searches.push((run, question, answer)),
                    Job::ReadTimeline {
                        cluster,
                        from,
                        to,
                        answer,
                    } => windows.push((cluster, from, to, answer)),
                    Job::SearchAudit { question, answer } => audits.push((question, answer)),
                }
                next = if entries.len() < MOST_AT_ONCE {
                    jobs.try_recv().ok()
                } else {
                    None
                };
            }
            let result = database.write(&entries).map_err(|error| error.to_string());
            if let Err(why) = &result {
                tracing::error!(%why, "the journal could not be written");
            }
            for confirm in confirms {
                let _ = confirm.send(result.clone());
            }
            for (run, from, answer) in reads {
                let lines = database
                    .log_lines(run, from)
                    .map_err(|error| error.to_string());
                let _ = answer.send(lines);
            }
            for (question, answer) in audits {
                let page = database
                    .search_audit(&question)
                    .map_err(|error| error.to_string());
                let _ = answer.send(page);
            }
            for (run, question, answer) in searches {
                let page = database
                    .search_log(run, &question)
                    .map_err(|error| error.to_string());
                let _ = answer.send(page);
            }
            for (cluster, from, to, answer) in windows {
                let timeline = database
                    .timeline(&cluster, from, to)
                    .map_err(|error| error.to_string());
                let _ = answer.send(timeline);
            }
        }
    };
    // Without the thread every durable write answers `journal_gone`.
    if let Err(error) = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(work)
    {
        tracing::error!(%error, "the journal's thread did not start");
    }
    sender
}

fn journal_broken(why: &str) -> Finding {
    Finding::new(
        "JOURNAL_BROKEN",
        "The journal cannot be used",
        format!("Its database in the state folder answered: {why}."),
    )
    .next(NextAction::advice(
        "Check that the disk has room and that the state folder is yours",
    ))
    .next(NextAction::Command {
        command: "slipway --state-dir ANOTHER_FOLDER".to_owned(),
        why: "Starts with a fresh journal".to_owned(),
    })
}

fn journal_gone() -> Finding {
    journal_broken("its thread has ended")
}
