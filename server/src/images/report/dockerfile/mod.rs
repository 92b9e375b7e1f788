//! A Dockerfile as its instructions: parser directives, comments, continuation lines, heredocs,
//! `ONBUILD` and stages. It never fails: what cannot be understood becomes a problem with its line,
//! and the rest is read on, because a file that is being edited deserves hints too.
//!
//! The rules are those of BuildKit 0.32, `frontend/dockerfile/parser`.

mod shell;
mod words;

use std::collections::BTreeSet;

pub use shell::{Command, commands};
pub use words::{expand, json_list, pairs, words};

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    pub instructions: Vec<Instruction>,
    pub problems: Vec<Problem>,
    /// Hints that are muted in the whole file.
    pub muted: BTreeSet<String>,
    /// The file's lines, for excerpts.
    pub lines: Vec<String>,
}

/// One instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// In capitals.
    pub keyword: String,
    /// The lines it stands on, counted from 1, heredocs included.
    pub line: u32,
    pub last_line: u32,
    /// `--name=value` before the arguments.
    pub flags: Vec<(String, String)>,
    /// The arguments with continuation lines joined.
    pub rest: String,
    pub heredocs: Vec<Heredoc>,
    /// Behind `ONBUILD`: it runs in the builds of others.
    pub on_build: bool,
    /// Hints that are muted for it.
    pub muted: BTreeSet<String>,
    escape: char,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    pub name: String,
    pub body: String,
}

/// Something that is no Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: u32,
    pub what: String,
}

