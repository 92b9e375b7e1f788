//! `slipway check`: is everything here that the walk needs?

use std::path::{Path, PathBuf};

use app::model::{AdoptPreview, AdoptWish, Check, CheckState, Finding, Need, Proposal, UnixMillis};
use serde::Serialize;

use super::{Stop, print, session};
use crate::adopt;
use crate::cli::CheckArgs;
use crate::engine::clock;

/// Of the format of `--json`. Grows when something is renamed or removed; what is only added leaves
/// it as it is.
const VERSION: u32 = 2;

/// Prints every check; exit code 3 when a required one does not pass.
pub(super) async fn run(args: CheckArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let opened = session::look(&args.target, state_dir)?;
    if let Some(folder) = opened.unadopted() {
        return no_project(&args, opened.project().err(), folder).await;
    }
    let panel = opened.panel(opened.project()?)?;
    panel.spawn();
    panel.cluster.start_default().await;
    let checks = panel.setup.check_all().await;
    session::end(&panel).await;
    let passed = checks.iter().all(passes);
    if args.json {
        let report = Report {
            version: VERSION,
            passed,
            checks: checks.iter().map(Reported::from).collect(),
            proposal: None,
        };
        print_json(&report);
    } else {
        for check in &checks {
            println!("{}", print::check(check));
        }
    }
    match passed {
        true => Ok(()),
        false => Err(Stop::Preflight(None)),
    }
}

/// The folder is no project: says so, and what it could become. Writes nothing.
async fn no_project(
    args: &CheckArgs,
    finding: Option<Finding>,
    folder: PathBuf,
) -> Result<(), Stop> {
    let looked = tokio::task::spawn_blocking(move || {
        let proposal = adopt::propose(&folder, adopt::Limits::default());
        let wish = AdoptWish {
            draft: proposal.draft.clone(),
            chosen: Vec::new(),
        };
        let preview = adopt::preview(&folder, &wish);
        Proposed { proposal, preview }
    });
    let proposed = looked.await.ok();
    let finding = finding.unwrap_or_else(|| {
        Finding::new(
            "PROJECT_NOT_FOUND",
            "There is no project",
            "slipway.toml has just gone.",
        )
    });
    let checks = [Check {
        id: "project".to_owned(),
        title: "Project".to_owned(),
        need: Need::Required,
        state: CheckState::Missing {
            finding: Box::new(finding),
        },
        checked: clock::now(),
        muted: false,
    }];
    if args.json {
        print_json(&Report {
            version: VERSION,
            passed: false,
            checks: checks.iter().map(Reported::from).collect(),
            proposal: proposed.as_ref(),
        });
    } else {
        println!("{}", print::check(&checks[0]));
        if let Some(proposed) = proposed {
            println!(
                "\nSlipway would propose this slipway.toml:\n\n{}",
                proposed.preview.toml
            );
            for note in &proposed.proposal.notes {
                println!("-- {}: {}", note.source, note.text);
            }
            for offer in &proposed.preview.offers {
                println!("-- It could also write {}: {}", offer.title, offer.why);
            }
        }
    }
    Err(Stop::Preflight(None))
}

fn print_json(report: &Report<'_>) {
    // The model has string keys only, so it always encodes.
    println!(
        "{}",
        serde_json::to_string_pretty(report).unwrap_or_default()
    );
}

/// What a folder without a `slipway.toml` could become.
#[derive(Debug, Serialize)]
struct Proposed {
    #[serde(flatten)]
    proposal: Proposal,
    /// The text of the file, what is still wrong with it, and the files that could be written.
    #[serde(flatten)]
    preview: AdoptPreview,
}

/// What `--json` prints; docs/check-json.md describes it, and a test holds it to that.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u32,
    /// Whether every required check passes: the exit code is 0 then, else 3.
    passed: bool,
    checks: Vec<Reported<'a>>,
    /// Only for a folder that is no project.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<&'a Proposed>,
}

/// A check as scripts like it: flat, with the state as a word.
#[derive(Debug, Serialize)]
struct Reported<'a> {
    id: &'a str,
    title: &'a str,
    need: Need,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a Finding>,
    checked: UnixMillis,
    muted: bool,
}

impl<'a> From<&'a Check> for Reported<'a> {
    fn from(check: &'a Check) -> Self {
        let (state, evidence, finding) = match &check.state {
            CheckState::Checking => ("checking", None, None),
            CheckState::Ok { evidence } => ("ok", Some(evidence.as_str()), None),
            CheckState::Missing { finding } => ("missing", None, Some(finding.as_ref())),
            CheckState::Broken { finding } => ("broken", None, Some(finding.as_ref())),
        };
        Self {
            id: &check.id,
            title: &check.title,
            need: check.need,
            state,
            evidence,
            finding,
            checked: check.checked,
            muted: check.muted,
        }
    }
}

/// Whether the walk can go on with this check's result.
pub(super) fn passes(check: &Check) -> bool {
    check.need == Need::Optional || matches!(check.state, CheckState::Ok { .. })
}
