//! The truth of a terminal: what its program wrote, emulated, and with every known secret value turned
//! into dots before anybody sees it. Nothing a program writes makes the terminal answer, and titles,
//! links and the clipboard are none of its business.

use std::ops::Range;

use app::model::{
    SCROLLBACK, ScreenUpdate, TerminalCursor, TerminalLine, TerminalModes, TerminalScreen,
    TerminalSize, TextMark, TextRun, TextStyle,
};
use avt::parser::{EdScope, Function};
use avt::{Cell, Line, Observation, Observer, ScreenKind};

use super::decode::{Decoder, PasteMode};
use super::style::style;
use crate::engine::Redactor;

/// How far back a line of the program's may go that goes on on the screen.
const MOST_JOINED: usize = 200;
/// What is remembered of a line whose beginning is no longer kept, in bytes.
const MOST_BEFORE: usize = 16 * 1024;
const DOT: char = '•';

/// What there is to tell a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Drawn {
    Update(ScreenUpdate),
    /// Everything is different.
    Whole,
}

pub struct Emulator {
    parser: avt::Parser,
    terminal: avt::Terminal,
    decoder: Decoder,
    paste: PasteMode,
    gone: Gone,
    redactor: Redactor,
    shown: TerminalScreen,
    kind: ScreenKind,
    is_other: bool,
}

impl std::fmt::Debug for Emulator {
    /// Without what is on the screen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").finish_non_exhaustive()
    }
}

/// The rows that are no longer kept.
#[derive(Debug, Default)]
struct Gone {
    count: u64,
    /// The end of a line that goes on in the first row that is kept.
    before: String,
}

impl Observer for &mut Gone {
    type Output = ();

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        self.count += 1;
        if goes_on(line) {
            self.before.extend(line.cells().iter().map(Cell::char));
            let excess = self.before.len().saturating_sub(MOST_BEFORE);
            let cut = (excess..=self.before.len()).find(|at| self.before.is_char_boundary(*at));
            self.before.drain(..cut.unwrap_or(0));
        } else {
            self.before.clear();
        }
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}

impl Emulator {
    pub fn new(size: TerminalSize, redactor: Redactor) -> Self {
        let size = size.clamped();
        let (columns, rows) = (usize::from(size.columns), usize::from(size.rows));
        Self {
            parser: avt::Parser::new(),
            // Refused for sizes without columns or rows only, which the bounds exclude.
            terminal: avt::Terminal::with_scrollback(columns, rows, Some(SCROLLBACK))
                .expect("a size within bounds"),
            decoder: Decoder::default(),
            paste: PasteMode::default(),
            gone: Gone::default(),
            redactor,
            shown: TerminalScreen::new(size),
            kind: ScreenKind::Primary,
            is_other: false,
        }
    }

    /// As it was drawn last.
    pub fn screen(&self) -> &TerminalScreen {
        &self.shown
    }

    /// Takes in what the program wrote.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.paste.watch(bytes);
        let (columns, rows) = self.terminal.size();
        let most = u16::try_from(columns * rows).unwrap_or(u16::MAX);
        for character in self.decoder.decode(bytes).chars() {
            let function = match self.parser.feed(character) {
                None => continue,
                // Few bytes must not become much work.
                Some(Function::Rep(times)) => Function::Rep(times.min(most)),
                Some(function) => function,
            };
            self.is_other |= matches!(function, Function::Ris | Function::Ed(EdScope::SavedLines));
            self.terminal.execute_with(function, &mut self.gone);
        }
    }

    pub fn resize(&mut self, size: TerminalSize) {
        let size = size.clamped();
        if size == self.shown.size {
            return;
        }
        let (columns, rows) = (usize::from(size.columns), usize::from(size.rows));
        self.terminal.resize_with(columns, rows, &mut self.gone);
        self.shown.size = size;
        self.is_other = true;
    }

    /// Brings what is shown up to date; none when nothing differs.
    pub fn draw(&mut self) -> Option<Drawn> {
        let kind = self.terminal.active_screen_kind();
        let lines: Vec<&Line> = self.terminal.screen().all_lines().collect();
        let scrolled = lines
            .len()
            .saturating_sub(usize::from(self.shown.size.rows));
        let is_primary = kind == ScreenKind::Primary;
        let first = if is_primary { self.gone.count } else { 0 };
        let top = first + scrolled as u64;
        let is_whole =
            self.is_other || kind != self.kind || first < self.shown.first || top < self.shown.top;
        let from = if is_whole {
            0
        } else {
            usize::try_from(self.shown.top.saturating_sub(first)).unwrap_or(0)
        };
        let from = start_of_line(&lines, from.min(lines.len().saturating_sub(1)));
        let cursor = self.terminal.cursor();
        let before = match from {
            0 if is_primary => self.gone.before.as_str(),
            _ => "",
        };
        let drawing = Drawing {
            redactor: &self.redactor,
            cursor: (scrolled + cursor.row, cursor.col),
        };
        let changed = drawing
            .rows(&lines, from, before)
            .into_iter()
            .zip(first + from as u64..)
            .map(|(line, number)| (number, line))
            .collect();
        let last = usize::from(self.shown.size.columns) - 1;
        let update = ScreenUpdate {
            first,
            top,
            changed,
            cursor: cursor.position().map(|(column, row)| TerminalCursor {
                // Past the last column it waits for the next character, still over the last one.
                column: u16::try_from(column.min(last)).unwrap_or(0),
                row: u16::try_from(row).unwrap_or(0),
            }),
            modes: TerminalModes {
                application_cursor: self.terminal.cursor_key_app_mode(),
                bracketed_paste: self.paste.is_on(),
            },
        };
        self.kind = kind;
        self.is_other = false;
        if is_whole {
            self.shown = TerminalScreen {
                first,
                top: first,
                ..TerminalScreen::new(self.shown.size)
            };
            self.shown.apply(update);
            return Some(Drawn::Whole);
        }
        let update = self.shown.reduce(update)?;
        self.shown.apply(update.clone());
        Some(Drawn::Update(update))
    }
}

