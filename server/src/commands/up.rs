//! `slipway up`: the whole walk without a browser, with the same rooms.

use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use app::model::{
    Change, ClusterChoice, DeployPlan, Finding, Outcome, PanelState, PlanChoices, Rebuild,
    ReleaseView, ReleaseWish, RunId, SecretInput, SecretKind, SecretState, Severity, StepId,
    StepState, humanize_ms,
};
use app::ports::{Deploys, Images, Releases, Secrets};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Stop, check, print, secrets_from, session, signals};
use crate::cli::{UpArgs, Via};
use crate::engine::hub::Delivery;
use crate::engine::{Core, Hub};
use crate::panel::Panel;

/// How long a finding must stand before it ends the wait for a healthy app.
const FINDING_STANDS: Duration = Duration::from_secs(20);

/// Takes the project to a healthy app, or says what stands in the way.
pub(super) async fn run(args: UpArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let interrupted = signals::watch().map_err(|error| no_signals(&error))?;
    let panel = session::open(&args.target, state_dir)?;
    let printed = CancellationToken::new();
    let printer = tokio::spawn(print_events(panel.core.clone(), args.json, printed.clone()));
    panel.spawn();
    let started = Instant::now();
    let mut result = tokio::select! {
        result = walk(&panel, &args) => result,
        () = interrupted.cancelled() => Err(Stop::Interrupted),
        () = tokio::time::sleep(args.timeout) => Err(timed_out(&panel, args.timeout).into()),
    };
    if result.is_ok() {
        say(args.json, &summary(&panel, started.elapsed()));
        if args.stay {
            interrupted.cancelled().await;
        }
    } else if let Err(Stop::Failed(finding)) = &mut result {
        finding.why = panel.core.redactor.redact(&finding.why).into_owned();
    }
    session::end(&panel).await;
    printed.cancel();
    let _ = printer.await;
    result
}

async fn walk(panel: &Panel, args: &UpArgs) -> Result<(), Stop> {
    panel.cluster.start_default().await;
    let connected = panel
        .cluster
        .connected()
        .map_err(|failure| match Stop::from(failure) {
            Stop::Failed(finding) => Stop::Preflight(Some(finding)),
            other => other,
        })?;
    let checks = panel.setup.check_all().await;
    let failed: Vec<_> = checks
        .iter()
        .filter(|found| !check::passes(found))
        .collect();
    if !failed.is_empty() {
        for found in failed {
            eprintln!("{}", print::check(found));
        }
        return Err(Stop::Preflight(None));
    }
    enter_secrets(panel, args, connected.choice == ClusterChoice::Practice).await?;
    finish(
        panel,
        panel.images.build(Vec::new(), Rebuild::IfChanged).await?,
    )
    .await?;
    deploy(panel, args.via, args.prune).await?;
    healthy(&panel.core.hub).await
}

/// By what was asked for; else by what the project was deployed with before, else by what it has.
async fn deploy(panel: &Panel, asked: Option<Via>, prune: bool) -> Result<(), Stop> {
    let hub = &panel.core.hub;
    let spec = panel.project.spec();
    let via = match asked {
        Some(via) => via,
        None if spec.deploy.chart.is_none() => Via::Raw,
        None => {
            hub.until(|state| state.helm.release.is_some()).await;
            let is_there = hub.read(|state| {
                let release = state.helm.release.as_ref();
                release.is_some_and(ReleaseView::is_there)
            });
            match is_there || spec.deploy.manifests.is_empty() {
                true => Via::Helm,
                false => Via::Raw,
            }
        }
    };
    let run = match via {
        Via::Raw => {
            let plan = panel.deploys.plan(PlanChoices::default()).await?;
            let prune = prune || deletes_with_a_yes(&plan).await;
            panel.deploys.deploy(plan.hash, prune).await?
        }
        Via::Helm => {
            // The plan counts the revisions it has seen.
            hub.until(|state| state.helm.release.is_some()).await;
            let wish = ReleaseWish::Deploy {
                edits: Vec::new(),
                adopt: false,
                force: false,
            };
            let plan = panel.releases.plan(wish.clone()).await?;
            panel.releases.carry_out(wish, plan.plan.hash).await?
        }
    };
    finish(panel, run).await
}

/// Asks on the terminal whether objects may be deleted; without one the answer is no, and the deploy
/// says what that means.
async fn deletes_with_a_yes(plan: &DeployPlan) -> bool {
    let doomed: Vec<String> = plan
        .objects
        .iter()
        .filter(|object| object.change == Change::Delete)
        .map(|object| format!("  {} {}", object.kind, object.name))
        .collect();
    if doomed.is_empty() || !std::io::stdin().is_terminal() {
        return false;
    }
    eprintln!("No longer in the manifests:\n{}", doomed.join("\n"));
    super::down::says_yes(&format!("Delete these {} objects? [y/N] ", doomed.len())).await
}

