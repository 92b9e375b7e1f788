//! Looking for something in the whole log of a run.

use serde::{Deserialize, Serialize};

use super::LogLine;

/// Which lines of a log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuestion {
    /// In any case of letters; empty: every line fits.
    pub text: String,
    /// Only of stages that begin with this, such as `backend/`; empty: of all.
    pub stage: String,
    /// From this line number on (0-based).
    pub from: u64,
}

/// The first lines that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    pub lines: Vec<NumberedLine>,
    /// Where the next page begins; none when nothing more fits.
    pub next: Option<u64>,
}

/// A line with its place in the whole log, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedLine {
    pub number: u64,
    pub line: LogLine,
}
