//! The lines a page holds: the newest, with counts of everything that is not among them.

use std::collections::VecDeque;

use crate::model::{LogFrame, PodLogLine};

/// More lines than this are not kept by the page.
pub const MOST: usize = 10_000;

/// A line with its place since following began, which is its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub number: u64,
    pub line: PodLogLine,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    rows: VecDeque<Row>,
    next: u64,
    /// Fitted the wish and is not shown: too fast for the page, or too long ago.
    pub left_out: u64,
    /// Every line the server read, wanted or not.
    pub read: u64,
}

impl Ring {
    /// Without lines, for another stream. The numbers go on: a line drawn for one of them is never
    /// taken for another stream's.
    pub fn emptied(&self) -> Self {
        Self {
            next: self.next,
            ..Self::default()
        }
    }

    /// Takes a frame in; true when there is something new to draw.
    pub fn take(&mut self, frame: LogFrame) -> bool {
        let LogFrame::Lines {
            lines,
            skipped,
            read,
        } = frame
        else {
            return false;
        };
        self.left_out += skipped;
        self.read += read;
        for line in lines {
            if self.rows.len() == MOST {
                self.rows.pop_front();
                self.left_out += 1;
            }
            self.rows.push_back(Row {
                number: self.next,
                line,
            });
            self.next += 1;
        }
        true
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number the next line will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The rows in sight: some of them, by their place.
    pub fn slice(&self, from: usize, to: usize) -> Vec<Row> {
        self.rows
            .iter()
            .skip(from)
            .take(to.saturating_sub(from))
            .cloned()
            .collect()
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&row.line.text);
            text.push('\n');
        }
        text
    }
}

/// The parts of a text, each with whether it is what was searched for, in any case of ASCII letters.
pub fn marked(text: &str, wanted: &str) -> Vec<(String, bool)> {
    if wanted.is_empty() {
        return vec![(text.to_owned(), false)];
    }
    // Changes no byte that is not an ASCII letter, so that places fit.
    let (low, wanted) = (text.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(at) = low[from..].find(&wanted) {
        let start = from + at;
        if start > from {
            parts.push((text[from..start].to_owned(), false));
        }
        from = start + wanted.len();
        parts.push((text[start..from].to_owned(), true));
    }
    if from < text.len() {
        parts.push((text[from..].to_owned(), false));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogSource, UnixMillis};

    fn frame(count: usize, skipped: u64) -> LogFrame {
        let line = PodLogLine {
            at: UnixMillis(0),
            source: LogSource {
                pod: "p".into(),
                container: "c".into(),
            },
            level: None,
            text: "x".into(),
            note: false,
        };
        LogFrame::Lines {
            lines: vec![line; count],
            skipped,
            read: count as u64 + skipped,
        }
    }

    #[test]
    fn the_newest_lines_are_kept_and_nothing_is_lost_silently() {
        let mut ring = Ring::default();
        for _ in 0..30 {
            assert!(ring.take(frame(500, 500)));
        }
        assert_eq!(ring.len(), MOST);
        assert_eq!(ring.read, 30_000);
        assert_eq!(ring.left_out + ring.len() as u64, ring.read);
        assert_eq!(ring.slice(0, 1)[0].number, 5_000);
        assert!(!ring.take(LogFrame::Alive { sources: 1 }));
    }

    #[test]
    fn what_was_searched_for_is_marked_wherever_it_stands() {
        let parts = marked("Ärger: ERROR and error", "Error");
        let marked: Vec<&str> = parts
            .iter()
            .filter(|(_, is)| *is)
            .map(|(text, _)| text.as_str())
            .collect();
        assert_eq!(marked, ["ERROR", "error"]);
        let whole: String = parts.into_iter().map(|(text, _)| text).collect();
        assert_eq!(whole, "Ärger: ERROR and error");
        assert_eq!(super::marked("", "x"), []);
    }

    #[test]
    fn the_lines_of_another_stream_have_numbers_of_their_own() {
        let line = PodLogLine {
            at: crate::model::UnixMillis(1),
            source: crate::model::LogSource {
                pod: "p".into(),
                container: "c".into(),
            },
            level: None,
            text: "x".into(),
            note: false,
        };
        let frame = LogFrame::Lines {
            lines: vec![line],
            skipped: 2,
            read: 3,
        };
        let mut before = Ring::default();
        before.take(frame.clone());
        let mut after = before.emptied();
        assert_eq!((after.len(), after.left_out), (0, 0));
        after.take(frame);
        assert_ne!(before.slice(0, 1)[0].number, after.slice(0, 1)[0].number);
    }
}