/// Whether what is written in this row may go on in the next: it wrapped, or it is full. Programs that
/// draw by themselves fill rows without wrapping.
fn goes_on(line: &Line) -> bool {
    let is_full = line
        .cells()
        .last()
        .is_some_and(|cell| cell.char() != ' ' || cell.width() == 0);
    line.is_wrapped() || is_full
}

/// The row in which the line begins that this row is a part of.
fn start_of_line(lines: &[&Line], row: usize) -> usize {
    let joined = lines[..row].iter().rev().take(MOST_JOINED);
    row - joined.take_while(|line| goes_on(line)).count()
}

struct Drawing<'a> {
    redactor: &'a Redactor,
    /// Among all lines.
    cursor: (usize, usize),
}

impl Drawing<'_> {
    /// The rows from this one on. `before` stands before the first.
    fn rows(&self, lines: &[&Line], from: usize, before: &str) -> Vec<TerminalLine> {
        let mut drawn = Vec::with_capacity(lines.len() - from);
        let mut at = from;
        let mut before = before;
        while at < lines.len() {
            let more = lines[at..].iter().take_while(|line| goes_on(line)).count();
            let end = (at + more + 1).min(lines.len());
            self.joined(&lines[at..end], at, before, &mut drawn);
            before = "";
            at = end;
        }
        drawn
    }

    /// Rows that are one text, which is where a value may be.
    fn joined(&self, lines: &[&Line], number: usize, before: &str, drawn: &mut Vec<TerminalLine>) {
        let mut text = before.to_owned();
        let mut hidden: Vec<Range<usize>> = Vec::new();
        let mut starts = Vec::with_capacity(lines.len());
        for (line, row) in lines.iter().zip(number..) {
            starts.push(text.len());
            for (column, cell) in line.cells().iter().enumerate() {
                // What was written up to here may be a part of what comes next.
                if self.cursor == (row, column) {
                    hidden.extend(self.broken_off(&text));
                }
                if cell.width() > 0 {
                    text.push(cell.char());
                }
            }
            // At the edge of a screen a program may have cut it.
            if !line.is_wrapped() || self.cursor == (row, line.len()) {
                hidden.extend(self.broken_off(&text));
            }
        }
        hidden.extend(self.redactor.places(&text));
        for (line, start) in lines.iter().zip(starts) {
            drawn.push(runs(line, start, &hidden));
        }
    }

    fn broken_off(&self, text: &str) -> Option<Range<usize>> {
        let start = self.redactor.broken_off(text)?;
        Some(start..text.len())
    }
}

/// One row as runs of text; `start` is where its text begins in the one that `hidden` is about.
fn runs(line: &Line, start: usize, hidden: &[Range<usize>]) -> TerminalLine {
    let mut runs: Vec<TextRun> = Vec::new();
    let mut at = start;
    for cell in line.cells().iter().filter(|cell| cell.width() > 0) {
        let is_hidden = hidden.iter().any(|range| range.contains(&at));
        at += cell.char().len_utf8();
        let is_wide = cell.width() > 1;
        let style = style(cell.pen())
            .with(TextMark::Hidden, is_hidden)
            .with(TextMark::Wide, is_wide && !is_hidden);
        let dots = if is_wide { 2 } else { 1 };
        let text = std::iter::repeat_n(
            if is_hidden { DOT } else { printed(cell.char()) },
            if is_hidden { dots } else { 1 },
        );
        match runs.last_mut() {
            Some(last) if last.style == style && !style.is(TextMark::Wide) => {
                last.text.extend(text)
            }
            _ => runs.push(TextRun {
                text: text.collect(),
                style,
            }),
        }
    }
    // Where a line goes on, its blanks are a part of it.
    while let Some(last) = runs
        .last_mut()
        .filter(|run| !line.is_wrapped() && is_invisible_when_blank(run.style))
    {
        last.text.truncate(last.text.trim_end_matches(' ').len());
        if !last.text.is_empty() {
            break;
        }
        runs.pop();
    }
    TerminalLine(runs)
}

fn is_invisible_when_blank(style: TextStyle) -> bool {
    style.background.is_none()
        && ![TextMark::Inverse, TextMark::Underline, TextMark::Struck]
            .into_iter()
            .any(|mark| style.is(mark))
}

/// A character of exactly one place or two: what turns the order of others around is marked, and what
/// takes no place leaves its own empty.
fn printed(character: char) -> char {
    match character {
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2028}'..='\u{2029}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        plain => plain,
    }
}

#[cfg(test)]
mod tests;
