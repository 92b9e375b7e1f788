//! The journal's tables and queries. Blocking; only the journal's thread calls it.

use std::collections::BTreeMap;
use std::path::Path;

use app::model::{
    AuditEntry, AuditPage, AuditQuestion, Ending, LaneSpan, LogLine, LogPage, LogQuestion,
    NumberedLine, Outcome, RUNS_KEPT, RunId, RunKind, RunView, Stage, StageState, Timeline,
    TimelineMark, UnixMillis,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::journal_timeline;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, started INTEGER NOT NULL, stages TEXT NOT NULL,
    ended INTEGER, outcome TEXT);
CREATE TABLE IF NOT EXISTS stage_states (
    run INTEGER NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (run, stage)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    run INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, stage TEXT NOT NULL,
    text TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (
    scope TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL);
";
/// The stages and the log of older runs are forgotten.
const RUNS_IN_FULL: i64 = 200;
const MOST_LINES_READ: i64 = 1000;
const MOST_LINES_FOUND: usize = 500;

/// One thing to write.
pub(super) enum Entry {
    RunStarted(Box<RunView>),
    Stage {
        run: RunId,
        stage: String,
        state: Box<StageState>,
    },
    Log {
        run: RunId,
        first: u64,
        lines: Vec<LogLine>,
    },
    RunEnded {
        run: RunId,
        ending: Box<Ending>,
    },
    Fact {
        scope: String,
        key: String,
        value: String,
    },
    FactGone {
        scope: String,
        key: String,
    },
    Audit {
        at: UnixMillis,
        who: String,
        what: String,
    },
    Timeline {
        cluster: String,
        spans: Vec<LaneSpan>,
        marks: Vec<TimelineMark>,
    },
    Nothing,
}

pub(super) struct Database {
    connection: Connection,
}

impl Database {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Self::prepare(Connection::open(path)?)
    }

    pub(super) fn in_memory() -> rusqlite::Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> rusqlite::Result<Self> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // A commit is on the disk when it returns: records come before their side effects.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch(journal_timeline::SCHEMA)?;
        let database = Self { connection };
        database.forget_old()?;
        Ok(database)
    }

    fn forget_old(&self) -> rusqlite::Result<()> {
        for table in ["log", "stage_states"] {
            self.connection.execute(
                &format!("DELETE FROM {table} WHERE run <= (SELECT max(id) FROM runs) - ?1"),
                [RUNS_IN_FULL],
            )?;
        }
        journal_timeline::forget_old(&self.connection)
    }

    pub(super) fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for entry in entries {
            write_entry(&transaction, entry)?;
        }
        transaction.commit()
    }

    /// Gives every run without an ending the ending "interrupted": nobody is running it any more.
    pub(super) fn close_interrupted(&mut self, now: UnixMillis) -> rusqlite::Result<()> {
        let open: Vec<(i64, String)> = self
            .connection
            .prepare("SELECT id, kind FROM runs WHERE ended IS NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, kind) in open {
            let what_now = decode::<RunKind>(&kind).map_or("Start it again.", what_now);
            let ending = Ending {
                at: now,
                outcome: Outcome::Interrupted {
                    what_now: what_now.to_owned(),
                },
            };
            self.write(&[Entry::RunEnded {
                run: RunId(id.unsigned_abs()),
                ending: Box::new(ending),
            }])?;
        }
        Ok(())
    }

    pub(super) fn newest_run(&self) -> rusqlite::Result<u64> {
        self.connection
            .query_row("SELECT coalesce(max(id), 0) FROM runs", [], |row| {
                row.get::<_, i64>(0)
            })
            .map(i64::unsigned_abs)
    }

    /// The last runs, oldest first, each with the tail of its log.
    pub(super) fn last_runs(&self) -> rusqlite::Result<Vec<RunView>> {
        let mut runs: Vec<RunView> = self
            .connection
            .prepare("SELECT id, kind, started, stages, ended, outcome FROM runs ORDER BY id DESC LIMIT ?1")?
            .query_map([RUNS_KEPT as i64], |row| self.run_view(row))?
            .filter_map(Result::transpose)
            .collect::<rusqlite::Result<_>>()?;
        runs.reverse();
        Ok(runs)
    }

    /// None when the record was written by a version whose words are unknown here.
    fn run_view(&self, row: &Row<'_>) -> rusqlite::Result<Option<RunView>> {
        let id: i64 = row.get(0)?;
        let (Some(kind), Some(mut stages)) = (
            decode::<RunKind>(&row.get::<_, String>(1)?),
            decode::<Vec<Stage>>(&row.get::<_, String>(3)?),
        ) else {
            return Ok(None);
        };
        let ended = row
            .get::<_, Option<i64>>(4)?
            .zip(row.get::<_, Option<String>>(5)?);
        let ending = match ended {
            None => None,
            Some((at, outcome)) => match decode(&outcome) {
                Some(outcome) => Some(Ending {
                    at: UnixMillis(at),
                    outcome,
                }),
                None => return Ok(None),
            },
        };
        self.restore_stages(id, &mut stages)?;
        let lines: i64 =
            self.connection
                .query_row("SELECT count(*) FROM log WHERE run = ?1", [id], |row| {
                    row.get(0)
                })?;
        let run = RunId(id.unsigned_abs());
        let tail_from = lines.unsigned_abs().saturating_sub(RunView::TAIL as u64);
        Ok(Some(RunView {
            id: run,
            kind,
            started: UnixMillis(row.get(2)?),
            stages,
            tail: self.log_lines(run, tail_from)?,
            lines: lines.unsigned_abs(),
            ending,
        }))
    }

    fn restore_stages(&self, run: i64, stages: &mut [Stage]) -> rusqlite::Result<()> {
        for stage in stages.iter_mut() {
            let state: Option<String> = self
                .connection
                .query_row(
                    "SELECT state FROM stage_states WHERE run = ?1 AND stage = ?2",
                    params![run, stage.id],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(state) = state.as_deref().and_then(decode) {
                stage.state = state;
            }
        }
        // All runs read here have ended: what was running was broken off, the rest never began.
        let broken_off = stages
            .iter()
            .find(|stage| matches!(stage.state, StageState::Running { .. }))
            .map(|stage| stage.id.clone());
        for stage in stages {
            match stage.state {
                StageState::Running { .. } => stage.state = StageState::Cancelled,
                StageState::Pending => {
                    stage.state = match &broken_off {
                        Some(id) => StageState::NotReached {
                            blocked_by: id.clone(),
                        },
                        None => StageState::Cancelled,
                    };
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn log_lines(&self, run: RunId, from: u64) -> rusqlite::Result<Vec<LogLine>> {
        self.connection
            .prepare_cached(
                "SELECT at, stage, text FROM log WHERE run = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
            )?
            .query_map(params![sql(run.0), sql(from), MOST_LINES_READ], |row| {
                Ok(LogLine {
                    at: UnixMillis(row.get(0)?),
                    stage: row.get(1)?,
                    text: row.get(2)?,
                })
            })?
            .collect()
    }

    pub(super) fn search_log(
        &self,
        run: RunId,
        question: &LogQuestion,
    ) -> rusqlite::Result<LogPage> {
        let mut lines: Vec<NumberedLine> = self
            .connection
            .prepare_cached(
                "SELECT number, at, stage, text FROM log WHERE run = ?1 AND number >= ?2
                 AND substr(stage, 1, length(?3)) = ?3 AND instr(lower(text), lower(?4)) > 0
                 ORDER BY number LIMIT ?5",
            )?
            .query_map(
                params![
                    sql(run.0),
                    sql(question.from),
                    question.stage,
                    question.text,
                    sql(MOST_LINES_FOUND as u64 + 1)
                ],
                |row| {
                    Ok(NumberedLine {
                        number: row.get::<_, i64>(0)?.unsigned_abs(),
                        line: LogLine {
                            at: UnixMillis(row.get(1)?),
                            stage: row.get(2)?,
                            text: row.get(3)?,
                        },
                    })
                },
            )?
            .collect::<rusqlite::Result<_>>()?;
        // One more was asked for, to know whether there is one.
        let next = match lines.len() > MOST_LINES_FOUND {
            true => lines.pop().map(|line| line.number),
            false => None,
        };
        Ok(LogPage { lines, next })
    }

    pub(super) fn timeline(
        &self,
        cluster: &str,
        from: UnixMillis,
        to: UnixMillis,
    ) -> rusqlite::Result<Timeline> {
        journal_timeline::read(&self.connection, cluster, from, to)
    }

    /// Newest first, one more than a page has when there are more.
    pub(super) fn search_audit(&self, question: &AuditQuestion) -> rusqlite::Result<AuditPage> {
        let mut entries: Vec<AuditEntry> = self
            .connection
            .prepare_cached(
                "SELECT rowid, at, who, what FROM audit WHERE rowid < ?1
                 AND (instr(lower(who), lower(?2)) > 0 OR instr(lower(what), lower(?2)) > 0 OR ?2 = '')
                 ORDER BY rowid DESC LIMIT ?3",
            )?
            .query_map(
                params![
                    question.before.map_or(i64::MAX, sql),
                    question.text,
                    sql(AuditPage::ENTRIES as u64 + 1)
                ],
                |row| {
                    Ok(AuditEntry {
                        number: row.get::<_, i64>(0)?.unsigned_abs(),
                        at: UnixMillis(row.get(1)?),
                        who: row.get(2)?,
                        what: row.get(3)?,
                    })
                },
            )?
            .collect::<rusqlite::Result<_>>()?;
        let has_more = entries.len() > AuditPage::ENTRIES;
        entries.truncate(AuditPage::ENTRIES);
        Ok(AuditPage { entries, has_more })
    }

    pub(super) fn facts(&self) -> rusqlite::Result<BTreeMap<(String, String), String>> {
        self.connection
            .prepare("SELECT scope, key, value FROM facts")?
            .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
            .collect()
    }
}

fn write_entry(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    match entry {
        Entry::RunStarted(run) => connection.execute(
            "INSERT INTO runs (id, kind, started, stages) VALUES (?1, ?2, ?3, ?4)",
            params![
                sql(run.id.0),
                encode(&run.kind),
                run.started.0,
                encode(&run.stages)
            ],
        )?,
        Entry::Stage { run, stage, state } => connection.execute(
            "INSERT OR REPLACE INTO stage_states (run, stage, state) VALUES (?1, ?2, ?3)",
            params![sql(run.0), stage, encode(state)],
        )?,
        Entry::Log { run, first, lines } => {
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO log (run, number, at, stage, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (number, line) in (*first..).zip(lines) {
                insert.execute(params![
                    sql(run.0),
                    sql(number),
                    line.at.0,
                    line.stage,
                    line.text
                ])?;
            }
            lines.len()
        }
        Entry::RunEnded { run, ending } => connection.execute(
            "UPDATE runs SET ended = ?2, outcome = ?3 WHERE id = ?1",
            params![sql(run.0), ending.at.0, encode(&ending.outcome)],
        )?,
        Entry::Fact { scope, key, value } => connection.execute(
            "INSERT OR REPLACE INTO facts (scope, key, value) VALUES (?1, ?2, ?3)",
            params![scope, key, value],
        )?,
        Entry::FactGone { scope, key } => connection.execute(
            "DELETE FROM facts WHERE scope = ?1 AND key = ?2",
            params![scope, key],
        )?,
        Entry::Audit { at, who, what } => connection.execute(
            "INSERT INTO audit (at, who, what) VALUES (?1, ?2, ?3)",
            params![at.0, who, what],
        )?,
        Entry::Timeline {
            cluster,
            spans,
            marks,
        } => journal_timeline::write(connection, cluster, spans, marks)?,
        Entry::Nothing => 0,
    };
    Ok(())
}

/// What a person does after Slipway ended in the middle of a run.
fn what_now(kind: RunKind) -> &'static str {
    match kind {
        RunKind::StartCluster => {
            "Slipway ended while the cluster was starting. Choose the cluster again; what is already there is used."
        }
        RunKind::StopCluster
        | RunKind::PauseCluster
        | RunKind::UnpauseCluster
        | RunKind::DeleteCluster
        | RunKind::RepairContext => {
            "Slipway ended while minikube was at work. The Setup page shows what the profile is like now; do it again if it is not what you want."
        }
        RunKind::Build => {
            "Slipway ended during the build. Nothing half-built is used; build again, and finished parts are found unchanged."
        }
        RunKind::Deploy => {
            "Slipway ended in the middle of the deploy. What was applied is in the cluster: look at the new plan, then deploy again to finish."
        }
        RunKind::Restart => {
            "Slipway ended while pods were restarting. The cluster goes on by itself; Live shows how far it is."
        }
        RunKind::Pause | RunKind::Resume | RunKind::Undo | RunKind::Scale => {
            "Slipway ended while a rollout was steered. What was asked of the cluster goes on by itself; Deploy shows how far it is."
        }
        RunKind::Handover => {
            "Slipway ended while the project changed hands. Plan the switch again: it does what is left to do."
        }
        RunKind::Down => {
            "Slipway ended while removing. Some objects may still be there; remove again to finish."
        }
        RunKind::Trial => {
            "Slipway ended while a value was tried out. The cluster removes the pod and its Secret by itself; nothing was stored. Enter the value again."
        }
        RunKind::Approved | RunKind::TakeBack => {
            "Slipway ended in the middle of an approved change. What the cluster took goes on by itself; the Assist page shows what is wrong now."
        }
        RunKind::Dependencies => {
            "Slipway ended while the chart's dependencies were fetched. Get them again; what is already there is used."
        }
        RunKind::Drill => {
            "Slipway ended while something was broken on purpose. Where a fault is left in, Break and heal on the demo screen says so and takes it out."
        }
        RunKind::DeletePod => {
            "Slipway ended while a pod was deleted. If the cluster took the wish, another pod takes its place by itself; Live shows which are there."
        }
    }
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn encode(value: &impl Serialize) -> String {
    // The model's types have string keys and no fallible parts.
    serde_json::to_string(value).expect("the model encodes as JSON")
}

pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
