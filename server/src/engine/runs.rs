//! Runs: one long action each, journaled before its body starts, cancellable, and always ended.
//! At most one run of a kind is going.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Ending, Failure, Finding, LogLine, LogPage, LogQuestion, NextAction, Outcome, PanelEvent,
    Remedy, RunId, RunKind, RunView, Stage,
};
use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::run_handle::{FLUSH_EVERY, RunHandle};
use super::{Hub, Journal, Redactor, clock};

/// How long a cancelled body may take to come to its end before it is dropped.
/// A cancelled helm first puts back what was there before, and a drill heals what it broke.
const fn cancel_grace(kind: RunKind) -> Duration {
    match kind {
        RunKind::Deploy | RunKind::Down | RunKind::Drill => Duration::from_secs(90),
        _ => Duration::from_secs(15),
    }
}

/// Why a body did not succeed.
#[derive(Debug)]
pub enum RunError {
    Failed(Box<Finding>),
    Cancelled,
}

impl From<Finding> for RunError {
    fn from(finding: Finding) -> Self {
        Self::Failed(Box::new(finding))
    }
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Finding(finding) => Self::Failed(finding),
            Failure::Transport(text) => Finding::new(
                "INTERNAL_ERROR",
                "Slipway could not reach a part of itself",
                text,
            )
            .into(),
        }
    }
}

/// Starts, cancels and remembers runs; clones share them.
#[derive(Clone, Debug)]
pub struct Runs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hub: Hub,
    journal: Journal,
    redactor: Redactor,
    tasks: TaskTracker,
    going: Mutex<BTreeMap<RunId, Going>>,
}

#[derive(Debug)]
struct Going {
    kind: RunKind,
    cancel: CancellationToken,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Runs {
    pub fn new(hub: Hub, journal: Journal, redactor: Redactor, tasks: TaskTracker) -> Self {
        Self {
            shared: Arc::new(Shared {
                hub,
                journal,
                redactor,
                tasks,
                going: Mutex::default(),
            }),
        }
    }

    /// Announces and starts a run. The plan is durable in the journal before the body's first step.
    /// Refused with `RUN_IN_PROGRESS` while a run of the same kind is going.
    /// The body's `Ok` is the summary; a panic in it becomes a failed run.
    pub fn start<F, Fut>(
        &self,
        kind: RunKind,
        stages: Vec<Stage>,
        body: F,
    ) -> Result<RunId, Failure>
    where
        F: FnOnce(RunHandle) -> Fut + Send + 'static,
        Fut: Future<Output = Result<String, RunError>> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        let (tell, outcome) = watch::channel(None);
        let view = {
            let mut going = self.going();
            if let Some((id, _)) = going.iter().find(|(_, run)| run.kind == kind) {
                return Err(in_progress(*id, kind).into());
            }
            let view = RunView {
                id: self.shared.journal.next_run_id(),
                kind,
                started: clock::now(),
                stages,
                tail: Vec::new(),
                lines: 0,
                ending: None,
            };
            going.insert(
                view.id,
                Going {
                    kind,
                    cancel: cancel.clone(),
                    outcome,
                },
            );
            view
        };
        let id = view.id;
        let durable = self.shared.journal.run_started(&view);
        let handle = RunHandle::new(
            &view,
            cancel,
            self.shared.hub.clone(),
            self.shared.journal.clone(),
            self.shared.redactor.clone(),
        );
        self.shared
            .hub
            .voice()
            .publish(PanelEvent::RunStarted(Box::new(view)));
        let runs = self.clone();
        self.shared.tasks.spawn(async move {
            let outcome = match durable.await {
                Ok(()) => drive(&handle, cancel_grace(kind), body).await,
                Err(finding) => Outcome::Failed {
                    finding: Box::new(finding),
                },
            };
            runs.end(&handle, outcome, &tell).await;
        });
        Ok(id)
    }

    /// Asks a run to stop. Its ending arrives as an event; one that has ended already is left alone.
    pub fn cancel(&self, run: RunId) -> Result<(), Failure> {
        if let Some(going) = self.going().get(&run) {
            going.cancel.cancel();
            return Ok(());
        }
        if self.shared.hub.read(|state| state.runs.contains_key(&run)) {
            return Ok(());
        }
        Err(unknown_run(run).into())
    }

    /// Asks every run to stop.
    pub fn cancel_all(&self) {
        for going in self.going().values() {
            going.cancel.cancel();
        }
    }

    /// Waits until every run that is going now has ended.
    pub async fn idle(&self) {
        let outcomes: Vec<_> = self
            .going()
            .values()
            .map(|going| going.outcome.clone())
            .collect();
        for mut outcome in outcomes {
            // An error means that the run's task is gone, so it is not going any more.
            let _ = outcome.wait_for(Option::is_some).await;
        }
    }

