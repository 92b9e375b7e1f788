//! Slipway killed in the middle of a run: the next start tells the truth.
//! The test binary starts itself as the victim.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use app::model::{Outcome, RunKind, Stage, StageState};
use server::engine::{Core, Journal, StateDir};

const VICTIM: &str = "SLIPWAY_TEST_VICTIM";

fn stage(id: &str) -> Stage {
    Stage {
        id: id.to_owned(),
        title: id.to_owned(),
        component: None,
        state: StageState::Pending,
    }
}

fn core(folder: &Path) -> Core {
    let state_dir = StateDir::open(folder).expect("the state folder");
    let journal = Journal::open(folder).expect("the journal");
    Core::start(state_dir.into(), journal)
}

/// Not a test of its own: what the child process does.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else {
        return;
    };
    let core = core(Path::new(&folder));
    let journal = core.journal.clone();
    let run = core
        .runs
        .start(
            RunKind::Deploy,
            vec![stage("one"), stage("two"), stage("three")],
            |run| async move {
                run.stage("one").start();
                run.stage("one").succeed("applied");
                run.stage("two").start();
                run.stage("two").log("half way");
                journal.flush().await?;
                println!("\nHALF WAY");
                std::future::pending().await
            },
        )
        .expect("started");
    core.runs.wait(run).await;
}

#[tokio::test]
async fn a_run_that_was_going_is_interrupted_after_a_kill() {
    if std::env::var_os(VICTIM).is_some() {
        return;
    }
    let temp = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::victim", "--nocapture"])
        .env(VICTIM, temp.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the victim starts");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let half_way = output
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "HALF WAY");
    assert!(half_way, "the victim did not get half way");
    child.kill().expect("killed");
    child.wait().expect("reaped");

    let core = core(temp.path());
    let runs = core.hub.read(|state| state.runs.clone());
    let run = runs.values().next().expect("the run is remembered");
    assert_eq!(run.kind, RunKind::Deploy);
    let ending = run.ending.as_ref().expect("nobody runs it any more");
    let Outcome::Interrupted { what_now } = &ending.outcome else {
        panic!("interrupted, not {:?}", ending.outcome);
    };
    assert!(what_now.contains("deploy again"));
    assert!(matches!(run.stages[0].state, StageState::Succeeded { .. }));
    assert_eq!(run.stages[1].state, StageState::Cancelled);
    assert_eq!(
        run.stages[2].state,
        StageState::NotReached {
            blocked_by: "two".into()
        }
    );
    // The same kind of run can start again, with a number of its own.
    let next = core
        .runs
        .start(RunKind::Deploy, vec![], |_| async { Ok("done".to_owned()) })
        .expect("started");
    assert!(next > run.id);
    assert!(matches!(
        core.runs.wait(next).await,
        Outcome::Succeeded { .. }
    ));
}
