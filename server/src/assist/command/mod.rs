//! What a proposed command line is: parsed, never guessed. Only `kubectl` in the project's namespace,
//! by verbs, kinds and flags on a list, is something that a person can say yes to; all else is denied
//! with the reason. Whoever proposes is not trusted, so what is not recognised is denied, too.

mod flags;
mod kinds;
mod powers;
mod quoting;
#[cfg(test)]
mod tests;
mod values;
mod verbs;

pub use kinds::Kind;
pub use powers::{Gain, gained};
pub use quoting::split;
pub use verbs::{PatchType, Verb};

/// The program, and the only one.
pub const PROGRAM: &str = "kubectl";
/// Under this name approved changes stand in the managed fields; the next deploy takes them back
/// without a conflict.
pub const MANAGER: &str = "slipway-approved";
/// More is no command for a person to read.
const MOST_WORDS: usize = 64;
const LONGEST_WORD: usize = 8 * 1024;

/// An object a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: &'static Kind,
    pub name: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.kind, self.name)
    }
}

/// A command that changes something and may be proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub verb: Verb,
    pub targets: Vec<Target>,
    pub namespace: String,
    /// Flags and values as they were understood, for a person to check.
    pub flags: Vec<String>,
    /// The words after `kubectl`, without a namespace: it is always given by Slipway.
    pub words: Vec<String>,
}

impl Command {
    /// The whole command line as it is run on a context.
    pub fn argv(&self, context: &str) -> Vec<String> {
        let mut argv = vec![
            PROGRAM.to_owned(),
            format!("--context={context}"),
            format!("--namespace={}", self.namespace),
        ];
        argv.extend(self.words.iter().cloned());
        if self.verb.takes_manager() {
            argv.push(format!("--field-manager={MANAGER}"));
        }
        argv
    }
}

/// What a command line is.
#[derive(Clone, Debug, PartialEq)]
pub enum Class {
    /// It only looks, at things that may be looked at; there is nothing to approve.
    Look,
    Change(Command),
}

/// Why a command line is not run, in words that fit after "Denied:".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("there is no command")]
    Empty,
    #[error("it is longer than a person can check")]
    TooLong,
    #[error("it holds {0}, which a person cannot see")]
    Hidden(String),
    #[error("it is more than one command, or a shell would make something else of it ({0})")]
    Compound(String),
    #[error("a quotation mark is not closed")]
    OpenQuote,
    #[error("only kubectl is run, and this is `{0}`")]
    Program(String),
    #[error("`{verb}` {why}")]
    Verb { verb: String, why: &'static str },
    #[error("`{0}` is not a verb on the list")]
    UnknownVerb(String),
    #[error("`{flag}` {why}")]
    Flag { flag: String, why: &'static str },
    #[error("`{0}` is not a flag on the list of this verb")]
    UnknownFlag(String),
    #[error("`{flag}` has no value, or one that makes no sense")]
    FlagValue { flag: String },
    #[error("it goes to the namespace `{0}`; only the project's own can be changed")]
    OtherNamespace(String),
    #[error("{kind} {why}")]
    Kind { kind: String, why: &'static str },
    #[error("`{0}` is not a kind on the list")]
    UnknownKind(String),
    #[error("`{verb}` is not done to {kind}")]
    NotOfKind {
        verb: &'static str,
        kind: &'static str,
    },
    #[error("it names no object; everything of a kind at once is not changed")]
    NoObject,
    #[error("`{0}` is not a name")]
    Name(String),
    #[error("`{0}` makes no sense there")]
    Word(String),
    #[error("{0}")]
    Value(&'static str),
    #[error("the patch is not JSON: {0}")]
    PatchSyntax(String),
}

/// What these words are, for the project's namespace.
pub fn classify(argv: &[String], namespace: &str) -> Result<Class, Denied> {
    if argv.is_empty() {
        return Err(Denied::Empty);
    }
    if argv.len() > MOST_WORDS || argv.iter().any(|word| word.len() > LONGEST_WORD) {
        return Err(Denied::TooLong);
    }
    for word in argv {
        if let Some(hidden) = word.chars().find_map(quoting::hidden) {
            return Err(Denied::Hidden(hidden));
        }
    }
    let (program, rest) = argv.split_first().ok_or(Denied::Empty)?;
    if program != PROGRAM {
        return Err(Denied::Program(program.clone()));
    }
    verbs::classify(rest, namespace)
}

/// The same for one line of text, as models write it.
pub fn classify_line(line: &str, namespace: &str) -> Result<Class, Denied> {
    classify(&split(line)?, namespace)
}

/// The words as one line that a shell reads as exactly these words.
pub fn joined(argv: &[String]) -> String {
    let quoted: Vec<String> = argv.iter().map(|word| quoting::quote(word)).collect();
    quoted.join(" ")
}
