//! What a run's body holds: its stages, its log and the sign that it was cancelled.
//! Log lines are redacted at once and passed on in batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Finding, LogLine, Outcome, PanelEvent, Progress, RunId, RunView, Stage, StageState,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Hub, Journal, Redactor, clock};
use crate::process::strip_escapes;

/// How long log lines are gathered before they are passed on together.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(30);
/// A batch this long is passed on at once.
const BATCH: usize = 500;
/// No run keeps more lines; the rest is counted and left out.
const MOST_LINES: u64 = 200_000;

/// A run from the inside; clones are the same run.
#[derive(Clone, Debug)]
pub struct RunHandle {
    run: Arc<Run>,
}

#[derive(Debug)]
struct Run {
    id: RunId,
    cancel: CancellationToken,
    hub: Hub,
    journal: Journal,
    redactor: Redactor,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    stages: Vec<Stage>,
    /// When each stage started, in the order of `stages`.
    started: Vec<Option<Instant>>,
    waiting: Vec<LogLine>,
    lines: u64,
}

impl RunHandle {
    pub(super) fn new(
        view: &RunView,
        cancel: CancellationToken,
        hub: Hub,
        journal: Journal,
        redactor: Redactor,
    ) -> Self {
        Self {
            run: Arc::new(Run {
                id: view.id,
                cancel,
                hub,
                journal,
                redactor,
                inside: Mutex::new(Inside {
                    started: vec![None; view.stages.len()],
                    stages: view.stages.clone(),
                    waiting: Vec::new(),
                    lines: 0,
                }),
            }),
        }
    }

    pub fn id(&self) -> RunId {
        self.run.id
    }

    /// Cancelled when a person or the shutdown asks the run to stop.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    /// A stage of the announced plan. Reports about an id that was not announced are ignored.
    pub fn stage(&self, id: &str) -> StageHandle {
        StageHandle {
            run: self.clone(),
            id: id.to_owned(),
        }
    }

    pub(super) fn redact(&self, text: &str) -> String {
        self.run.redactor.redact(text).into_owned()
    }