/// Puts the given values into the cluster, makes the random ones and rehearses with the harmless ones.
async fn enter_secrets(panel: &Panel, args: &UpArgs, is_practice: bool) -> Result<(), Stop> {
    let hub = &panel.core.hub;
    let has_none = panel.project.spec().secrets.is_empty();
    hub.until(|state| {
        let is_known =
            |known: &app::model::SecretView| !matches!(known.state, SecretState::Unknown { .. });
        has_none || (!state.secrets.is_empty() && state.secrets.iter().all(is_known))
    })
    .await;
    let secrets = hub.read(|state| state.secrets.clone());
    let values = secrets_from::read(args.secrets_from.as_deref(), &secrets)?;
    let mut missing = Vec::new();
    for secret in &secrets {
        let key = secret.key.clone();
        if let Some(value) = values.get(&key) {
            let value = SecretInput(value.as_str().to_owned());
            panel.secrets.set(key, value).await?;
        } else if secret.state.is_set() {
            continue;
        } else if matches!(secret.kind, SecretKind::Random { .. }) {
            panel.secrets.generate(key).await?;
        } else if let Some(rehearsal) = secret.rehearsal.clone().filter(|_| is_practice) {
            panel.secrets.set(key, SecretInput(rehearsal)).await?;
        } else if secret.required {
            missing.push(key.to_string());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Finding::new(
        "SECRETS_MISSING",
        "Secrets are missing",
        format!("The cluster has no value for {}.", missing.join(", ")),
    )
    .next(app::model::NextAction::Command {
        command: "slipway up --secrets-from env".to_owned(),
        why: "Takes the values from environment variables of the same names".to_owned(),
    })
    .into())
}

async fn finish(panel: &Panel, run: RunId) -> Result<(), Stop> {
    match panel.core.runs.wait(run).await {
        Outcome::Succeeded { .. } => Ok(()),
        other => Err(stop_of(other)),
    }
}

/// What a run that did not succeed means for the command.
pub(super) fn stop_of(outcome: Outcome) -> Stop {
    match outcome {
        Outcome::Failed { finding } => Stop::Failed(finding),
        Outcome::Interrupted { what_now } => {
            Finding::new("RUN_INTERRUPTED", "The run was broken off", what_now).into()
        }
        Outcome::Cancelled | Outcome::Succeeded { .. } => Stop::Interrupted,
    }
}

/// Waits for the live proof: every pod ready, and nothing found wrong.
async fn healthy(hub: &Hub) -> Result<(), Stop> {
    let is_live = |state: &PanelState| {
        [StepId::Live, StepId::Deploy]
            .iter()
            .all(|step| state.steps.get(step).is_some_and(StepState::is_done))
    };
    let broken = |state: &PanelState| {
        state
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Failed)
            .cloned()
    };
    loop {
        hub.until(|state| is_live(state) || broken(state).is_some())
            .await;
        let Some(finding) = hub.read(broken) else {
            return Ok(());
        };
        // A start has hiccups: only what lasts is the answer.
        let key = finding.key();
        let gone = hub.until(|state| broken(state).is_none_or(|other| other.key() != key));
        if tokio::time::timeout(FINDING_STANDS, gone).await.is_err() {
            return Err(finding.into());
        }
    }
}

async fn print_events(core: Core, json: bool, stop: CancellationToken) {
    let mut subscription = core.hub.subscribe();
    loop {
        let delivery = tokio::select! {
            biased;
            delivery = subscription.next() => delivery,
            () = stop.cancelled() => return,
        };
        // The first snapshot is what was before; a later one stands for progress that was missed.
        let Delivery::Event(published) = delivery else {
            continue;
        };
        let line = if json {
            serde_json::to_string(&published.event).ok()
        } else {
            core.hub
                .read(|state| print::progress(&published.event, state))
        };
        if let Some(line) = line {
            put_line(&line);
        }
    }
}

/// Nobody reading is no reason to stop working.
fn put_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn say(json: bool, text: &str) {
    if json {
        eprintln!("{text}");
    } else {
        put_line(text);
    }
}

fn summary(panel: &Panel, took: Duration) -> String {
    let took = humanize_ms(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let urls: Vec<String> = panel.core.hub.read(|state| {
        state
            .components
            .values()
            .filter_map(|component| component.service.as_ref()?.open_url.clone())
            .collect()
    });
    match urls.is_empty() {
        true => format!("Healthy after {took}."),
        false => format!("Healthy after {took}. Open {}", urls.join(" ")),
    }
}

fn timed_out(panel: &Panel, after: Duration) -> Finding {
    let after = humanize_ms(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let (where_at, worst) = panel.core.hub.read(|state| {
        let unfinished = StepId::ALL
            .into_iter()
            .find(|step| !state.steps.get(step).is_some_and(StepState::is_done));
        (unfinished, state.findings.first().cloned())
    });
    let mut finding = Finding::new(
        "TIMED_OUT",
        "The app is not healthy yet",
        format!(
            "After {after} the walk stood at {}.",
            where_at.map_or("its end", StepId::title)
        ),
    );
    if let Some(worst) = worst {
        finding = finding.evidence("Diagnosis", format!("{}: {}", worst.what, worst.why));
    }
    finding.next(app::model::NextAction::Command {
        command: "slipway up --timeout 30m".to_owned(),
        why: "Goes on from there and waits longer".to_owned(),
    })
}

/// The system does not let us listen to signals.
pub(super) fn no_signals(error: &std::io::Error) -> Finding {
    Finding::new(
        "SYSTEM_REFUSED",
        "Slipway cannot start",
        format!("{error}."),
    )
}
