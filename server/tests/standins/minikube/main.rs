//! A stand-in for `minikube` v1.38.1: speaks its recorded formats, traps included, and keeps its
//! profiles, but runs no cluster. For tests only; Cargo builds it as an example, never for a release.
//!
//! Profiles live where minikube keeps them (`MINIKUBE_HOME`, else `~/.minikube`):
//! `profiles/P/config.json`, beside it `standin.json` with `{"state": "running"}` (or `paused`,
//! `stopped`, `gone`: the node was removed behind minikube's back). So `start`, `status`, `stop`,
//! `delete` and their like agree with each other, and a test may prepare or change the files.
//! `calls.log` in the same folder has the arguments of every call, one line each, and `ended by SIGINT`
//! lines for the calls that wait for it.
//!
//! The variable `STANDIN_MINIKUBE` may name a JSON file with a scenario, read anew by every call. All
//! keys are optional:
//!
//! ```json
//! {
//!   "version": "v1.38.1",
//!   "step_ms": 5,
//!   "api_kubeconfig": "/path/kubeconfig",
//!   "docker_env": {"DOCKER_HOST": "tcp://127.0.0.1:2375"},
//!   "needs_port_forward": false,
//!   "image_load": "ok",
//!   "start": {
//!     "hang_at": 8,
//!     "download": {"artifact": "preloaded-images-k8s-v18-v1.35.1-docker.tar.lz4", "bytes": 1000000},
//!     "odd_progress": true,
//!     "error": {"at": 8, "name": "GUEST_PROVISION", "exitcode": 80, "message": "…", "advice": "…"}
//!   },
//!   "answers": {"status": {"stdout": "null", "stderr": "", "exit": 7, "hang": false, "repeat": 1}}
//! }
//! ```
//!
//! - `api_kubeconfig`: its current context lends API server and credentials to the context that `start`
//!   writes; without it the context points at a port where nobody listens.
//! - `docker_env`: what `docker-env` prints, and where `image ls`, `image load` and `image build` go
//!   (through the docker CLI). `{"DOCKER_HOST": "ssh://…"}` plays a containerd profile.
//! - `image_load`: `ok`, `silently-not` (exit 0, nothing loaded) or `fail` (exit 80).
//! - `start.hang_at`: stays at that step until it is interrupted (SIGINT: exit 2).
//! - `start.odd_progress`: `NaN` and `+Inf` among the download's progress.
//! - `start.error`: dies at that step; more keys (`url`, `issues`) are passed on.
//! - `answers`: replaces the whole answer of a subcommand: `status`, `profile list`, `image ls`, …;
//!   `repeat` prints `stdout` so many times.

mod cluster;
mod images;
mod kubeconfig;
mod profiles;
mod scenario;
mod start;

use std::io::Write as _;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, signal};
use serde_json::{Value, json};

use profiles::Home;
use scenario::Scenario;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Everything a command works with.
struct Call {
    args: Args,
    home: Home,
    scenario: Scenario,
}

fn main() {
    // SAFETY: the handler only stores to an atomic.
    let _ = unsafe { signal(Signal::SIGINT, SigHandler::Handler(on_sigint)) };
    let call = Call {
        args: Args::parse(std::env::args().skip(1)),
        home: Home::find(),
        scenario: Scenario::read(),
    };
    call.home
        .log(&std::env::args().skip(1).collect::<Vec<_>>().join(" "));
    if let Some(answer) = call.scenario.answer(&call.args.words) {
        exit(answer.give());
    }
    let words: Vec<&str> = call.args.words.iter().map(String::as_str).collect();
    let code = match words[..] {
        ["version", ..] => version(&call),
        ["start", ..] => start::start(&call),
        ["status", ..] => cluster::status(&call),
        ["profile", "list"] => cluster::profile_list(&call),
        ["stop", ..] => cluster::stop(&call),
        ["pause", ..] => cluster::pause(&call, true),
        ["unpause", ..] => cluster::pause(&call, false),
        ["delete", ..] => cluster::delete(&call),
        ["update-context", ..] => cluster::update_context(&call),
        ["ip", ..] => cluster::ip(&call),
        ["docker-env", ..] => images::docker_env(&call),
        ["image", "ls" | "list"] => images::list(&call),
        ["image", "load", image] => images::load(&call, image),
        ["image", "build", context] => images::build(&call, context),
        ["addons", "list"] => addons(&call),
        ["service", _] => service(&call),
        ["tunnel"] => block(&call),
        _ => {
            eprintln!("Error: unknown command {words:?} for \"minikube\"");
            1
        }
    };
    exit(code);
}

extern "C" fn on_sigint(_: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Waits until SIGINT, the only signal minikube traps.
fn block(call: &Call) -> i32 {
    while !interrupted() {
        std::thread::sleep(Duration::from_millis(10));
    }
    call.home
        .log(&format!("ended by SIGINT: {}", call.args.words.join(" ")));
    0
}

fn version(call: &Call) -> i32 {
    let version = &call.scenario.version;
    match (call.args.has("short"), call.args.is_json()) {
        (true, _) => println!("{version}"),
        (_, true) => say(&json!({"commit": "c93a4cb931", "minikubeVersion": version})),
        _ => println!("minikube version: {version}\ncommit: c93a4cb931"),
    }
    0
}

fn addons(call: &Call) -> i32 {
    let profile = call.args.profile();
    say(&json!({
        "dashboard": {"Profile": profile, "Status": "disabled"},
        "storage-provisioner": {"Profile": profile, "Status": "enabled"},
    }));
    0
}

fn service(call: &Call) -> i32 {
    if !call.scenario.needs_port_forward {
        println!("http://192.168.49.2:30080");
        return 0;
    }
    println!("http://127.0.0.1:40123");
    eprintln!("! Because you are using a Docker driver, the terminal needs to be open to run it.");
    block(call)
}

/// One JSON value and a line break.
fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}");
    let _ = out.flush();
}

/// What was typed: words, and options as `--name=value`, `--name value` or `-p value`.
struct Args {
    words: Vec<String>,
    options: Vec<(String, String)>,
}

/// Options that take no value.
const FLAGS: [&str; 13] = [
    "light",
    "l",
    "short",
    "interactive",
    "keep-context",
    "embed-certs",
    "force",
    "dry-run",
    "all",
    "purge",
    "url",
    "overwrite",
    "no-proxy",
];

impl Args {
    fn parse(args: impl Iterator<Item = String>) -> Self {
        let mut parsed = Self {
            words: Vec::new(),
            options: Vec::new(),
        };
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let name = arg.trim_start_matches('-');
            if name.len() == arg.len() || name.is_empty() {
                parsed.words.push(arg);
            } else if let Some((name, value)) = name.split_once('=') {
                parsed.options.push((name.to_owned(), value.to_owned()));
            } else if FLAGS.contains(&name) {
                parsed.options.push((name.to_owned(), "true".to_owned()));
            } else {
                let value = args.next().unwrap_or_default();
                parsed.options.push((name.to_owned(), value));
            }
        }
        parsed
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(option, _)| option == name)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false")
    }

    fn profile(&self) -> &str {
        self.get("p")
            .or_else(|| self.get("profile"))
            .unwrap_or("minikube")
    }

    fn output(&self) -> Option<&str> {
        self.get("o").or_else(|| self.get("output"))
    }

    fn is_json(&self) -> bool {
        self.output() == Some("json") || self.get("format") == Some("json")
    }
}