    pub(super) fn redacted(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Succeeded { summary } => Outcome::Succeeded {
                summary: self.redact(&summary),
            },
            Outcome::Failed { finding } => Outcome::Failed {
                finding: Box::new(self.run.redactor.finding(*finding)),
            },
            other => other,
        }
    }

    /// Passes on the log lines gathered so far.
    pub(super) fn flush(&self) {
        // Held until both have them, so that two flushes cannot change the lines' order.
        let mut inside = self.inside();
        self.pass_on(&mut inside);
    }

    fn pass_on(&self, inside: &mut Inside) {
        let lines = std::mem::take(&mut inside.waiting);
        if lines.is_empty() {
            return;
        }
        let first = inside.lines - lines.len() as u64;
        self.run
            .journal
            .append_log(self.run.id, first, lines.clone());
        self.run.hub.voice().publish(PanelEvent::RunLog {
            run: self.run.id,
            lines,
        });
    }

    /// Gives every stage that has no ending the one that follows from the run's outcome.
    pub(super) fn settle(&self, outcome: &Outcome) {
        self.flush();
        let stages = self.inside().stages.clone();
        let failed = stages
            .iter()
            .find(|stage| matches!(stage.state, StageState::Failed { .. }));
        let running = stages
            .iter()
            .find(|stage| matches!(stage.state, StageState::Running { .. }));
        let blocked_by = failed.or(running).map(|stage| stage.id.clone());
        for stage in &stages {
            let handle = self.stage(&stage.id);
            match (&stage.state, outcome) {
                (StageState::Running { .. }, Outcome::Failed { finding }) => {
                    handle.fail((**finding).clone());
                }
                (StageState::Running { .. }, Outcome::Succeeded { .. }) => handle.succeed(""),
                (StageState::Pending, Outcome::Succeeded { .. }) => handle.skip("not needed"),
                (StageState::Pending, Outcome::Failed { .. }) => {
                    handle.set(StageState::NotReached {
                        blocked_by: blocked_by.clone().unwrap_or_default(),
                    });
                }
                (StageState::Running { .. } | StageState::Pending, _) => {
                    handle.set(StageState::Cancelled);
                }
                _ => {}
            }
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.run
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stage of a run; clones are the same stage.
#[derive(Clone, Debug)]
pub struct StageHandle {
    run: RunHandle,
    id: String,
}

impl StageHandle {
    pub fn start(&self) {
        self.set(StageState::Running {
            since: clock::now(),
            progress: None,
        });
    }

    /// Adds to the run's log: redacted, without escape sequences, one entry per line of the text.
    pub fn log(&self, text: impl Into<String>) {
        let text = text.into();
        let plain = strip_escapes(&text);
        let redacted = self.run.run.redactor.redact(&plain);
        let mut inside = self.run.inside();
        for line in redacted.lines() {
            let text = match inside.lines {
                MOST_LINES.. => return,
                // The last one says that more may come.
                n if n + 1 == MOST_LINES => "… further lines of this run are not kept".to_owned(),
                _ => line.to_owned(),
            };
            inside.lines += 1;
            inside.waiting.push(LogLine {
                at: clock::now(),
                stage: self.id.clone(),
                text,
            });
        }
        if inside.waiting.len() >= BATCH {
            self.run.pass_on(&mut inside);
        }
    }

    /// Says how far a running stage is; starts it if it was not started.
    pub fn progress(&self, progress: Progress) {
        let since = {
            let inside = self.run.inside();
            inside.stages.iter().find_map(|stage| match &stage.state {
                StageState::Running { since, .. } if stage.id == self.id => Some(*since),
                _ => None,
            })
        };
        self.set(StageState::Running {
            since: since.unwrap_or_else(clock::now),
            progress: Some(Progress {
                note: self.run.redact(&progress.note),
                ..progress
            }),
        });
    }

    pub fn succeed(&self, note: impl Into<String>) {
        let note = self.run.redact(&note.into());
        let took_ms = self.took_ms();
        self.set(StageState::Succeeded { took_ms, note });
    }

    /// Was not needed, and why.
    pub fn skip(&self, why: impl Into<String>) {
        let why = self.run.redact(&why.into());
        self.set(StageState::Skipped { why });
    }

    /// Ends it as cancelled, unless it has ended already.
    pub fn cancel(&self) {
        let goes_on = self.run.inside().stages.iter().any(|stage| {
            stage.id == self.id
                && matches!(
                    stage.state,
                    StageState::Running { .. } | StageState::Pending
                )
        });
        if goes_on {
            self.set(StageState::Cancelled);
        }
    }

    pub fn fail(&self, finding: Finding) {
        let finding = Box::new(self.run.run.redactor.finding(finding));
        let took_ms = self.took_ms();
        self.set(StageState::Failed { took_ms, finding });
    }

    fn took_ms(&self) -> u64 {
        let inside = self.run.inside();
        let started = inside
            .stages
            .iter()
            .zip(&inside.started)
            .find(|(stage, _)| stage.id == self.id)
            .and_then(|(_, started)| *started);
        started.map_or(0, |at| {
            u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn set(&self, state: StageState) {
        let mut inside = self.run.inside();
        let Some(index) = inside.stages.iter().position(|stage| stage.id == self.id) else {
            tracing::warn!(run = %self.run.id(), stage = %self.id, "a stage that was not announced");
            return;
        };
        // What a stage printed comes before its ending.
        self.run.pass_on(&mut inside);
        let is_progress = matches!(
            (&inside.stages[index].state, &state),
            (StageState::Running { .. }, StageState::Running { .. })
        );
        if matches!(state, StageState::Running { .. }) && inside.started[index].is_none() {
            inside.started[index] = Some(Instant::now());
        }
        inside.stages[index].state = state.clone();
        if !is_progress {
            self.run
                .run
                .journal
                .stage_changed(self.run.id(), &self.id, &state);
        }
        self.run.run.hub.voice().publish(PanelEvent::RunStage {
            run: self.run.id(),
            stage: self.id.clone(),
            state,
        });
    }
}
