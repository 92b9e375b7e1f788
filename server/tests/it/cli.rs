//! The real binary from the outside: usage, the state folder's lock, the port, the ready line.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn slipway(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLIPWAY_") {
            command.env_remove(name);
        }
    }
    command
        .env("SLIPWAY_STATE_DIR", state)
        .env("HOME", state)
        .env("KUBECONFIG", state.join("no-kubeconfig"))
        .stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("slipway runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A serving Slipway; killed when the test ends early.
struct Serving {
    child: Child,
    link: String,
}

impl Serving {
    fn start(state: &Path) -> Self {
        Self::with(state, &[])
    }

    fn with(state: &Path, more: &[&OsStr]) -> Self {
        let mut child = slipway(state)
            .args(["serve", "--no-open", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("slipway starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let link = line
            .strip_prefix("Slipway is ready at ")
            .expect("the ready line")
            .trim_end()
            .to_owned();
        Self { child, link }
    }

    fn address(&self) -> &str {
        self.link
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next())
            .expect("an address")
    }

    /// What a page gets first.
    fn snapshot(&self) -> String {
        let token = self.link.rsplit('=').next().expect("a token");
        let mut stream = TcpStream::connect(self.address()).expect("it listens");
        write!(
            stream,
            "GET /events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.address()
        )
        .expect("sent");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        assert!(lines.next().expect("an answer").contains("200"));
        lines
            .find(|line| line.starts_with("data: "))
            .expect("a snapshot")
    }

    fn stop(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("signalled");
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not stop in time");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn wrong_usage_ends_with_two_and_help_with_zero() {
    let state = tempfile::tempdir().expect("a temporary folder");
    for args in [
        vec!["fly"],
        vec!["--listen", "0.0.0.0:4747"],
        vec!["up", "--timeout", "x"],
    ] {
        let result = output(slipway(state.path()).args(&args));
        assert_eq!(result.status.code(), Some(2), "{args:?}");
        assert!(!result.stderr.is_empty());
    }
    let help = output(slipway(state.path()).arg("--help"));
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("practice"));
}

#[test]
fn it_serves_tells_the_second_one_and_stops_in_order() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let first = Serving::start(state.path());
    assert!(first.link.contains("/#token="));
    let token = first.link.rsplit('=').next().expect("a token");
    let file = state.path().join("server.json");
    let mode = file
        .metadata()
        .expect("the server file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !std::fs::read_to_string(&file)
            .expect("read")
            .contains(token)
    );

    let snapshot = first.snapshot();
    assert!(snapshot.contains("{\"snapshot\":{") && snapshot.contains("todo-chatbot"));

    let second = output(slipway(state.path()).args(["serve", "--no-open"]));
    assert_eq!(second.status.code(), Some(1));
    let words = text(&second.stderr);
    assert!(
        words.contains("SECOND_SLIPWAY") && words.contains(first.address()),
        "{words}"
    );
    assert_eq!(first.stop(), Some(0));
    assert!(!file.exists());
}

#[test]
fn a_port_in_use_is_a_finding_with_a_way_out() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let result = output(slipway(state.path()).args(["--no-open", "--listen", &address]));
    assert_eq!(result.status.code(), Some(1));
    let words = text(&result.stderr);
    assert!(
        words.contains("PORT_IN_USE") && words.contains("127.0.0.1:0"),
        "{words}"
    );
}

#[test]
fn a_broken_project_is_a_finding() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let project = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(project.path().join("slipway.toml"), "[project]\nnaem = 1\n").expect("written");
    let result = output(
        slipway(state.path())
            .args(["up", "--cluster", "practice", "--project"])
            .arg(project.path()),
    );
    assert_eq!(result.status.code(), Some(1));
    assert!(!text(&result.stderr).is_empty());
}

#[test]
fn serving_a_broken_project_shows_what_is_wrong_and_goes_on_once_it_is_mended() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let project = tempfile::tempdir().expect("a temporary folder");
    let file = project.path().join("slipway.toml");
    std::fs::create_dir(project.path().join("app")).expect("created");
    std::fs::write(&file, "[project]\nnaem = 1\n").expect("written");
    let serving = Serving::with(
        state.path(),
        &[OsStr::new("--project"), project.path().as_os_str()],
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut snapshot = serving.snapshot();
    while !snapshot.contains("PROJECT_") {
        assert!(Instant::now() < deadline, "{snapshot}");
        std::thread::sleep(Duration::from_millis(20));
        snapshot = serving.snapshot();
    }
    assert!(snapshot.contains("\"project\":null"), "{snapshot}");
    std::fs::write(
        &file,
        "[project]\nname = \"mended\"\n\n[[component]]\nname = \"app\"\nport = 8000\n\n[component.pack]\nbuild = [\"true\"]\nbinary = \"app/program\"\n",
    )
    .expect("written");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !snapshot.contains("\"name\":\"mended\"") {
        assert!(Instant::now() < deadline, "{snapshot}");
        std::thread::sleep(Duration::from_millis(100));
        snapshot = serving.snapshot();
    }
    assert_eq!(serving.stop(), Some(0));
    // A folder that is not there was mistyped.
    let missing = output(
        slipway(state.path())
            .args(["serve", "--no-open", "--project"])
            .arg(project.path().join("no-such-folder")),
    );
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("PROJECT_NOT_FOUND"));
}

