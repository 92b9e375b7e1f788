//! `slipway check`: is everything here that the walk needs?

use std::path::Path;

use app::model::{Check, CheckState, Need};
use serde::Serialize;

use super::{Stop, print, session};
use crate::cli::CheckArgs;

/// Prints every check; exit code 3 when a required one does not pass.
pub(super) async fn run(args: CheckArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let panel = session::look(&args.target, state_dir)?;
    panel.spawn();
    panel.cluster.start_default().await;
    let checks = panel.setup.check_all().await;
    session::end(&panel).await;
    let passed = checks.iter().all(passes);
    if args.json {
        let report = Report {
            version: 1,
            passed,
            checks: &checks,
        };
        // The model has string keys only, so it always encodes.
        let json = serde_json::to_string_pretty(&report).unwrap_or_default();
        println!("{json}");
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

/// What `--json` prints; docs/check-json.md describes it, and a test holds it to that.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Grows when something is renamed or removed; what is only added leaves it as it is.
    version: u32,
    /// Whether every required check passes: the exit code is 0 then, else 3.
    passed: bool,
    checks: &'a [Check],
}

/// Whether the walk can go on with this check's result.
pub(super) fn passes(check: &Check) -> bool {
    check.need == Need::Optional || matches!(check.state, CheckState::Ok { .. })
}
