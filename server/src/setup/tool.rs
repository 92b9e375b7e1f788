//! Looking at one tool: is it here, does it answer in time, does it answer sensibly.
//! A tool that hangs, fails, prints garbage or never stops printing is broken, not a problem of ours.

use std::path::Path;

use app::model::{CheckState, Finding, NextAction, Subject};
use tokio_util::sync::CancellationToken;

use super::fixes;
use super::machine::OsFamily;
use crate::process::{
    self, Captured, CommandSpec, Ending, SpawnError, Surroundings, strip_escapes,
};

/// A tool to look at.
#[derive(Debug)]
pub struct Tool {
    /// As people call it: `helm`.
    pub name: &'static str,
    /// What it is for, in half a sentence.
    pub adds: &'static str,
    /// Asks for its version.
    pub ask: CommandSpec,
}

/// What its answer means.
#[derive(Debug)]
pub enum Reading {
    /// With the evidence in one line.
    Ok(String),
    /// It answered, and something about that is wrong.
    Wrong(Finding),
    /// Not an answer of this tool.
    Nonsense,
}

/// Runs the tool's question; `read` sees the output whatever the exit code was.
pub async fn look_at(
    tool: &Tool,
    os: OsFamily,
    around: &Surroundings,
    read: impl FnOnce(&Captured) -> Reading,
) -> CheckState {
    let program = tool.ask.program.to_string_lossy();
    let Some(found) = around.find(&program) else {
        return missing(tool, os);
    };
    let ask = around.dress(tool.ask.clone());
    match process::capture(&ask, &CancellationToken::new()).await {
        Err(SpawnError::NotFound { .. }) => missing(tool, os),
        Err(SpawnError::Io { source, .. }) => broken(
            tool,
            os,
            &found,
            format!("It is installed, but starting it failed: {source}."),
            None,
        ),
        Ok(captured) => match read(&captured) {
            Reading::Ok(evidence) => CheckState::Ok { evidence },
            Reading::Wrong(finding) => CheckState::Broken {
                finding: Box::new(finding),
            },
            Reading::Nonsense => nonsense(tool, os, &found, &captured),
        },
    }
}

/// A finding is about a tool, so that two missing tools are two findings.
pub fn about(name: &str) -> Subject {
    Subject::Object {
        kind: "Tool".to_owned(),
        name: name.to_owned(),
    }
}

fn missing(tool: &Tool, os: OsFamily) -> CheckState {
    let mut finding = Finding::new(
        "TOOL_MISSING",
        format!("{} is not installed", tool.name),
        format!("No program of that name is on the PATH. It {}.", tool.adds),
    )
    .attention()
    .about(about(tool.name));
    finding.next = fixes::install(tool.name, os);
    CheckState::Missing {
        finding: Box::new(finding),
    }
}

fn nonsense(tool: &Tool, os: OsFamily, found: &Path, captured: &Captured) -> CheckState {
    let why = match captured.ending {
        Ending::TimedOut { after } => format!(
            "It was asked for its version and did not answer within {} s.",
            after.as_secs()
        ),
        Ending::Exited(0) => {
            "It was asked for its version and answered with something else.".to_owned()
        }
        Ending::Exited(code) => {
            format!("It was asked for its version and ended with exit code {code}.")
        }
        Ending::Signaled(signal) => {
            format!("It was asked for its version and was killed by signal {signal}.")
        }
        Ending::Cancelled { .. } => "The question was cancelled.".to_owned(),
    };
    let said = if captured.stderr.trim().is_empty() {
        &captured.stdout
    } else {
        &captured.stderr
    };
    broken(tool, os, found, why, Some(said))
}

fn broken(tool: &Tool, os: OsFamily, found: &Path, why: String, said: Option<&str>) -> CheckState {
    let mut finding = Finding::new("TOOL_BROKEN", format!("{} does not work", tool.name), why)
        .attention()
        .about(about(tool.name));
    finding = finding.evidence("Found at", found.display().to_string());
    if let Some(said) = said.map(first_lines).filter(|said| !said.is_empty()) {
        finding = finding.evidence(format!("{} said", tool.name), said);
    }
    finding.next = vec![NextAction::advice(format!(
        "Run `{} version` in a terminal to see it fail, and install it again",
        tool.name
    ))];
    finding.next.extend(fixes::install(tool.name, os));
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

/// A few lines of what may be megabytes of anything.
pub fn first_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(3)
        .map(|line| strip_escapes(line).chars().take(200).collect())
        .collect();
    lines.join("\n")
}
