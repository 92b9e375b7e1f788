//! A terminal as a page shows it: the rows of its screen with what has scrolled away, as styled text.
//! The server emulates and redacts; a page gets the whole once, and then the rows that differ. Both
//! sides fold with the same code.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Finding, LogSource, UnixMillis};

/// Rows that are kept of what has scrolled away.
pub const SCROLLBACK: usize = 1_000;
/// The sizes a terminal may have.
pub const COLUMNS: std::ops::RangeInclusive<u16> = 20..=400;
pub const ROWS: std::ops::RangeInclusive<u16> = 4..=200;

/// One session; a new one in the same place has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TerminalId(pub u64);

/// What runs in a terminal. There is one session of each at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalPlace {
    /// A shell in a container of the project's namespace.
    Shell { source: LogSource },
    /// `docker ai` on this machine, with a text a person has seen.
    Gordon,
}

/// What can be typed or pasted at once, in bytes.
pub const LONGEST_INPUT: usize = 64 * 1024;

/// What a person typed, as the bytes a terminal sends. It prints nothing: passwords are typed, too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypedText(pub String);

impl fmt::Debug for TypedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedText(…)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    pub columns: u16,
    pub rows: u16,
}

impl TerminalSize {
    /// The next one that is allowed.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            columns: self.columns.clamp(*COLUMNS.start(), *COLUMNS.end()),
            rows: self.rows.clamp(*ROWS.start(), *ROWS.end()),
        }
    }
}

impl Default for TerminalSize {
    /// What every program expects that was told nothing.
    fn default() -> Self {
        Self {
            columns: 80,
            rows: 24,
        }
    }
}

/// A session with everything a page needs to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    pub id: TerminalId,
    pub began: UnixMillis,
    pub screen: TerminalScreen,
    /// None while it goes on.
    pub ending: Option<TerminalEnding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalEnding {
    pub at: UnixMillis,
    pub how: TerminalEnd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalEnd {
    /// The program ended by itself.
    Exited {
        code: i32,
    },
    /// Slipway closed it; a sentence says why.
    Closed {
        why: String,
    },
    Failed {
        finding: Box<Finding>,
    },
}

impl TerminalEnd {
    /// As a sentence without a period.
    pub fn words(&self) -> String {
        match self {
            Self::Exited { code } => format!("It ended with exit code {code}"),
            Self::Closed { why } => why.clone(),
            Self::Failed { finding } => finding.what.clone(),
        }
    }
}

/// What is seen. Rows have numbers that stay theirs when they scroll away: `first` is the oldest that
/// is kept, `top` the first on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalScreen {
    pub size: TerminalSize,
    pub first: u64,
    pub top: u64,
    pub lines: VecDeque<TerminalLine>,
    pub cursor: Option<TerminalCursor>,
    pub modes: TerminalModes,
}

impl TerminalScreen {
    /// An empty one.
    pub fn new(size: TerminalSize) -> Self {
        Self {
            size,
            first: 0,
            top: 0,
            lines: vec![TerminalLine::default(); usize::from(size.rows)].into(),
            cursor: Some(TerminalCursor::default()),
            modes: TerminalModes::default(),
        }
    }

    /// The row with this number, if it is kept.
    pub fn line(&self, number: u64) -> Option<&TerminalLine> {
        let at = number.checked_sub(self.first)?;
        self.lines.get(usize::try_from(at).ok()?)
    }

