//! `slipway check`: is everything here that the walk needs?

use std::path::Path;

use app::model::{Check, CheckState, Need};

use super::{Stop, print, session};
use crate::cli::CheckArgs;

/// Prints every check; exit code 3 when a required one does not pass.
pub(super) async fn run(args: CheckArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let panel = session::look(&args.target, state_dir)?;
    panel.spawn();
    panel.cluster.start_default().await;
    let checks = panel.setup.check_all().await;
    session::end(&panel).await;
    if args.json {
        let json = serde_json::to_string_pretty(&checks).unwrap_or_default();
        println!("{json}");
    } else {
        for check in &checks {
            println!("{}", print::check(check));
        }
    }
    match checks.iter().all(passes) {
        true => Ok(()),
        false => Err(Stop::Preflight(None)),
    }
}

/// Whether the walk can go on with this check's result.
pub(super) fn passes(check: &Check) -> bool {
    check.need == Need::Optional || matches!(check.state, CheckState::Ok { .. })
}
