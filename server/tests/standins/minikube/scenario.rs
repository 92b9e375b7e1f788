//! What a test wants to happen.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    pub version: String,
    pub step_ms: u64,
    pub api_kubeconfig: Option<PathBuf>,
    pub docker_env: BTreeMap<String, String>,
    pub needs_port_forward: bool,
    pub image_load: ImageLoad,
    pub start: Start,
    pub answers: BTreeMap<String, Answer>,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ImageLoad {
    #[default]
    Ok,
    SilentlyNot,
    Fail,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    pub hang_at: Option<usize>,
    pub download: Option<Download>,
    pub odd_progress: bool,
    pub error: Option<Fatal>,
}

#[derive(Clone, Deserialize)]
pub struct Download {
    pub artifact: String,
    pub bytes: u64,
}

#[derive(Deserialize)]
pub struct Fatal {
    pub at: usize,
    pub exitcode: i32,
    /// The event's other data: `name`, `message`, `advice`, `url`, `issues`.
    #[serde(flatten)]
    pub data: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    stdout: String,
    stderr: String,
    exit: i32,
    hang: bool,
    repeat: Option<usize>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            version: "v1.38.1".to_owned(),
            step_ms: 5,
            api_kubeconfig: None,
            docker_env: BTreeMap::new(),
            needs_port_forward: false,
            image_load: ImageLoad::Ok,
            start: Start::default(),
            answers: BTreeMap::new(),
        }
    }
}

impl Scenario {
    pub fn read() -> Self {
        let Some(path) = std::env::var_os("STANDIN_MINIKUBE") else {
            return Self::default();
        };
        let text = std::fs::read_to_string(path).expect("the scenario is readable");
        serde_json::from_str(&text).expect("the scenario has only known keys")
    }

    pub fn answer(&self, words: &[String]) -> Option<&Answer> {
        let two = words.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
        self.answers
            .get(&two)
            .or_else(|| self.answers.get(words.first()?))
    }

    pub fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms)
    }
}

impl Answer {
    /// Gives it; the result is the exit code.
    pub fn give(&self) -> i32 {
        let mut out = std::io::stdout().lock();
        for _ in 0..self.repeat.unwrap_or(1) {
            let _ = out.write_all(self.stdout.as_bytes());
        }
        let _ = out.flush();
        eprint!("{}", self.stderr);
        while self.hang && !super::interrupted() {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.exit
    }
}
