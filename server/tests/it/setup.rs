//! Looking at tools that are missing, broken or endless: always an answer in time, never a hang.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use app::model::{CheckState, Finding, NextAction};
use server::process::{Captured, CommandSpec, Surroundings};
use server::setup::{OsFamily, Reading, Tool, look_at};

fn script(folder: &Path, body: &str) -> Tool {
    let path = folder.join("helm");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    tool(&path)
}

fn tool(path: &Path) -> Tool {
    Tool {
        name: "helm",
        adds: "deploys charts",
        ask: CommandSpec::new(path.as_os_str())
            .arg("version")
            .deadline(Duration::from_millis(700))
            .grace(Duration::from_millis(200)),
    }
}

fn read(captured: &Captured) -> Reading {
    match captured.stdout.trim().strip_prefix('v') {
        Some(version) => Reading::Ok(version.to_owned()),
        None => Reading::Nonsense,
    }
}

async fn broken(body: &str) -> Finding {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = script(folder.path(), body);
    match look_at(&tool, OsFamily::Debian, &Surroundings::default(), read).await {
        CheckState::Broken { finding } => *finding,
        other => panic!("`{body}` is broken, not {other:?}"),
    }
}

#[tokio::test]
async fn a_tool_that_answers_is_fine() {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = script(folder.path(), "echo v4.2.4");
    let state = look_at(&tool, OsFamily::Debian, &Surroundings::default(), read).await;
    assert_eq!(
        state,
        CheckState::Ok {
            evidence: "4.2.4".into()
        }
    );
}

#[tokio::test]
async fn a_missing_tool_comes_with_the_fix_for_this_system() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = tool(&folder.path().join("helm"));
    let fix = async |os| match look_at(&missing, os, &Surroundings::default(), read).await {
        CheckState::Missing { finding } => {
            assert_eq!(finding.code, "TOOL_MISSING");
            finding.next[0].clone()
        }
        other => panic!("it is missing, not {other:?}"),
    };
    let arch = fix(OsFamily::Arch).await;
    assert!(matches!(&arch, NextAction::Command { command, .. } if command.contains("pacman")));
    assert_ne!(arch, fix(OsFamily::MacOs).await);
}

#[tokio::test]
async fn a_tool_that_hangs_is_broken_in_time() {
    let started = Instant::now();
    let finding = broken("trap '' TERM; while :; do sleep 1; done").await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(finding.code, "TOOL_BROKEN");
    assert!(finding.why.contains("did not answer"));
}

#[tokio::test]
async fn a_tool_that_fails_shows_what_it_said() {
    let finding = broken("echo 'cannot load library' >&2; exit 1").await;
    assert!(finding.why.contains("exit code 1"));
    assert!(
        finding
            .evidence
            .iter()
            .any(|evidence| evidence.text.contains("cannot load library"))
    );
}

#[tokio::test]
async fn garbage_is_not_a_version() {
    let finding = broken("head -c 300000 /dev/urandom").await;
    assert!(
        finding
            .evidence
            .iter()
            .all(|evidence| evidence.text.len() < 4_000)
    );
    assert!(finding.why.contains("something else"));
}

#[tokio::test]
async fn ten_megabytes_are_read_and_not_kept() {
    let finding = broken("yes nonsense | head -c 10000000").await;
    assert_eq!(finding.code, "TOOL_BROKEN");
    assert!(
        finding
            .evidence
            .iter()
            .all(|evidence| evidence.text.len() < 1_000)
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_started_is_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("helm");
    fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0]).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    let state = look_at(
        &tool(&path),
        OsFamily::Debian,
        &Surroundings::default(),
        read,
    )
    .await;
    assert!(matches!(state, CheckState::Broken { .. }), "{state:?}");
}