/// A stage: a `FROM` and what follows it.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    pub from: &'a Instruction,
    /// With the defaults of the `ARG`s before the first `FROM` put in.
    pub image: String,
    /// In lower case.
    pub name: Option<String>,
    /// Without the `FROM`.
    pub instructions: &'a [Instruction],
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads a file's text.
pub fn parse(text: &str) -> Dockerfile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut file = Dockerfile {
        lines: text.lines().map(str::to_owned).collect(),
        ..Dockerfile::default()
    };
    let lines = file.lines.clone();
    let escape = directives(&lines);
    let mut muted = BTreeSet::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        if let Some(comment) = line.strip_prefix('#') {
            hear_comment(comment, &mut muted, &mut file.muted);
            at += 1;
            continue;
        }
        if line.is_empty() {
            at += 1;
            continue;
        }
        let first = at;
        let (joined, next) = join(&lines, at, escape);
        at = next;
        let mut instruction = instruction(&joined, escape);
        instruction.line = number(first);
        instruction.muted = std::mem::take(&mut muted);
        for name in heredoc_names(&instruction) {
            let (body, next) = heredoc_body(&lines, at, &name);
            match body {
                Some(body) => {
                    at = next;
                    instruction.heredocs.push(Heredoc {
                        name: name.word,
                        body,
                    });
                }
                None => {
                    // Nothing that follows is an instruction.
                    at = lines.len();
                    file.problems.push(Problem {
                        line: number(first),
                        what: format!("the text after <<{} has no end", name.word),
                    });
                }
            }
        }
        instruction.last_line = number(at.saturating_sub(1)).max(instruction.line);
        if !KEYWORDS.contains(&instruction.keyword.as_str()) {
            file.problems.push(Problem {
                line: instruction.line,
                what: format!("{} is no instruction", instruction.keyword),
            });
        }
        file.instructions.push(instruction);
    }
    let builds = |one: &Instruction| one.keyword == "FROM" && !one.on_build;
    if !file.instructions.iter().any(builds) {
        file.problems.push(Problem {
            line: 1,
            what: "there is no FROM".to_owned(),
        });
    }
    file
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// The escape character, from the directives that may stand before everything else.
fn directives(lines: &[String]) -> char {
    for line in lines {
        let Some(comment) = line.trim().strip_prefix('#') else {
            break;
        };
        let Some((name, value)) = comment.split_once('=') else {
            break;
        };
        let name = name.trim().to_ascii_lowercase();
        if !matches!(name.as_str(), "escape" | "syntax" | "check") {
            break;
        }
        if name == "escape" && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

/// `slipway: ignore CODE, CODE`, `hadolint ignore=DL3006` and the forms for the whole file.
fn hear_comment(comment: &str, here: &mut BTreeSet<String>, everywhere: &mut BTreeSet<String>) {
    let comment = comment.trim();
    let codes = |text: &str| {
        text.split([',', ' ', '\t'])
            .map(str::trim)
            .filter(|code| !code.is_empty())
            .take_while(|code| {
                code.chars()
                    .all(|char| char.is_ascii_alphanumeric() || char == '_')
            })
            .map(str::to_ascii_uppercase)
            .collect::<Vec<_>>()
    };
    if let Some(rest) = comment.strip_prefix("slipway:") {
        let rest = rest.trim();
        if let Some(list) = rest.strip_prefix("ignore-file ") {
            everywhere.extend(codes(list));
        } else if let Some(list) = rest.strip_prefix("ignore ") {
            here.extend(codes(list));
        }
        return;
    }
    let Some(rest) = comment.strip_prefix("hadolint") else {
        return;
    };
    let rest = rest.trim();
    let (rest, target) = match rest.strip_prefix("global") {
        Some(rest) => (rest.trim(), everywhere),
        None => (rest, here),
    };
    if let Some(list) = rest.strip_prefix("ignore")
        && let Some(list) = list.trim().strip_prefix('=')
    {
        target.extend(codes(list));
    }
}

/// A logical line and where the next one begins. Comments and empty lines inside are left out.
fn join(lines: &[String], first: usize, escape: char) -> (String, usize) {
    let mut joined = String::new();
    let mut at = first;
    while at < lines.len() {
        let line = &lines[at];
        let is_left_out = line.trim().is_empty() || line.trim_start().starts_with('#');
        at += 1;
        if is_left_out && at - 1 > first {
            continue;
        }
        let trimmed = line.trim_end();
        match trimmed.strip_suffix(escape) {
            Some(more) => joined.push_str(more),
            None => {
                joined.push_str(line);
                break;
            }
        }
    }
    (joined, at)
}

fn instruction(line: &str, escape: char) -> Instruction {
    let line = line.trim();
    let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let keyword = keyword.to_uppercase();
    if keyword == "ONBUILD" && !rest.trim().is_empty() {
        let mut inner = instruction(rest, escape);
        inner.on_build = true;
        return inner;
    }
    let mut flags = Vec::new();
    let mut rest = rest.trim();
    while let Some(flag) = rest.strip_prefix("--") {
        let end = flag.find(char::is_whitespace).unwrap_or(flag.len());
        let (name, value) = flag[..end].split_once('=').unwrap_or((&flag[..end], ""));
        if name.is_empty() {
            break;
        }
        flags.push((name.to_owned(), value.to_owned()));
        rest = flag[end..].trim_start();
    }
    Instruction {
        keyword,
        flags,
        rest: rest.to_owned(),
        escape,
        ..Instruction::default()
    }
}

struct HeredocName {
    word: String,
    strips_tabs: bool,
}

fn heredoc_names(instruction: &Instruction) -> Vec<HeredocName> {
    if !matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    instruction
        .words()
        .iter()
        .filter_map(|word| {
            let (descriptor, name) = word.split_once("<<")?;
            if !descriptor.chars().all(|char| char.is_ascii_digit()) {
                return None;
            }
            let (name, strips_tabs) = match name.strip_prefix('-') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let word = name.trim_matches(['"', '\'']);
            let is_name = !word.is_empty() && !word.contains(['<', ' ', '(', '$']);
            is_name.then(|| HeredocName {
                word: word.to_owned(),
                strips_tabs,
            })
        })
        .collect()
}

fn heredoc_body(lines: &[String], first: usize, name: &HeredocName) -> (Option<String>, usize) {
    let mut body = String::new();
    for (at, line) in lines.iter().enumerate().skip(first) {
        let line = match name.strips_tabs {
            true => line.trim_start_matches('\t'),
            false => line,
        };
        if line == name.word {
            return (Some(body), at + 1);
        }
        body.push_str(line);
        body.push('\n');
    }
    (None, first)
}

impl Instruction {
    pub fn is(&self, keyword: &str) -> bool {
        self.keyword == keyword && !self.on_build
    }

    /// The whole of it on one line, heredocs left out.
    pub fn text(&self) -> String {
        let mut text = match self.on_build {
            true => format!("ONBUILD {}", self.keyword),
            false => self.keyword.clone(),
        };
        for (name, value) in &self.flags {
            text.push_str(&match value.as_str() {
                "" => format!(" --{name}"),
                value => format!(" --{name}={value}"),
            });
        }
        text.push(' ');
        text.push_str(&self.rest);
        text
    }

    pub fn flag(&self, name: &str) -> Option<&str> {
        let found = self.flags.iter().find(|(flag, _)| flag == name)?;
        Some(&found.1)
    }

    /// The arguments as words, quotes kept.
    pub fn words(&self) -> Vec<String> {
        words(&self.rest, self.escape)
    }

    /// The arguments of the exec form; none when it is the shell form.
    pub fn exec_form(&self) -> Option<Vec<String>> {
        json_list(&self.rest)
    }

    /// Names and values of `ENV`, `LABEL` and `ARG`; an `ARG` without a default has none.
    pub fn pairs(&self) -> Vec<(String, Option<String>)> {
        pairs(&self.rest, self.escape, self.keyword == "ARG")
    }

    /// The shell commands of a `RUN`, `CMD` or `ENTRYPOINT`; a heredoc is read as its script.
    pub fn commands(&self) -> Vec<Command> {
        if let Some(words) = self.exec_form() {
            return vec![Command {
                words,
                ..Command::default()
            }];
        }
        let is_script = self.rest.starts_with("<<");
        let mut all = if is_script {
            Vec::new()
        } else {
            commands(&self.rest)
        };
        if self.keyword == "RUN" {
            for heredoc in &self.heredocs {
                all.extend(commands(&heredoc.body));
            }
        }
        all
    }

    /// Sources and destination of a `COPY` or `ADD`; heredocs and flags left out.
    pub fn paths(&self) -> Option<(Vec<String>, String)> {
        let mut paths = match self.exec_form() {
            Some(paths) => paths,
            None => self
                .words()
                .iter()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect(),
        };
        let destination = paths.pop()?;
        paths.retain(|path| !path.contains("<<"));
        Some((paths, destination))
    }
}

impl Dockerfile {
    /// The stages, in order.
    pub fn stages(&self) -> Vec<Stage<'_>> {
        let is_from = |one: &Instruction| one.is("FROM");
        let starts: Vec<usize> = (0..self.instructions.len())
            .filter(|at| is_from(&self.instructions[*at]))
            .collect();
        let before = &self.instructions[..starts.first().copied().unwrap_or(0)];
        let defaults: Vec<(String, Option<String>)> = before
            .iter()
            .filter(|one| one.is("ARG"))
            .flat_map(Instruction::pairs)
            .collect();
        starts
            .iter()
            .enumerate()
            .map(|(nth, &at)| {
                let end = starts
                    .get(nth + 1)
                    .copied()
                    .unwrap_or(self.instructions.len());
                let from = &self.instructions[at];
                let words = from.words();
                let name = match words.get(1) {
                    Some(word) if word.eq_ignore_ascii_case("as") => {
                        words.get(2).map(|name| name.to_lowercase())
                    }
                    _ => None,
                };
                Stage {
                    from,
                    image: expand(words.first().map_or("", String::as_str), &defaults),
                    name,
                    instructions: &self.instructions[at + 1..end],
                }
            })
            .collect()
    }

    /// The last stage with those it is built upon, the last one first: what ends up in the image.
    pub fn final_chain(&self) -> Vec<Stage<'_>> {
        let stages = self.stages();
        let mut chain = Vec::new();
        let mut next = stages.len().checked_sub(1);
        while let Some(at) = next {
            let stage = stages[at].clone();
            // Only an earlier stage can be meant.
            next = stages[..at]
                .iter()
                .position(|earlier| earlier.name.as_deref() == Some(&stage.image.to_lowercase()));
            chain.push(stage);
        }
        chain
    }

    /// The last instruction of this kind that ends up in the image.
    pub fn last(&self, keyword: &str) -> Option<&Instruction> {
        self.final_chain().iter().find_map(|stage| {
            stage
                .instructions
                .iter()
                .rev()
                .find(|instruction| instruction.is(keyword))
        })
    }
}

#[cfg(test)]
mod tests;
