//! A secret tried out for real before it is stored: how far it came and why it went no further.
//! Nothing in here repeats any part of the value.

use serde::{Deserialize, Serialize};

use super::{ComponentName, Finding};

/// How a secret can be tried out from the machine Slipway runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveTestKind {
    /// Connects, signs in and asks `select 1`.
    Postgres,
    /// Lists the models of an OpenAI-compatible API and asks for one token.
    OpenAi,
    /// Fetches the URL.
    Url,
}

impl LiveTestKind {
    /// What the test does, for people.
    pub fn about(self) -> &'static str {
        match self {
            Self::Postgres => "connects from this machine, signs in and asks `select 1`",
            Self::OpenAi => "lists the models from this machine and asks for one token",
            Self::Url => "asks the URL once from this machine",
        }
    }
}

/// What a live test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTestReport {
    /// In the order they were tried; the last one is where it ended.
    pub stages: Vec<LiveTestStage>,
    /// Why it failed; none when everything passed.
    pub problem: Option<Finding>,
    /// Worth knowing although it passed.
    pub notes: Vec<String>,
    pub took_ms: u64,
}

impl LiveTestReport {
    pub fn passed(&self) -> bool {
        self.problem.is_none()
    }
}

/// One layer of a live test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTestStage {
    /// `DNS`, `TCP`, `TLS`, …
    pub title: String,
    pub passed: bool,
    /// What was seen.
    pub note: String,
}

/// What the app itself says inside the cluster, asked through the API server's pod proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InClusterReport {
    pub answers: Vec<PodAnswer>,
    /// Why there is no (whole) answer.
    pub cannot: Vec<String>,
}

/// One pod's answer on its readiness path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodAnswer {
    pub component: ComponentName,
    pub pod: String,
    /// `/ready`
    pub path: String,
    pub ready: bool,
    /// Status and words, redacted.
    pub said: String,
    /// It was started with values that are not the present ones, so it speaks about those.
    pub stale: bool,
}
