//! The rows of a terminal. Text is text: nothing a program writes becomes markup.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use leptos::prelude::*;

use crate::model::{Terminal, TerminalLine, TextMark, TextRun, TextStyle};

/// A row to draw: its number, and what tells it from how it was before.
pub type Row = (u64, u64);

const FOREGROUNDS: [&str; 16] = [
    "term-f0", "term-f1", "term-f2", "term-f3", "term-f4", "term-f5", "term-f6", "term-f7",
    "term-f8", "term-f9", "term-f10", "term-f11", "term-f12", "term-f13", "term-f14", "term-f15",
];
const BACKGROUNDS: [&str; 16] = [
    "term-b0", "term-b1", "term-b2", "term-b3", "term-b4", "term-b5", "term-b6", "term-b7",
    "term-b8", "term-b9", "term-b10", "term-b11", "term-b12", "term-b13", "term-b14", "term-b15",
];
/// Under text whose colors are exchanged.
const GROUNDS: [&str; 16] = [
    "term-i0", "term-i1", "term-i2", "term-i3", "term-i4", "term-i5", "term-i6", "term-i7",
    "term-i8", "term-i9", "term-i10", "term-i11", "term-i12", "term-i13", "term-i14", "term-i15",
];
const MARKS: [(TextMark, &str); 8] = [
    (TextMark::Bold, "term-bold"),
    (TextMark::Faint, "term-faint"),
    (TextMark::Italic, "term-italic"),
    (TextMark::Underline, "term-underline"),
    (TextMark::Struck, "term-struck"),
    (TextMark::Inverse, "term-inverse"),
    (TextMark::Wide, "term-wide"),
    (TextMark::Hidden, "term-hidden"),
];

/// The rows as they are now.
pub fn rows(terminal: &Terminal) -> Vec<Row> {
    let screen = &terminal.screen;
    let lines = screen.lines.iter().zip(screen.first..);
    lines
        .map(|(line, number)| {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            (number, hasher.finish())
        })
        .collect()
}

/// Draws every row that differs anew.
#[component]
pub fn Rows(rows: RwSignal<Vec<Row>>, terminal: StoredValue<Option<Terminal>>) -> impl IntoView {
    view! {
        <For
            each=move || rows.get()
            key=|row| *row
            children=move |(number, _)| {
                let runs = terminal
                    .with_value(|terminal| {
                        let line = terminal.as_ref().and_then(|one| one.screen.line(number));
                        line.map(draw)
                    });
                view! { <div class="term-row">{runs}</div> }
            }
        />
    }
    .into_any()
}

fn draw(line: &TerminalLine) -> AnyView {
    line.0.iter().map(run).collect_view().into_any()
}

fn run(run: &TextRun) -> AnyView {
    match classes(run.style) {
        None => run.text.clone().into_any(),
        Some(class) => view! { <span class=class>{run.text.clone()}</span> }.into_any(),
    }
}

fn classes(style: TextStyle) -> Option<String> {
    let color = |of: Option<u8>, all: &[&'static str; 16]| all.get(usize::from(of?)).copied();
    // With the two exchanged, the colors are, too; without colors the rule does it.
    let (front, back, grounds) = match style.is(TextMark::Inverse) {
        true => (style.background, style.foreground, &GROUNDS),
        false => (style.foreground, style.background, &BACKGROUNDS),
    };
    let marks = MARKS.iter().filter(|(mark, _)| style.is(*mark));
    let words: Vec<&str> = marks
        .map(|(_, class)| *class)
        .chain(color(front, &FOREGROUNDS))
        .chain(color(back, grounds))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_becomes_classes_and_inverse_exchanges_the_colors() {
        assert_eq!(classes(TextStyle::default()), None);
        let style = TextStyle {
            foreground: Some(1),
            background: None,
            marks: 0,
        };
        assert_eq!(classes(style).as_deref(), Some("term-f1"));
        let bold = style.with(TextMark::Bold, true);
        assert_eq!(classes(bold).as_deref(), Some("term-bold term-f1"));
        let inverse = style.with(TextMark::Inverse, true);
        assert_eq!(classes(inverse).as_deref(), Some("term-inverse term-i1"));
        let odd = TextStyle {
            foreground: Some(99),
            ..TextStyle::default()
        };
        assert_eq!(classes(odd), None);
    }
}