#[test]
fn check_of_a_folder_that_is_no_project_shows_what_it_could_become_and_writes_nothing() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dockerfile = folder.path().join("Dockerfile");
    std::fs::write(&dockerfile, "FROM a:1\nEXPOSE 8000\n").expect("written");
    std::fs::write(folder.path().join(".env"), "A_TOKEN=hunter2hunter2\n").expect("written");
    let check = |more: &[&str]| {
        output(
            slipway(state.path())
                .args(["check", "--project"])
                .arg(folder.path())
                .args(more),
        )
    };
    let json = check(&["--json"]);
    assert_eq!(json.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(report["passed"], false);
    assert_eq!(report["checks"][0]["id"], "project");
    assert_eq!(report["checks"][0]["finding"]["code"], "PROJECT_NOT_FOUND");
    let proposal = &report["proposal"];
    let mut keys: Vec<&str> = proposal
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let mut known = documented("## The proposal");
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known, "docs/check-json.md has exactly these keys");
    assert_eq!(proposal["draft"]["components"][0]["port"]["value"], "8000");
    assert_eq!(proposal["draft"]["secrets"][0]["key"]["value"], "A_TOKEN");
    let words = check(&[]);
    assert_eq!(words.status.code(), Some(3));
    assert!(text(&words.stdout).contains("port = 8000"));
    assert!(!text(&json.stdout).contains("hunter2") && !text(&words.stdout).contains("hunter2"));
    let left = std::fs::read_dir(folder.path()).expect("listed").count();
    assert_eq!(left, 2, "nothing was written");
}

#[test]
fn removing_without_a_terminal_needs_a_yes() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let result = output(slipway(state.path()).args(["down", "--cluster", "practice"]));
    // Nothing is deployed on a fresh practice cluster, so there is nothing to say yes to.
    assert_eq!(result.status.code(), Some(0), "{}", text(&result.stderr));
    assert!(text(&result.stdout).contains("Nothing of this project"));
}

#[test]
fn practice_prints_its_kubeconfig_and_ends_on_request() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let mut child = slipway(state.path())
        .arg("practice")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("slipway starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    let kubeconfig = Path::new(line.trim()).to_owned();
    let mut config = String::new();
    std::fs::File::open(&kubeconfig)
        .and_then(|mut file| file.read_to_string(&mut config))
        .expect("the kubeconfig");
    assert!(config.contains("https://"));
    let serving = Serving {
        child,
        link: String::new(),
    };
    assert_eq!(serving.stop(), Some(0));
}

/// The report of `check --json` on a machine with nothing but these folders on its PATH.
fn check_report(state: &Path, path: &Path) -> (Option<i32>, serde_json::Value) {
    let output = output(
        slipway(state)
            .env("PATH", path)
            .env("MINIKUBE_HOME", state)
            .args(["check", "--cluster", "practice", "--json"]),
    );
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
    });
    (output.status.code(), report)
}

fn documented(section: &str) -> Vec<String> {
    let docs = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check-json.md"),
    )
    .expect("the docs");
    let (_, rest) = docs.split_once(section).expect("the section");
    let rest = rest.split("\n## ").next().unwrap_or_default();
    rest.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" |").next())
        .flat_map(|cell| cell.split("`, `"))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn check_on_a_bare_machine_says_what_is_missing_in_the_documented_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("bin");
    std::fs::create_dir(&bare).expect("made");
    let (code, report) = check_report(&folder.path().join("state"), &bare);
    assert_eq!(report["version"], 2);
    // The example is built by cargo, and there is none.
    assert_eq!((code, &report["passed"]), (Some(3), &false.into()));
    let checks = report["checks"].as_array().expect("a list");
    let mut ids: Vec<&str> = checks
        .iter()
        .filter_map(|check| check["id"].as_str())
        .collect();
    let mut known = documented("## The checks");
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known);
    for check in checks {
        let keys: Vec<&str> = check
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let said = match check["state"].as_str() {
            Some("ok") => "evidence",
            _ => "finding",
        };
        assert_eq!(
            keys,
            ["id", "title", "need", "state", said, "checked", "muted"]
        );
        match check["state"].as_str() {
            Some("ok") => assert!(check["evidence"].is_string(), "{check}"),
            Some("missing" | "broken") => {
                for key in [
                    "code", "severity", "what", "why", "next", "evidence", "subject",
                ] {
                    assert!(!check["finding"][key].is_null(), "{key} in {check}");
                }
                assert!(
                    !check["finding"]["next"]
                        .as_array()
                        .is_none_or(Vec::is_empty)
                );
            }
            other => panic!("{other:?} in {check}"),
        }
    }
    for id in ["docker", "minikube", "kubectl", "helm", "build-tools"] {
        let check = checks
            .iter()
            .find(|check| check["id"] == id)
            .expect("there");
        assert_eq!(check["state"], "missing", "{check}");
    }
}

#[test]
fn check_ends_in_time_whatever_the_tools_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    let bodies = [
        ("docker", "trap '' TERM; while :; do /bin/sleep 1; done"),
        ("minikube", "exit 1"),
        ("kubectl", "echo 'what?'"),
        ("helm", "while :; do echo nonsense nonsense nonsense; done"),
        ("kagent", "kill -9 $$"),
    ];
    for (name, body) in bodies {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .expect("made executable");
    }
    let started = Instant::now();
    let (code, report) = check_report(&folder.path().join("state"), &bin);
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(code, Some(3));
    let checks = report["checks"].as_array().expect("a list");
    for (name, _) in bodies {
        let check = checks
            .iter()
            .find(|check| check["id"] == name)
            .expect("there");
        assert_eq!(check["state"], "broken", "{check}");
        assert_eq!(check["finding"]["code"], "TOOL_BROKEN", "{check}");
    }
}
