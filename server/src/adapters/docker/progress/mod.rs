//! What a build's output says about its steps. Three builders, three formats, one tree of steps:
//! BuildKit's raw JSON and plain text, and the classic builder's text.

mod classic;
mod plain;
mod rawjson;
mod steps;

pub use steps::{FailedStep, Steps};

use app::model::UnixMillis;

use crate::process::{Lines, Pipe};

/// The format of a build's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    RawJson,
    Plain,
    Classic,
}

/// A raw JSON message holds a piece of the log, base64-encoded, and may be long; a longer one is
/// shown as the text it is.
const LONGEST: usize = 4 * 1024 * 1024;

/// Reads a build's output as it comes, in chunks of any size.
#[derive(Debug)]
pub struct ProgressReader {
    stdout: Lines,
    stderr: Lines,
    parser: Parser,
    steps: Steps,
}

#[derive(Debug)]
enum Parser {
    RawJson(rawjson::RawJson),
    Plain,
    Classic(classic::Classic),
}

impl ProgressReader {
    pub fn new(format: Format) -> Self {
        Self {
            stdout: Lines::up_to(LONGEST),
            stderr: Lines::up_to(LONGEST),
            parser: match format {
                Format::RawJson => Parser::RawJson(rawjson::RawJson::default()),
                Format::Plain => Parser::Plain,
                Format::Classic => Parser::Classic(classic::Classic::default()),
            },
            steps: Steps::default(),
        }
    }

    /// Takes in some bytes of one of the two outputs; lines for the log go to `say`.
    pub fn push(&mut self, pipe: Pipe, bytes: &[u8], now: UnixMillis, mut say: impl FnMut(&str)) {
        let Self {
            stdout,
            stderr,
            parser,
            steps,
        } = self;
        let lines = match pipe {
            Pipe::Stdout => stdout,
            Pipe::Stderr => stderr,
        };
        lines.push(bytes, |line| parser.hear(line, steps, now, &mut say));
    }

    /// After the last byte: what stands there without a line break is read as well.
    pub fn finish(&mut self, now: UnixMillis, mut say: impl FnMut(&str)) {
        for lines in [&mut self.stdout, &mut self.stderr] {
            let (parser, steps) = (&mut self.parser, &mut self.steps);
            std::mem::take(lines).finish(|line| parser.hear(line, steps, now, &mut say));
        }
        if let Parser::RawJson(parser) = &mut self.parser {
            parser.finish(&mut self.steps, &mut say);
        }
    }

    pub fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }
}

impl Parser {
    fn hear(&mut self, line: &str, steps: &mut Steps, now: UnixMillis, say: &mut dyn FnMut(&str)) {
        match self {
            Self::RawJson(parser) => parser.hear(line, steps, now, say),
            Self::Plain => plain::hear(line, steps, now, say),
            Self::Classic(parser) => parser.hear(line, steps, now, say),
        }
    }
}

#[cfg(test)]
mod tests;
