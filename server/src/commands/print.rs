//! What the commands print for people: findings, progress lines, checks.

use app::model::{
    Check, CheckState, Finding, NextAction, Outcome, PanelEvent, PanelState, RunId, StageState,
    humanize_ms,
};

/// A finding in words: what, why, what to do, the evidence.
pub(super) fn finding(finding: &Finding) -> String {
    let mut text = format!("{} [{}]\n  {}", finding.what, finding.code, finding.why);
    for action in &finding.next {
        let line = match action {
            NextAction::Open { label, .. } | NextAction::Do { label, .. } => label.clone(),
            NextAction::Command { command, why } => format!("{command}   ({why})"),
            NextAction::Patch { file, patch } => {
                format!("Merge into {file}:\n{}", patch.trim_end())
            }
            NextAction::Advice { text } => text.clone(),
        };
        text.push_str(&format!("\n  -> {line}"));
    }
    for evidence in &finding.evidence {
        text.push_str(&format!("\n  {}:", evidence.source));
        for line in evidence.text.lines() {
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}

/// One check as a line, with its finding below when it did not pass.
pub(super) fn check(check: &Check) -> String {
    match &check.state {
        CheckState::Checking => format!("…  {}: not known in time", check.title),
        CheckState::Ok { evidence } => format!("ok {}: {evidence}", check.title),
        CheckState::Missing { finding: problem } => {
            format!("no {}: {}", check.title, finding(problem))
        }
        CheckState::Broken { finding: problem } => {
            format!("!! {}: {}", check.title, finding(problem))
        }
    }
}

/// The progress line for an event, if it is worth one. `state` is the state after the event.
pub(super) fn progress(event: &PanelEvent, state: &PanelState) -> Option<String> {
    match event {
        PanelEvent::ClusterChosen(Some(cluster)) => Some(format!(
            "Cluster: {} ({})",
            cluster.choice.label(),
            cluster.server
        )),
        PanelEvent::RunStarted(run) if run.is_going() => Some(run.kind.title().to_owned()),
        PanelEvent::RunStage {
            run,
            stage,
            state: to,
        } => stage_line(state, *run, stage, to),
        PanelEvent::RunLog { lines, .. } => Some(
            lines
                .iter()
                .map(|line| format!("    | {}", line.text))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        PanelEvent::RunEnded { run, ending } => {
            let title = state.runs.get(run).map_or("Run", |run| run.kind.title());
            Some(match &ending.outcome {
                Outcome::Succeeded { summary } => format!("{title}: {summary}"),
                Outcome::Failed { finding } => format!("{title} failed: {}", finding.what),
                Outcome::Cancelled => format!("{title} was cancelled"),
                Outcome::Interrupted { what_now } => format!("{title}: {what_now}"),
            })
        }
        _ => None,
    }
}

fn stage_line(state: &PanelState, run: RunId, stage: &str, to: &StageState) -> Option<String> {
    let title = state
        .runs
        .get(&run)?
        .stages
        .iter()
        .find(|known| known.id == stage)?
        .title
        .as_str();
    Some(match to {
        StageState::Running { progress: None, .. } => format!("  .. {title}"),
        StageState::Succeeded { took_ms, note } if note.is_empty() => {
            format!("  ok {title} ({})", humanize_ms(*took_ms))
        }
        StageState::Succeeded { took_ms, note } => {
            format!("  ok {title}: {note} ({})", humanize_ms(*took_ms))
        }
        StageState::Skipped { why } => format!("  -- {title}: {why}"),
        StageState::Failed { finding, .. } => format!("  !! {title}: {}", finding.what),
        StageState::Cancelled => format!("  -- {title}: cancelled"),
        StageState::NotReached { .. } => format!("  -- {title}: not reached"),
        StageState::Pending | StageState::Running { .. } => return None,
    })
}
