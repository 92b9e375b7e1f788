use app::model::{Progress, StageState, UnixMillis};
use tempfile::TempDir;

use super::*;

struct Engine {
    hub: Hub,
    runs: Runs,
    redactor: Redactor,
    _folder: TempDir,
}

fn engine() -> Engine {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(folder.path()).expect("a journal");
    let (hub, redactor) = (Hub::new(), Redactor::default());
    let runs = Runs::new(hub.clone(), journal, redactor.clone(), TaskTracker::new());
    Engine {
        hub,
        runs,
        redactor,
        _folder: folder,
    }
}

fn stages(ids: &[&str]) -> Vec<Stage> {
    ids.iter()
        .map(|id| Stage {
            id: (*id).to_owned(),
            title: (*id).to_owned(),
            component: None,
            state: StageState::Pending,
        })
        .collect()
}

fn states(engine: &Engine, run: RunId) -> Vec<StageState> {
    engine.hub.read(|state| {
        state.runs[&run]
            .stages
            .iter()
            .map(|stage| stage.state.clone())
            .collect()
    })
}

#[tokio::test]
async fn a_run_reports_its_stages_and_redacts_its_log() {
    let engine = engine();
    engine.redactor.learn("hunter2hunter2");
    let run = engine
        .runs
        .start(RunKind::Build, stages(&["a", "b"]), |run| async move {
            let stage = run.stage("a");
            stage.start();
            stage.log("\u{1b}[31mvalue hunter2hunter2\u{1b}[0m\nsecond");
            stage.progress(Progress {
                done: 1,
                total: Some(2),
                note: "half".into(),
            });
            stage.succeed("fine");
            run.stage("b").skip("unchanged");
            Ok("built".to_owned())
        })
        .expect("started");
    assert_eq!(
        engine.runs.wait(run).await,
        Outcome::Succeeded {
            summary: "built".into()
        }
    );
    let log = engine.runs.log(run, 0).await.expect("the log");
    let texts: Vec<_> = log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["value •••", "second"]);
    assert_eq!(engine.runs.log(run, 1).await.expect("the log").len(), 1);
    let states = states(&engine, run);
    assert!(matches!(&states[0], StageState::Succeeded { note, .. } if note == "fine"));
    assert!(matches!(&states[1], StageState::Skipped { .. }));
}

#[tokio::test]
async fn two_of_a_kind_are_refused_and_a_cancel_ends_the_first() {
    let engine = engine();
    let wait = |run: RunHandle| async move {
        run.stage("a").start();
        run.cancelled().cancelled().await;
        Err(RunError::Cancelled)
    };
    let first = engine
        .runs
        .start(RunKind::Deploy, stages(&["a", "b"]), wait)
        .expect("started");
    let second = engine.runs.start(RunKind::Deploy, vec![], wait);
    assert!(matches!(second, Err(Failure::Finding(finding)) if finding.code == "RUN_IN_PROGRESS"));
    engine.runs.cancel(first).expect("it is going");
    assert_eq!(engine.runs.wait(first).await, Outcome::Cancelled);
    assert_eq!(
        states(&engine, first),
        [StageState::Cancelled, StageState::Cancelled]
    );
    assert!(engine.runs.cancel(first).is_ok());
    assert!(engine.runs.cancel(RunId(99)).is_err());
}

#[tokio::test]
async fn a_failure_names_the_stage_that_stopped_the_rest() {
    let engine = engine();
    let run = engine
        .runs
        .start(RunKind::Build, stages(&["a", "b"]), |run| async move {
            run.stage("a").start();
            Err(Finding::new("X", "it broke", "because").into())
        })
        .expect("started");
    assert!(matches!(
        engine.runs.wait(run).await,
        Outcome::Failed { .. }
    ));
    let states = states(&engine, run);
    assert!(matches!(states[0], StageState::Failed { .. }));
    assert_eq!(
        states[1],
        StageState::NotReached {
            blocked_by: "a".into()
        }
    );
}

#[tokio::test]
async fn a_panic_in_a_body_is_a_failed_run_and_the_next_one_works() {
    let engine = engine();
    let run = engine
        .runs
        .start(RunKind::Build, vec![], |_| async { panic!("by mistake") })
        .expect("started");
    let Outcome::Failed { finding } = engine.runs.wait(run).await else {
        panic!("a failure was due");
    };
    assert_eq!(finding.code, "INTERNAL_ERROR");
    let next = engine
        .runs
        .start(RunKind::Build, vec![], |_| async { Ok(String::new()) })
        .expect("the first one has ended");
    assert!(next > run);
    assert!(matches!(
        engine.runs.wait(next).await,
        Outcome::Succeeded { .. }
    ));
}

#[tokio::test]
async fn a_long_log_keeps_its_order() {
    let engine = engine();
    let run = engine
        .runs
        .start(RunKind::Build, stages(&["a"]), |run| async move {
            for number in 0..2_500 {
                run.stage("a").log(number.to_string());
            }
            Ok(String::new())
        })
        .expect("started");
    engine.runs.wait(run).await;
    let mut seen = Vec::new();
    loop {
        let lines = engine
            .runs
            .log(run, seen.len() as u64)
            .await
            .expect("the log");
        if lines.is_empty() {
            break;
        }
        seen.extend(lines.into_iter().map(|line| line.text));
    }
    let expected: Vec<_> = (0..2_500).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
    assert_eq!(engine.hub.read(|state| state.runs[&run].lines), 2_500);
}

#[tokio::test]
async fn facts_and_ended_runs_are_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(folder.path()).expect("a journal");
    journal.put_fact("image", "backend", "one");
    journal.put_fact("image", "backend", "two");
    journal.put_fact("image", "gone", "x");
    journal.delete_fact("image", "gone");
    let runs = Runs::new(
        Hub::new(),
        journal.clone(),
        Redactor::default(),
        TaskTracker::new(),
    );
    let run = runs
        .start(RunKind::Build, stages(&["a"]), |run| async move {
            run.stage("a").log("line");
            Ok("done".to_owned())
        })
        .expect("started");
    runs.wait(run).await;
    journal.flush().await.expect("durable");
    let again = Journal::open(folder.path()).expect("a journal");
    assert_eq!(again.get_fact("image", "backend").as_deref(), Some("two"));
    assert_eq!(again.get_fact("image", "gone"), None);
    let earlier = again.earlier_runs();
    assert_eq!(earlier.len(), 1);
    assert_eq!((earlier[0].id, earlier[0].lines), (run, 1));
    assert!(earlier[0].ending.is_some() && earlier[0].started > UnixMillis(0));
    assert!(again.next_run_id() > run);
}
