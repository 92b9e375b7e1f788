//! From rows to lines on the screen: unified or side by side, with long unchanged stretches folded,
//! and what differs inside a line marked. Pure, so that it can be tested without a browser.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::components::diff_line::Sign;
use crate::model::{DiffRow, ObjectDiff};

/// Unchanged lines that stay around a change.
const CONTEXT: usize = 3;
/// A stretch is folded when at least this many lines go.
const WORTH_FOLDING: usize = 4;

/// How a difference is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    #[default]
    Unified,
    Split,
}

/// One line on the screen; numbers are places in the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Unchanged rows that are hidden: from here, so many.
    Fold(usize, usize),
    /// One side of a row.
    One(usize, Sign),
    /// Both sides of a row.
    Both(usize),
}

/// The lines; stretches whose first row is in `open` are shown.
pub fn lines(rows: &[DiffRow], layout: Layout, open: &BTreeSet<usize>) -> Vec<Line> {
    let mut lines = Vec::with_capacity(rows.len());
    let mut at = 0;
    while at < rows.len() {
        let end = stretch(rows, at);
        if matches!(rows[at], DiffRow::Same(_)) {
            same(rows, at, end, layout, open, &mut lines);
        } else if layout == Layout::Split {
            lines.extend((at..end).map(Line::Both));
        } else {
            // What goes stands together, and what comes below it.
            let gone = (at..end).filter(|row| rows[*row].before().is_some());
            lines.extend(gone.map(|row| Line::One(row, Sign::Removed)));
            let come = (at..end).filter(|row| rows[*row].after().is_some());
            lines.extend(come.map(|row| Line::One(row, Sign::Added)));
        }
        at = end;
    }
    lines
}

/// Where the rows end that are unchanged, or changed, like the one at `at`.
fn stretch(rows: &[DiffRow], at: usize) -> usize {
    let is_same = |row: &DiffRow| matches!(row, DiffRow::Same(_));
    let kind = is_same(&rows[at]);
    at + rows[at..]
        .iter()
        .take_while(|row| is_same(row) == kind)
        .count()
}

fn same(
    rows: &[DiffRow],
    from: usize,
    to: usize,
    layout: Layout,
    open: &BTreeSet<usize>,
    lines: &mut Vec<Line>,
) {
    let line = |row| match layout {
        Layout::Unified => Line::One(row, Sign::Same),
        Layout::Split => Line::Both(row),
    };
    let head = if from == 0 { 0 } else { CONTEXT };
    let tail = if to == rows.len() { 0 } else { CONTEXT };
    let hidden = (to - from).saturating_sub(head + tail);
    if hidden < WORTH_FOLDING || open.contains(&from) {
        lines.extend((from..to).map(line));
        return;
    }
    lines.extend((from..from + head).map(line));
    lines.push(Line::Fold(from, hidden));
    lines.extend((to - tail..to).map(line));
}

/// The byte range that differs in each of two lines: what is left without their common beginning
/// and end.
pub fn differing(before: &str, after: &str) -> ((usize, usize), (usize, usize)) {
    let start = before
        .char_indices()
        .zip(after.chars())
        .find(|((_, a), b)| a != b)
        .map_or(before.len().min(after.len()), |((at, _), _)| at);
    let (a, b) = (&before[start..], &after[start..]);
    let end: usize = a
        .chars()
        .rev()
        .zip(b.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    ((start, before.len() - end), (start, after.len() - end))
}

/// The difference as a text in the unified format, without the folded stretches.
pub fn as_text(title: &str, rows: &[DiffRow]) -> String {
    let mut text = format!("{title}\n");
    for line in lines(rows, Layout::Unified, &BTreeSet::new()) {
        // Writing to a string cannot fail.
        let _ = match line {
            Line::Fold(_, hidden) => writeln!(text, "@@ {hidden} unchanged lines @@"),
            Line::One(row, sign) => {
                let (mark, side) = match sign {
                    Sign::Removed => ('-', rows[row].before()),
                    Sign::Added => ('+', rows[row].after()),
                    Sign::Same => (' ', rows[row].after()),
                };
                writeln!(text, "{mark}{}", side.unwrap_or_default())
            }
            Line::Both(_) => Ok(()),
        };
    }
    text
}

/// The object as it would be; what it is now for one that goes.
pub fn as_yaml(diff: &ObjectDiff) -> String {
    let after: Vec<&str> = diff.rows.iter().filter_map(DiffRow::after).collect();
    let lines = if after.is_empty() {
        diff.rows.iter().filter_map(DiffRow::before).collect()
    } else {
        after
    };
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(count: usize) -> Vec<DiffRow> {
        (0..count)
            .map(|at| DiffRow::Same(format!("s{at}")))
            .collect()
    }

    #[test]
    fn what_goes_stands_together_above_what_comes() {
        let rows = [
            DiffRow::Changed("a".into(), "b".into()),
            DiffRow::Changed("c".into(), "d".into()),
            DiffRow::Added("e".into()),
        ];
        let text = as_text("Thing", &rows);
        assert_eq!(text, "Thing\n-a\n-c\n+b\n+d\n+e\n");
        assert_eq!(
            lines(&rows, Layout::Split, &BTreeSet::new()),
            [Line::Both(0), Line::Both(1), Line::Both(2)]
        );
    }

    #[test]
    fn long_unchanged_stretches_are_folded_and_can_be_opened() {
        let mut rows = same(20);
        rows.push(DiffRow::Added("new".into()));
        rows.extend(same(5));
        let folded = lines(&rows, Layout::Unified, &BTreeSet::new());
        assert_eq!(folded[0], Line::Fold(0, 17));
        assert_eq!(folded[4], Line::One(20, Sign::Added));
        assert_eq!(folded.len(), 1 + 3 + 1 + 5, "the short end stays");
        let open = lines(&rows, Layout::Unified, &BTreeSet::from([0]));
        assert_eq!(open.len(), rows.len());
    }

    #[test]
    fn only_what_differs_in_a_line_is_marked() {
        assert_eq!(differing("image: a:1", "image: a:22"), ((9, 10), (9, 11)));
        assert_eq!(differing("x", "x"), ((1, 1), (1, 1)));
        assert_eq!(differing("aa", "aaa"), ((2, 2), (2, 3)));
        assert_eq!(differing("é1", "é2"), ((2, 3), (2, 3)));
        assert_eq!(differing("è", "é"), ((0, 2), (0, 2)));
    }

    #[test]
    fn thousands_of_rows_take_no_time() {
        let rows: Vec<DiffRow> = (0..5_000)
            .map(|at| DiffRow::Changed(format!("a{at}"), format!("b{at}")))
            .collect();
        assert_eq!(
            lines(&rows, Layout::Unified, &BTreeSet::new()).len(),
            10_000
        );
    }
}