    /// Folds an update in.
    pub fn apply(&mut self, update: ScreenUpdate) {
        let gone = update.first.saturating_sub(self.first);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX);
        self.lines.drain(..gone.min(self.lines.len()));
        self.first = update.first;
        self.top = update.top;
        let length = self.top.saturating_sub(self.first) + u64::from(self.size.rows);
        // Both come from the same side; a length that no screen has is none.
        let most = SCROLLBACK + usize::from(*ROWS.end());
        let length = usize::try_from(length).unwrap_or(most).min(most);
        self.lines.resize(length, TerminalLine::default());
        for (number, line) in update.changed {
            let at = number
                .checked_sub(self.first)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(place) = at.and_then(|at| self.lines.get_mut(at)) {
                *place = line;
            }
        }
        self.cursor = update.cursor;
        self.modes = update.modes;
    }

    /// The update without the rows that are as they were; none when nothing differs.
    pub fn reduce(&self, mut update: ScreenUpdate) -> Option<ScreenUpdate> {
        let blank = TerminalLine::default();
        update
            .changed
            .retain(|(number, line)| self.line(*number).unwrap_or(&blank) != line);
        let is_same = update.changed.is_empty()
            && update.first == self.first
            && update.top == self.top
            && update.cursor == self.cursor
            && update.modes == self.modes;
        (!is_same).then_some(update)
    }

    /// The rows as plain text, the oldest first; for copying and for tests.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(TerminalLine::text).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

/// What differs from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenUpdate {
    pub first: u64,
    pub top: u64,
    /// Rows by their number.
    pub changed: Vec<(u64, TerminalLine)>,
    pub cursor: Option<TerminalCursor>,
    pub modes: TerminalModes,
}

/// Where the next character goes; row 0 is the screen's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalCursor {
    pub column: u16,
    pub row: u16,
}

/// What the program asked for that changes what keys send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalModes {
    /// Arrow keys send `ESC O A` instead of `ESC [ A`.
    pub application_cursor: bool,
    /// What is pasted is marked as such.
    pub bracketed_paste: bool,
}

/// One row: runs of text in one style, without the blanks at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TerminalLine(pub Vec<TextRun>);

impl TerminalLine {
    pub fn text(&self) -> String {
        self.0.iter().map(|run| run.text.as_str()).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TextRun {
    pub text: String,
    #[serde(default, skip_serializing_if = "TextStyle::is_plain")]
    pub style: TextStyle,
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TextStyle {
    /// One of the 16 colors; none: the terminal's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreground: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<u8>,
    /// A sum of [`TextMark`]s.
    #[serde(default)]
    pub marks: u8,
}

/// What else a text can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TextMark {
    Bold = 1,
    Faint = 2,
    Italic = 4,
    Underline = 8,
    Struck = 16,
    Inverse = 32,
    /// One character that takes two columns.
    Wide = 64,
    /// Dots in the place of a secret value.
    Hidden = 128,
}

impl TextStyle {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    pub fn is(self, mark: TextMark) -> bool {
        self.marks & mark as u8 != 0
    }

    #[must_use]
    pub fn with(mut self, mark: TextMark, yes: bool) -> Self {
        if yes {
            self.marks |= mark as u8;
        }
        self
    }
}

/// What a page that follows a place hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalFrame {
    /// There is no session.
    None,
    /// A session as it is now; what was known before is void.
    Whole {
        terminal: Box<Terminal>,
    },
    Update {
        update: ScreenUpdate,
    },
    Ended {
        ending: TerminalEnding,
    },
    Alive,
}

/// Folds a frame into what a page shows.
pub fn fold_terminal(terminal: &mut Option<Terminal>, frame: TerminalFrame) {
    match (terminal, frame) {
        (place, TerminalFrame::None) => *place = None,
        (place, TerminalFrame::Whole { terminal }) => *place = Some(*terminal),
        (Some(terminal), TerminalFrame::Update { update }) => terminal.screen.apply(update),
        (Some(terminal), TerminalFrame::Ended { ending }) => terminal.ending = Some(ending),
        (_, TerminalFrame::Alive) | (None, _) => {}
    }
}

impl fmt::Display for LogSource {
    /// As an address has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pod, self.container)
    }
}

/// Why a text names no container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no container: write its pod and its name, as in web-5d4f/app")]
pub struct NoContainer(String);

impl FromStr for LogSource {
    type Err = NoContainer;

