//! Two texts line by line, for showing what a save would change.

use app::model::DiffLine;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// Larger middles are shown as replaced at once; values files are small.
const MOST: usize = 1_500;

/// The lines of both with what was removed and added; long unchanged stretches are left out.
pub fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let end = a[start..]
        .iter()
        .rev()
        .zip(b[start..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (mid_a, mid_b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let same = |line: &&str| DiffLine::Same((*line).to_owned());
    let mut lines: Vec<DiffLine> = a[..start].iter().map(same).collect();
    lines.extend(middle(mid_a, mid_b));
    lines.extend(a[a.len() - end..].iter().map(same));
    shortened(lines)
}

fn middle(a: &[&str], b: &[&str]) -> Vec<DiffLine> {
    let removed = |line: &str| DiffLine::Removed(line.to_owned());
    let added = |line: &str| DiffLine::Added(line.to_owned());
    if a.len() > MOST || b.len() > MOST {
        return a
            .iter()
            .map(|line| removed(line))
            .chain(b.iter().map(|line| added(line)))
            .collect();
    }
    // The longest common subsequence, from the end.
    let width = b.len() + 1;
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push(DiffLine::Same(a[i].to_owned()));
            i += 1;
            j += 1;
        } else if j == b.len()
            || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            lines.push(removed(a[i]));
            i += 1;
        } else {
            lines.push(added(b[j]));
            j += 1;
        }
    }
    lines
}

fn shortened(lines: Vec<DiffLine>) -> Vec<DiffLine> {
    let is_change = |line: &DiffLine| !matches!(line, DiffLine::Same(_));
    let near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(lines.len());
        lines[from..to].iter().any(is_change)
    };
    let mut short: Vec<DiffLine> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if near(at) {
            short.push(line.clone());
        } else if let Some(DiffLine::Skipped(count)) = short.last_mut() {
            *count += 1;
        } else {
            short.push(DiffLine::Skipped(1));
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_changed_line_stands_between_its_neighbours() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let after = "1\n2\n3\n4\n5\nsix\n7\n8\n";
        let same = |text: &str| DiffLine::Same(text.to_owned());
        assert_eq!(
            diff(before, after),
            [
                DiffLine::Skipped(2),
                same("3"),
                same("4"),
                same("5"),
                DiffLine::Removed("6".into()),
                DiffLine::Added("six".into()),
                same("7"),
                same("8"),
            ]
        );
        assert_eq!(diff("a\n", "a\n"), [DiffLine::Skipped(1)]);
    }

    proptest! {
        #[test]
        fn both_texts_are_in_their_diff(a in proptest::collection::vec("[ab]", 0..12), b in proptest::collection::vec("[ab]", 0..12)) {
            let lines = middle(
                &a.iter().map(String::as_str).collect::<Vec<_>>(),
                &b.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            let of = |removed: bool| -> Vec<String> {
                lines.iter().filter_map(|line| match line {
                    DiffLine::Same(text) => Some(text.clone()),
                    DiffLine::Removed(text) if removed => Some(text.clone()),
                    DiffLine::Added(text) if !removed => Some(text.clone()),
                    _ => None,
                }).collect()
            };
            prop_assert_eq!(of(true), a);
            prop_assert_eq!(of(false), b);
        }
    }
}
