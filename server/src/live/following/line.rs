//! From the bytes of a log to a line that can be shown: its time, plain, redacted and bounded.

use app::model::{LogSource, LogWish, PodLogLine, UnixMillis};
use jiff::Timestamp;

use super::level::level_of;
use crate::engine::Redactor;
use crate::process::strip_escapes;

/// A longer line is cut: nobody reads it in a list, and a page has to hold thousands.
pub const LONGEST: usize = 8 * 1024;

/// A line with the runtime's time in front, as the API gives it with `timestamps=true`.
#[derive(Debug, PartialEq, Eq)]
pub struct Stamped<'a> {
    pub at: Option<Timestamp>,
    pub text: &'a str,
}

impl<'a> Stamped<'a> {
    pub fn parse(line: &'a str) -> Self {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        match stamp.parse() {
            Ok(at) => Self { at: Some(at), text },
            // Some runtimes leave it out for a line that has none.
            Err(_) => Self {
                at: None,
                text: line,
            },
        }
    }
}

/// Knows which lines are wanted and how they are shown.
#[derive(Clone)]
pub struct Sieve {
    text: String,
    level: Option<app::model::LogLevel>,
    redactor: Redactor,
}

impl Sieve {
    pub fn new(wish: &LogWish, redactor: Redactor) -> Self {
        Self {
            text: wish.text.to_lowercase(),
            level: wish.level,
            redactor,
        }
    }

    /// Words about a container, without what must not be seen.
    pub fn hide(&self, text: &str) -> String {
        visible(&self.redactor.redact(&strip_escapes(text)))
    }

    /// The line as it is shown; none when it does not fit the wish. What is searched is what is
    /// shown, so that no search can find out a hidden value.
    pub fn take(&self, source: &LogSource, line: &Stamped<'_>) -> Option<PodLogLine> {
        let plain = strip_escapes(line.text);
        let shown = self.redactor.redact(&plain);
        let level = level_of(&shown);
        if self
            .level
            .is_some_and(|wanted| level.is_none_or(|level| level > wanted))
        {
            return None;
        }
        if !self.text.is_empty() && !shown.to_lowercase().contains(&self.text) {
            return None;
        }
        Some(PodLogLine {
            at: UnixMillis(line.at.map_or(0, Timestamp::as_millisecond)),
            source: source.clone(),
            level,
            text: visible(&shown),
            note: false,
        })
    }
}

/// Characters that turn or hide the text around them are shown as what they are.
fn visible(text: &str) -> String {
    let is_odd = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if !text.contains(is_odd) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if is_odd(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use app::model::LogLevel;

    use super::*;

    fn sieve(text: &str, level: Option<LogLevel>) -> Sieve {
        let redactor = Redactor::default();
        redactor.learn("hunter2-hunter2");
        let wish = LogWish {
            text: text.into(),
            level,
            ..LogWish::default()
        };
        Sieve::new(&wish, redactor)
    }

    fn take(sieve: &Sieve, line: &str) -> Option<String> {
        let source = LogSource {
            pod: "p".into(),
            container: "c".into(),
        };
        sieve
            .take(&source, &Stamped::parse(line))
            .map(|line| line.text)
    }

    #[test]
    fn a_line_is_told_from_its_time() {
        let stamped = Stamped::parse("2026-01-02T03:04:05.678901234Z hello there");
        assert_eq!(stamped.text, "hello there");
        assert_eq!(
            stamped.at.map(|at| at.as_nanosecond() % 1_000_000_000),
            Some(678_901_234)
        );
        assert_eq!(Stamped::parse("no time").text, "no time");
        assert_eq!(Stamped::parse("2026-01-02T03:04:05Z").text, "");
    }

    #[test]
    fn what_is_shown_is_plain_and_hides_values_and_turned_text() {
        let all = sieve("", None);
        assert_eq!(
            take(&all, "\u{1b}[31mred\u{1b}[0m \u{202e}key=hunter2-hunter2").as_deref(),
            Some("red \u{fffd}key=•••")
        );
    }

    #[test]
    fn a_search_cannot_find_out_what_is_hidden() {
        assert_eq!(take(&sieve("hunter2", None), "key=hunter2-hunter2"), None);
        assert!(take(&sieve("KEY=", None), "key=hunter2-hunter2").is_some());
    }

    #[test]
    fn a_level_lets_the_same_and_worse_through() {
        let warn = sieve("", Some(LogLevel::Warn));
        assert!(take(&warn, "ERROR a").is_some() && take(&warn, "WARN a").is_some());
        assert!(take(&warn, "INFO a").is_none() && take(&warn, "no level").is_none());
    }
}
