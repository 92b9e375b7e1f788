//! `slipway down`: removes what Slipway deployed, after asking.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use app::model::{Finding, NextAction, Outcome, PlannedObject, ReleaseWish};
use app::ports::Releases;
use tokio_util::sync::CancellationToken;

use super::{Stop, session, signals, up};
use crate::cli::DownArgs;
use crate::deploy::DownScope;
use crate::panel::Panel;

/// Removes what the deploys applied; claimed volumes and entered secrets stay.
pub(super) async fn run(args: DownArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let interrupted = signals::watch().map_err(|error| up::no_signals(&error))?;
    let panel = session::open(&args.target, state_dir)?;
    panel.spawn();
    let result = tokio::select! {
        result = remove(&panel, args.yes, &interrupted) => result,
        () = interrupted.cancelled() => Err(Stop::Interrupted),
    };
    session::end(&panel).await;
    result
}

async fn remove(panel: &Panel, yes: bool, interrupted: &CancellationToken) -> Result<(), Stop> {
    panel.cluster.start_default().await;
    let connected = panel.cluster.connected()?;
    let uninstalled = uninstall(panel, yes, interrupted).await?;
    let doomed = panel.deploys.plan_down(DownScope::Applied).await?;
    if doomed.is_empty() && uninstalled {
        return Ok(());
    }
    if doomed.is_empty() {
        println!(
            "Nothing of this project is deployed on {}.",
            connected.choice.label()
        );
        return Ok(());
    }
    println!("To be removed from {}:", connected.choice.label());
    for object in &doomed {
        println!("  {}", describe(object));
    }
    if !yes && !confirmed(doomed.len()).await? {
        println!("Nothing was removed.");
        return Ok(());
    }
    if interrupted.is_cancelled() {
        return Err(Stop::Interrupted);
    }
    let run = panel.deploys.run_down(DownScope::Applied).await?;
    match panel.core.runs.wait(run).await {
        Outcome::Succeeded { summary } => {
            println!("{summary}");
            Ok(())
        }
        other => Err(up::stop_of(other)),
    }
}

/// Uninstalls the project's Helm release, if it has one. Whether there was one.
async fn uninstall(
    panel: &Panel,
    yes: bool,
    interrupted: &CancellationToken,
) -> Result<bool, Stop> {
    if panel.project.spec().deploy.chart.is_none() {
        return Ok(false);
    }
    let hub = &panel.core.hub;
    hub.until(|state| state.helm.release.is_some()).await;
    let release = hub.read(|state| state.helm.release.clone());
    let Some(release) = release.filter(app::model::ReleaseView::is_there) else {
        return Ok(false);
    };
    let wish = ReleaseWish::Uninstall {
        keep_history: false,
    };
    let plan = panel.releases.plan(wish.clone()).await?;
    println!("The Helm release {} is to be uninstalled:", release.name);
    for object in &plan.plan.objects {
        println!("  {}", describe(object));
    }
    for kept in &plan.kept {
        println!("Stays: {kept}");
    }
    if !yes && !confirmed(plan.plan.objects.len()).await? {
        println!("Nothing was removed.");
        return Ok(true);
    }
    if interrupted.is_cancelled() {
        return Err(Stop::Interrupted);
    }
    let run = panel.releases.carry_out(wish, plan.plan.hash).await?;
    match panel.core.runs.wait(run).await {
        Outcome::Succeeded { summary } => {
            println!("{summary}");
            Ok(true)
        }
        other => Err(up::stop_of(other)),
    }
}

fn describe(object: &PlannedObject) -> String {
    if object.namespace.is_empty() {
        format!("{} {}", object.kind, object.name)
    } else {
        format!("{} {} in {}", object.kind, object.name, object.namespace)
    }
}

/// Asks the person at the terminal; without one, the answer must be on the command line.
async fn confirmed(count: usize) -> Result<bool, Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Finding::new(
            "NOT_CONFIRMED",
            "Nothing was removed",
            "Removing needs a yes, and there is no terminal to ask at.",
        )
        .next(NextAction::Command {
            command: "slipway down --yes".to_owned(),
            why: "Says yes beforehand".to_owned(),
        })
        .into());
    }
    Ok(says_yes(&format!("Remove these {count} objects? [y/N] ")).await)
}

/// Asks on the terminal; anything but a yes is a no.
pub(super) async fn says_yes(question: &str) -> bool {
    eprint!("{question}");
    let _ = std::io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    })
    .await;
    let line = answer.ok().and_then(Result::ok).unwrap_or_default();
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
