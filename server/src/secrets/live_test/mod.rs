//! Tries a secret out for real, layer by layer, and says at which one it fails and why.
//! No part of the value is in anything that leaves here, not even the host's name: of a value that
//! is not what it should be, nobody knows which part is the secret one.

mod dial;
mod http;
mod openai;
mod postgres;
mod scrub;
mod tls;
mod url_get;
mod words;

use std::time::Duration;

use app::model::{Finding, LiveTestReport, LiveTestStage};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use openai::OpenAiTarget;
use scrub::Scrub;

/// However many layers there are, this is the longest a test takes.
const WHOLE_LIMIT: Duration = Duration::from_secs(30);

/// What to try a value on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Postgres,
    OpenAi(OpenAiTarget),
    Url,
}

/// Runs the test; `stop` ends it at once.
pub async fn run(target: &Target, value: &str, stop: &CancellationToken) -> LiveTestReport {
    let begun = Instant::now();
    let mut steps = Steps::new(value);
    let test = async {
        match target {
            Target::Postgres => postgres::test(value, &mut steps).await,
            Target::OpenAi(api) => openai::test(api, value, &mut steps).await,
            Target::Url => url_get::test(value, &mut steps).await,
        }
    };
    let result = tokio::select! {
        result = tokio::time::timeout(WHOLE_LIMIT, test) => result.unwrap_or_else(|_| Err(words::too_slow())),
        () = stop.cancelled() => Err(words::stopped()),
    };
    steps.report(result.err(), begun.elapsed())
}

/// What was found so far.
struct Steps {
    stages: Vec<LiveTestStage>,
    notes: Vec<String>,
    scrub: Scrub,
}

impl Steps {
    fn new(value: &str) -> Self {
        Self {
            stages: Vec::new(),
            notes: Vec::new(),
            scrub: Scrub::of(value),
        }
    }

    fn pass(&mut self, title: &str, note: impl Into<String>) {
        self.add(title, true, note.into());
    }

    /// The layer where it ended; gives the reason back.
    fn fail(&mut self, title: &str, finding: Finding) -> Finding {
        self.add(title, false, finding.what.clone());
        finding
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn add(&mut self, title: &str, passed: bool, note: String) {
        self.stages.push(LiveTestStage {
            title: title.to_owned(),
            passed,
            note,
        });
    }

    fn report(self, problem: Option<Finding>, took: Duration) -> LiveTestReport {
        let scrub = &self.scrub;
        let clean = |text: String| scrub.clean(&text);
        LiveTestReport {
            stages: self
                .stages
                .into_iter()
                .map(|stage| LiveTestStage {
                    note: clean(stage.note),
                    ..stage
                })
                .collect(),
            problem: problem.map(|mut finding| {
                for evidence in &mut finding.evidence {
                    evidence.text = clean(std::mem::take(&mut evidence.text));
                }
                finding
            }),
            notes: self.notes.into_iter().map(clean).collect(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A part of the time for one layer; past it, `slow` says which one did not answer.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Finding>>,
    slow: impl FnOnce() -> Finding,
) -> Result<T, Finding> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(slow()))
}
