//! Logs: what was written comes back, cut and filtered as asked.

use std::path::Path;

use tokio::sync::mpsc;

use super::{LogWriter, Pipe, last_text, read_log};
use crate::api::pod_backend::LogOptions;

fn collect(path: &Path, options: &LogOptions) -> String {
    let (out, mut lines) = mpsc::channel(64);
    read_log(path, options, None, &out).unwrap();
    drop(out);
    let mut text = Vec::new();
    while let Some(bytes) = lines.blocking_recv() {
        text.extend_from_slice(&bytes.unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn log(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("0.log");
    let writer = LogWriter::create(&path).unwrap();
    writer.write(Pipe::Stdout, b"one\ntw").unwrap();
    writer.write(Pipe::Stderr, b"problem\n").unwrap();
    writer.write(Pipe::Stdout, b"o\nlast without end").unwrap();
    writer.close();
    path
}

#[test]
fn lines_come_back_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let text = collect(&log(dir.path()), &LogOptions::default());
    assert_eq!(text, "one\nproblem\ntwo\nlast without end");
}

#[test]
fn tail_limit_and_timestamps_are_honored() {
    let dir = tempfile::tempdir().unwrap();
    let path = log(dir.path());
    let tail = LogOptions {
        tail_lines: Some(2),
        ..LogOptions::default()
    };
    assert_eq!(collect(&path, &tail), "two\nlast without end");
    let limit = LogOptions {
        limit_bytes: Some(5),
        ..LogOptions::default()
    };
    assert_eq!(collect(&path, &limit), "one\np");
    let stamped = LogOptions {
        timestamps: true,
        tail_lines: Some(2),
        ..LogOptions::default()
    };
    let first = collect(&path, &stamped);
    let moment = first.split(' ').next().unwrap();
    assert!(
        moment.parse::<jiff::Timestamp>().is_ok() && moment.len() == 30,
        "{first}"
    );
}

#[test]
fn nothing_is_younger_than_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(60);
    let options = LogOptions {
        since_time: Some(later),
        ..LogOptions::default()
    };
    assert_eq!(collect(&log(dir.path()), &options), "");
}

#[test]
fn the_fallback_message_is_the_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        last_text(&log(dir.path()), 2, 2048),
        "two\nlast without end"
    );
}

#[test]
fn a_very_long_line_is_split_and_read_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    let writer = LogWriter::create(&path).unwrap();
    let long = "x".repeat(50_000);
    writer
        .write(Pipe::Stdout, format!("{long}\nnext\n").as_bytes())
        .unwrap();
    writer.close();
    assert_eq!(
        collect(&path, &LogOptions::default()),
        format!("{long}\nnext\n")
    );
}
