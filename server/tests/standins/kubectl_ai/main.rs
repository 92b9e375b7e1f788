//! Stands in for `kubectl-ai` v0.0.28 (678007e) and the generation after it (d4435ab): its version, its
//! flags, its config files, and its web mode with the same states, messages and silences. For tests only.
//!
//! `kubectl-ai.json` beside the folder of the program it is called by is the scenario:
//!
//! ```json
//! {"generation": "old", "turns": [[{"say": "Looking."}, {"run": "kubectl get pods"}, {"ask": ["kubectl delete pod a"]}]]}
//! ```
//!
//! A turn is what the model does with one question:
//!
//! - `say`: a text of the model.
//! - `run`: a command it runs unasked.
//! - `ask`: commands that need approval. Yes runs them; No goes on with the turn.
//! - `fail`: the call of the model fails: the state becomes done, and nothing is said.
//! - `error`: an error message, and the end of the turn.
//! - `hang`: nothing more happens; the server goes on answering.
//! - `drop`: every stream is closed; `exit`: the process ends with this code.
//!
//! `starts: false` makes it end at its start like one without a key. In `calls.log` there is every call,
//! in `posts.log` every form that was sent, in `env.log` every variable it was given.

mod agent;
mod web;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;

use serde_json::Value;

/// The flags with a value, and those without.
const VALUES: [&str; 10] = [
    "--llm-provider",
    "--model",
    "--max-iterations",
    "--kubeconfig",
    "--prompt-template-file-path",
    "--custom-tools-config",
    "--trace-path",
    "--ui-type",
    "--ui-listen-address",
    "--extra-prompt-paths",
];
const SWITCHES: [&str; 11] = [
    "--quiet",
    "--skip-permissions",
    "--enable-tool-use-shim",
    "--remove-workdir",
    "--mcp-client",
    "--mcp-server",
    "--external-tools",
    "--show-tool-output",
    "--new-session",
    "--skip-verify-ssl",
    "--list-sessions",
];

fn main() {
    let mut words = std::env::args();
    let program = PathBuf::from(words.next().unwrap_or_default());
    let words: Vec<String> = words.collect();
    let home = program
        .parent()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_default();
    if words.first().is_some_and(|word| word == "version") {
        println!("version: 0.0.28\ncommit: 678007e\ndate: 2025-11-20T00:00:00Z");
        return;
    }
    log(&home, "calls.log", &words.join(" "));
    let names: Vec<String> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    log(&home, "env.log", &names.join("\n"));
    let flags = match Flags::parse(&words) {
        Ok(flags) => flags,
        Err(why) => {
            eprintln!("Error: {why}");
            exit(1);
        }
    };
    let scenario = fs::read_to_string(home.join("kubectl-ai.json")).unwrap_or_default();
    let scenario: Value = serde_json::from_str(&scenario).unwrap_or_default();
    if scenario["starts"] == false {
        eprintln!("creating llm client: GEMINI_API_KEY environment variable not set");
        exit(1);
    }
    if flags.value("--ui-type") != Some("web") {
        eprintln!("only the web mode is stood in for");
        exit(1);
    }
    if let Some(trace) = flags.value("--trace-path") {
        fs::write(trace, "---\n").expect("the trace can be written");
    }
    let options = agent::Options {
        skip_permissions: flags.is_on("--skip-permissions") || flags.config_says("skipPermissions"),
        kubeconfig: flags.value("--kubeconfig").map(PathBuf::from),
        trace: flags.value("--trace-path").map(PathBuf::from),
        turns: scenario["turns"].as_array().cloned().unwrap_or_default(),
    };
    let listen = flags
        .value("--ui-listen-address")
        .unwrap_or("localhost:8888")
        .to_owned();
    let is_new = scenario["generation"] == "new";
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(web::serve(&listen, is_new, Arc::new(options), home));
}

fn log(home: &Path, name: &str, line: &str) {
    let file = File::options()
        .append(true)
        .create(true)
        .open(home.join(name));
    if let Ok(mut file) = file {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// What it was started with, as cobra reads it.
struct Flags(Vec<(String, String)>);

impl Flags {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut found = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let value = match value {
                Some(value) if SWITCHES.contains(&name) => {
                    value.parse::<bool>().map_err(|error| error.to_string())?;
                    value
                }
                Some(value) => value,
                None if SWITCHES.contains(&name) => "true".to_owned(),
                None => words.next().cloned().ok_or("flag needs an argument")?,
            };
            if !SWITCHES.contains(&name) && !VALUES.contains(&name) {
                return Err(format!("unknown flag: {name}"));
            }
            found.push((name.to_owned(), value));
        }
        Ok(Self(found))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(given, _)| given == name)?;
        Some(&found.1)
    }

    fn is_on(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// A file of the user's counts where no flag is given.
    fn config_says(&self, key: &str) -> bool {
        if key == "skipPermissions" && self.value("--skip-permissions").is_some() {
            return false;
        }
        let folders = [
            std::env::var("XDG_CONFIG_HOME").ok().map(PathBuf::from),
            std::env::var("HOME")
                .ok()
                .map(|home| PathBuf::from(home).join(".config")),
        ];
        folders.into_iter().flatten().any(|folder| {
            let text = fs::read_to_string(folder.join("kubectl-ai/config.yaml"));
            text.unwrap_or_default().contains(&format!("{key}: true"))
        })
    }
}