    /// Waits for a run's ending.
    pub async fn wait(&self, run: RunId) -> Outcome {
        let receiver = self.going().get(&run).map(|going| going.outcome.clone());
        if let Some(mut receiver) = receiver
            && let Ok(outcome) = receiver.wait_for(Option::is_some).await
            && let Some(outcome) = outcome.clone()
        {
            return outcome;
        }
        let ending = self
            .shared
            .hub
            .read(|state| state.runs.get(&run).and_then(|run| run.ending.clone()));
        match ending {
            Some(ending) => ending.outcome,
            None => Outcome::Failed {
                finding: Box::new(unknown_run(run)),
            },
        }
    }

    /// Log lines from the journal, starting with line number `from` (0-based), at most 1,000.
    pub async fn log(&self, run: RunId, from: u64) -> Result<Vec<LogLine>, Failure> {
        self.shared
            .journal
            .log_lines(run, from)
            .await
            .map_err(Failure::from)
    }

    /// Log lines that fit the question.
    pub async fn search_log(&self, run: RunId, question: LogQuestion) -> Result<LogPage, Failure> {
        self.shared
            .journal
            .search_log(run, question)
            .await
            .map_err(Failure::from)
    }

    /// The kinds of run that are going now.
    pub fn is_going(&self, kind: RunKind) -> bool {
        self.going().values().any(|run| run.kind == kind)
    }

    async fn end(
        &self,
        handle: &RunHandle,
        outcome: Outcome,
        tell: &watch::Sender<Option<Outcome>>,
    ) {
        handle.settle(&outcome);
        let ending = Ending {
            at: clock::now(),
            outcome: handle.redacted(outcome),
        };
        if let Err(finding) = self.shared.journal.run_ended(handle.id(), &ending).await {
            tracing::error!(run = %handle.id(), why = %finding.why, "the journal did not take a run's ending");
        }
        self.going().remove(&handle.id());
        tell.send_replace(Some(ending.outcome.clone()));
        self.shared.hub.voice().publish(PanelEvent::RunEnded {
            run: handle.id(),
            ending,
        });
    }

    fn going(&self) -> MutexGuard<'_, BTreeMap<RunId, Going>> {
        self.shared
            .going
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the body to its end, passing its log lines on meanwhile.
async fn drive<F, Fut>(handle: &RunHandle, grace: Duration, body: F) -> Outcome
where
    F: FnOnce(RunHandle) -> Fut + Send + 'static,
    Fut: Future<Output = Result<String, RunError>> + Send + 'static,
{
    let cancelled = handle.cancelled().clone();
    let for_body = handle.clone();
    // `async` around the call, so that a panic before the first await is caught as well.
    let body = AssertUnwindSafe(async move { body(for_body).await }).catch_unwind();
    tokio::pin!(body);
    let overdue = async {
        cancelled.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::pin!(overdue);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            result = &mut body => break Some(result),
            () = &mut overdue => break None,
            _ = flush.tick() => handle.flush(),
        }
    };
    match result {
        None => Outcome::Cancelled,
        Some(Ok(Ok(summary))) => Outcome::Succeeded { summary },
        Some(Ok(Err(RunError::Cancelled))) => Outcome::Cancelled,
        // What fails after a cancel mostly fails because of it.
        Some(Ok(Err(RunError::Failed(_)))) if cancelled.is_cancelled() => Outcome::Cancelled,
        Some(Ok(Err(RunError::Failed(finding)))) => Outcome::Failed { finding },
        Some(Err(panic)) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(run = %handle.id(), panic = %handle.redact(&text), "a run's body panicked");
            Outcome::Failed {
                finding: Box::new(
                    Finding::new(
                        "INTERNAL_ERROR",
                        "Slipway made a mistake",
                        "A part of Slipway broke off; this is a bug. The log on the terminal has the details.",
                    )
                    .evidence("Slipway", handle.redact(&text)),
                ),
            }
        }
    }
}

fn in_progress(run: RunId, kind: RunKind) -> Finding {
    Finding::new(
        "RUN_IN_PROGRESS",
        format!("\"{}\" is already going", kind.title()),
        format!(
            "Run {run} has not ended yet, and two of the same kind would get in each other's way."
        ),
    )
    .attention()
    .next(NextAction::advice("Wait for it to end"))
    .next(NextAction::Do {
        action: Remedy::CancelRun { run },
        label: "Cancel it".to_owned(),
    })
}

fn unknown_run(run: RunId) -> Finding {
    Finding::new(
        "UNKNOWN_RUN",
        format!("There is no run {run}"),
        "This state folder's journal does not know it.",
    )
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
