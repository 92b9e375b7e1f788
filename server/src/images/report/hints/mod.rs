//! What a Dockerfile could do better. Rules have stable codes; where hadolint has the same one, its
//! number is named and its muting comments count as well.

mod base;
mod form;
mod packages;
mod running;
mod shape;

use app::model::{DockerfileHint, HintSeverity, PatchLine};

use super::dockerfile::{Command, Dockerfile, Instruction, Stage};
use super::secret_like::mask;

/// What a rule may know.
#[derive(Debug)]
pub struct View<'a> {
    pub file: &'a Dockerfile,
    pub stages: Vec<Stage<'a>>,
    /// The port the component listens on.
    pub port: u16,
    /// Whether the builder finds an ignore file.
    pub has_ignore_file: bool,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// The hint's code: stable, for the muting comment and the docs.
    pub id: &'static str,
    pub hadolint: Option<&'static str>,
    pub severity: HintSeverity,
    pub why: &'static str,
    find: fn(&View<'_>) -> Vec<Hit>,
}

/// Where a rule applies.
#[derive(Debug)]
pub struct Hit {
    line: u32,
    what: String,
    fix: String,
    patch: Vec<PatchLine>,
}

impl Hit {
    fn at(instruction: &Instruction, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            line: instruction.line,
            what: what.into(),
            fix: fix.into(),
            patch: Vec::new(),
        }
    }

    /// With the first line of the instruction that has `from` written anew.
    fn replacing(mut self, view: &View<'_>, from: &str, to: &str) -> Self {
        let instruction = view
            .file
            .instructions
            .iter()
            .find(|instruction| instruction.line == self.line);
        let last = instruction.map_or(self.line, |instruction| instruction.last_line);
        let lines =
            (self.line..=last).filter_map(|number| view.file.lines.get(number as usize - 1));
        if let Some(line) = lines.into_iter().find(|line| line.contains(from)) {
            self.patch = vec![
                PatchLine::Remove(mask(line)),
                PatchLine::Add(mask(&line.replacen(from, to, 1))),
            ];
        }
        self
    }

    fn adding(mut self, lines: &[&str]) -> Self {
        self.patch = lines
            .iter()
            .map(|line| PatchLine::Add((*line).to_owned()))
            .collect();
        self
    }
}

/// Every rule there is.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        base::RULES,
        packages::RULES,
        form::RULES,
        running::RULES,
        shape::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The hints of a file, worst first, and how many are muted.
pub fn hints(file: &Dockerfile, port: u16, has_ignore_file: bool) -> (Vec<DockerfileHint>, u32) {
    let view = View {
        stages: file.stages(),
        file,
        port,
        has_ignore_file,
    };
    let mut out = Vec::new();
    let mut muted = 0;
    for rule in rules() {
        for hit in (rule.find)(&view) {
            if is_muted(file, rule, hit.line) {
                muted += 1;
                continue;
            }
            out.push(DockerfileHint {
                code: rule.id.to_owned(),
                hadolint: rule.hadolint.map(str::to_owned),
                severity: rule.severity,
                line: hit.line,
                excerpt: excerpt(file, hit.line),
                what: hit.what,
                why: rule.why.to_owned(),
                fix: hit.fix,
                patch: hit.patch,
            });
        }
    }
    out.sort_by(|a, b| (a.severity, a.line, &a.code).cmp(&(b.severity, b.line, &b.code)));
    out.dedup_by(|a, b| a.code == b.code && a.line == b.line);
    (out, muted)
}

fn is_muted(file: &Dockerfile, rule: &Rule, line: u32) -> bool {
    let names = |codes: &std::collections::BTreeSet<String>| {
        codes.contains(rule.id) || rule.hadolint.is_some_and(|number| codes.contains(number))
    };
    names(&file.muted)
        || file
            .instructions
            .iter()
            .any(|one| (one.line..=one.last_line).contains(&line) && names(&one.muted))
}

/// The first line of what the hint is about.
fn excerpt(file: &Dockerfile, line: u32) -> String {
    let masked_env = file
        .instructions
        .iter()
        .find(|one| one.line == line && matches!(one.keyword.as_str(), "ENV" | "ARG"))
        .filter(|one| {
            one.pairs().iter().any(|(name, value)| {
                super::secret_like::is_secret(name, value.as_deref().unwrap_or_default())
            })
        });
    if let Some(instruction) = masked_env {
        // `ENV NAME value` has no sign that the mask could go by.
        let names: Vec<String> = instruction
            .pairs()
            .into_iter()
            .map(|(name, _)| format!("{name}={}", super::secret_like::MASK))
            .collect();
        return format!("{} {}", instruction.keyword, names.join(" "));
    }
    let text = file
        .lines
        .get((line as usize).saturating_sub(1))
        .map_or("", |line| line.trim());
    mask(text)
}

/// All commands of the `RUN`s, each with its instruction.
fn run_commands<'a>(view: &'a View<'_>) -> impl Iterator<Item = (&'a Instruction, Command)> {
    view.file
        .instructions
        .iter()
        .filter(|one| one.is("RUN"))
        .flat_map(|run| {
            run.commands()
                .into_iter()
                .map(move |command| (run, command))
        })
}

#[cfg(test)]
mod tests;