    fn from_str(text: &str) -> Result<Self, NoContainer> {
        let is_name = |name: &str| {
            (1..=253).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        match text.split_once('/') {
            Some((pod, container)) if is_name(pod) && is_name(container) => Ok(Self {
                pod: pod.to_owned(),
                container: container.to_owned(),
            }),
            _ => Err(NoContainer(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> TerminalLine {
        TerminalLine(vec![TextRun {
            text: text.to_owned(),
            style: TextStyle::default(),
        }])
    }

    fn update() -> impl Strategy<Value = (u64, u64, Vec<(u64, String)>, bool)> {
        let changed = proptest::collection::vec((0_u64..12, "[ab]{0,2}"), 0..6);
        (0_u64..3, 0_u64..4, changed, any::<bool>())
    }

    proptest! {
        /// A page that gets only what differs shows what one sees that gets everything.
        #[test]
        fn what_is_left_out_of_an_update_makes_no_difference(
            steps in proptest::collection::vec(update(), 1..12),
        ) {
            let size = TerminalSize { columns: 20, rows: 4 };
            let mut all = TerminalScreen::new(size);
            let mut differing = TerminalScreen::new(size);
            for (gone, scrolled, changed, paste) in steps {
                let top = all.top + scrolled;
                let first = (all.first + gone).min(top);
                let update = ScreenUpdate {
                    first,
                    top,
                    changed: changed
                        .into_iter()
                        .map(|(at, text)| (first + at, plain(&text)))
                        .collect(),
                    cursor: None,
                    modes: TerminalModes { bracketed_paste: paste, ..TerminalModes::default() },
                };
                // The last of several for the same row counts, on both sides.
                let mut seen = std::collections::BTreeMap::new();
                for (number, line) in update.changed.clone() {
                    seen.insert(number, line);
                }
                let update = ScreenUpdate { changed: seen.into_iter().collect(), ..update };
                if let Some(update) = differing.reduce(update.clone()) {
                    let sent = serde_json::to_string(&update).expect("it encodes");
                    differing.apply(serde_json::from_str(&sent).expect("it decodes"));
                }
                all.apply(update);
                prop_assert_eq!(&all, &differing);
                prop_assert_eq!(all.lines.len() as u64, all.top - all.first + 4);
            }
        }

        #[test]
        fn no_update_makes_a_screen_that_is_too_long(first in any::<u64>(), top in any::<u64>()) {
            let mut screen = TerminalScreen::new(TerminalSize::default());
            screen.apply(ScreenUpdate {
                first,
                top,
                changed: vec![(top, plain("x")), (u64::MAX, plain("y"))],
                cursor: None,
                modes: TerminalModes::default(),
            });
            prop_assert!(screen.lines.len() <= SCROLLBACK + usize::from(*ROWS.end()));
        }
    }

    #[test]
    fn rows_keep_their_numbers_when_they_scroll_away() {
        let mut screen = TerminalScreen::new(TerminalSize {
            columns: 20,
            rows: 4,
        });
        let update = |first, top, changed| ScreenUpdate {
            first,
            top,
            changed,
            cursor: None,
            modes: TerminalModes::default(),
        };
        screen.apply(update(0, 0, vec![(0, plain("one")), (1, plain("two"))]));
        screen.apply(update(0, 1, vec![(4, plain("five"))]));
        assert_eq!(screen.line(0), Some(&plain("one")));
        assert_eq!(screen.text(), "one\ntwo\n\n\nfive");
        screen.apply(update(1, 1, vec![]));
        assert_eq!(screen.line(0), None);
        assert_eq!(screen.line(1), Some(&plain("two")));
    }

    #[test]
    fn an_address_names_a_container_or_nothing() {
        let source: LogSource = "web-5d4f/app".parse().expect("a container");
        assert_eq!(
            (source.pod.as_str(), source.container.as_str()),
            ("web-5d4f", "app")
        );
        assert_eq!(source.to_string(), "web-5d4f/app");
        for bad in [
            "",
            "web",
            "/app",
            "web/",
            "web/../app",
            "Web/app",
            "web/app/x",
        ] {
            assert!(bad.parse::<LogSource>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_plain_run_is_sent_as_its_text_alone() {
        let line = serde_json::to_string(&plain("ls")).expect("it encodes");
        assert_eq!(line, r#"[{"text":"ls"}]"#);
    }
}
