//! The program itself: how it starts, refuses to start, and ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn program(settings: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_todo-backend"))
        .env_clear()
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The address of its first "listening" line.
fn address(out: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert!(
            out.read_line(&mut line).unwrap() > 0,
            "it ended before it listened"
        );
        let line: Value = serde_json::from_str(&line).expect("every log line is JSON");
        if line["body"] == "listening" {
            return line["attributes"]["address"].as_str().unwrap().to_owned();
        }
    }
}

fn status_of(address: &str, path: &str) -> Option<u16> {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn until_status(address: &str, path: &str, status: u16) {
    let started = Instant::now();
    while status_of(address, path) != Some(status) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{path} never became {status}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn sigterm_turns_readiness_red_first_and_ends_with_zero() {
    let mut child = program(&[
        ("DATABASE_URL", "sqlite::memory:"),
        ("AUTH_SECRET", SECRET),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("DRAIN_SECONDS", "2"),
    ]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let address = address(&mut out);
    until_status(&address, "/ready", 200);
    // SAFETY: the id is of a child that has not been waited for, so it is still ours.
    unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
    until_status(&address, "/ready", 503);
    assert_eq!(
        status_of(&address, "/health"),
        Some(200),
        "it still serves while it drains"
    );
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().last().unwrap().contains("stopped"), "{rest}");
}

#[test]
fn a_program_without_its_settings_names_all_of_them_and_fails() {
    let child = program(&[("DATABASE_URL", "mysql://me:hunter2@db/todo")]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("DATABASE_URL must start with") && text.contains("AUTH_SECRET is not set"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}
