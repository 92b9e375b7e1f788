//! What a page sees of what a program wrote.

use app::model::{Terminal, TerminalFrame, TerminalId, UnixMillis, fold_terminal};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "hunter2-Correct-Horse-Battery";

fn emulator(columns: u16, rows: u16) -> Emulator {
    let redactor = Redactor::default();
    redactor.learn(SECRET);
    Emulator::new(TerminalSize { columns, rows }, redactor)
}

fn shown(emulator: &mut Emulator, text: &str) -> String {
    emulator.feed(text.as_bytes());
    emulator.draw();
    emulator.screen().text()
}

/// A page that hears every frame from the first one on.
struct Page(Option<Terminal>);

impl Page {
    fn of(emulator: &Emulator) -> Self {
        Self(Some(Terminal {
            id: TerminalId(1),
            began: UnixMillis(0),
            screen: emulator.screen().clone(),
            ending: None,
        }))
    }

    fn hears(&mut self, emulator: &mut Emulator) {
        match emulator.draw() {
            Some(Drawn::Update(update)) => {
                fold_terminal(&mut self.0, TerminalFrame::Update { update });
            }
            Some(Drawn::Whole) => *self = Self::of(emulator),
            None => {}
        }
    }

    fn screen(&self) -> &TerminalScreen {
        &self.0.as_ref().expect("a terminal").screen
    }
}

fn written() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,30}",
        Just("\r\n".to_owned()),
        Just(SECRET.to_owned()),
        Just(SECRET[..12].to_owned()),
        Just(SECRET[12..].to_owned()),
        Just("\u{1b}[?1049h".to_owned()),
        Just("\u{1b}[?1049l".to_owned()),
        Just("\u{1b}[2J\u{1b}[H".to_owned()),
        Just("\u{1b}[3J".to_owned()),
        Just("\u{1b}c".to_owned()),
        Just("漢字\u{202e}é".to_owned()),
        (1_u16..30, 1_u16..50).prop_map(|(row, column)| format!("\u{1b}[{row};{column}H")),
        (0_u8..10, 0_u8..50).prop_map(|(a, b)| format!("\u{1b}[{a};{b}m")),
        (1_u16..9, 1_u16..9).prop_map(|(top, bottom)| format!("\u{1b}[{top};{bottom}r")),
        (0_u16..70).prop_map(|times| format!("x\u{1b}[{times}b")),
    ]
}

proptest! {
    /// What follows from frames is what one sees that comes later, whatever is written and however
    /// often the size changes.
    #[test]
    fn a_page_that_follows_sees_what_one_sees_that_comes_later(
        steps in proptest::collection::vec((written(), 0_u8..40), 1..40),
    ) {
        let mut emulator = emulator(24, 5);
        let mut page = Page::of(&emulator);
        for (text, chance) in steps {
            emulator.feed(text.as_bytes());
            if chance < 3 {
                emulator.resize(TerminalSize { columns: 20 + u16::from(chance) * 9, rows: 4 + u16::from(chance) });
            }
            if chance > 10 {
                page.hears(&mut emulator);
            }
        }
        page.hears(&mut emulator);
        prop_assert_eq!(page.screen(), emulator.screen());
        prop_assert!(!page.screen().lines.iter().any(|line| line.text().contains(SECRET)));
        // And drawing it anew from what the emulator holds gives the same rows on the screen.
        emulator.is_other = true;
        let before = emulator.screen().clone();
        emulator.draw();
        for row in 0..u64::from(before.size.rows) {
            let now = emulator.screen();
            prop_assert_eq!(now.line(now.top + row), before.line(before.top + row));
        }
    }

    #[test]
    fn any_bytes_can_be_shown(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut emulator = emulator(20, 4);
        emulator.feed(&bytes);
        emulator.draw();
        let odd = |c: char| c.is_control() || c == '\u{202e}';
        prop_assert!(!emulator.screen().lines.iter().any(|line| line.text().contains(odd)));
    }

    #[test]
    fn a_value_is_dots_wherever_it_wraps_and_in_whatever_pieces_it_comes(
        before in "[a-z]{0,40}",
        piece in 1_usize..9,
        columns in 20_u16..60,
    ) {
        let mut emulator = emulator(columns, 6);
        let mut page = Page::of(&emulator);
        let text = format!("{before} {SECRET} after");
        for piece in text.as_bytes().chunks(piece) {
            emulator.feed(piece);
            page.hears(&mut emulator);
            // Never more of it than the few characters that could be the beginning of anything.
            let seen: String = page.screen().lines.iter().map(TerminalLine::text).collect();
            prop_assert!(!seen.contains(&SECRET[..8]), "{}", seen);
        }
        let seen: String = page.screen().lines.iter().map(TerminalLine::text).collect();
        let dots: String = std::iter::repeat_n(DOT, SECRET.len()).collect();
        prop_assert_eq!(seen.trim_end(), format!("{before} {dots} after"));
    }
}

#[test]
fn a_value_that_wrapped_stays_dots_when_the_terminal_gets_another_size() {
    let mut emulator = emulator(24, 4);
    shown(&mut emulator, &format!("key={SECRET}\r\n$ "));
    for columns in [20, 37, 80, 22] {
        emulator.resize(TerminalSize { columns, rows: 4 });
        assert_eq!(emulator.draw(), Some(Drawn::Whole));
        let seen = emulator.screen().text().replace('\n', "");
        assert!(seen.starts_with("key=•••"), "{seen}");
        assert!(
            !seen.contains("Horse") && !seen.contains("hunter2"),
            "{seen}"
        );
    }
}

#[test]
fn a_value_whose_beginning_is_no_longer_kept_stays_dots() {
    let mut emulator = emulator(20, 4);
    let rows = SCROLLBACK + 3;
    shown(&mut emulator, SECRET);
    shown(&mut emulator, &"\r\n".repeat(rows));
    // Its first row is gone and its second one is the oldest.
    emulator.resize(TerminalSize {
        columns: 20,
        rows: 5,
    });
    emulator.draw();
    assert!(!emulator.screen().text().contains("Battery"));
}

#[test]
fn a_value_cut_at_the_edge_by_a_program_is_dots() {
    let mut emulator = emulator(20, 4);
    // As `less -S` does: as much as fits, and on to the next row by a move.
    let cut = format!("password={}\u{1b}[2;1H$ ", &SECRET[..11]);
    let seen = shown(&mut emulator, &cut);
    assert!(!seen.contains("hunter2-C"), "{seen}");
}

#[test]
fn what_scrolled_away_is_kept_up_to_a_bound() {
    let mut emulator = emulator(20, 4);
    let mut page = Page::of(&emulator);
    for number in 0..3_000 {
        emulator.feed(format!("line {number}\r\n").as_bytes());
        if number % 7 == 0 {
            page.hears(&mut emulator);
        }
    }
    page.hears(&mut emulator);
    assert_eq!(page.screen(), emulator.screen());
    let text = page.screen().text();
    assert_eq!(text.lines().count(), SCROLLBACK + 3);
    assert!(
        text.starts_with("line 1997\n") && text.ends_with("line 2999"),
        "{text:.20}"
    );
}

#[test]
fn titles_links_and_the_clipboard_leave_nothing_and_nothing_is_answered() {
    let mut emulator = emulator(40, 4);
    let seen = shown(
        &mut emulator,
        "a\u{1b}]0;title\u{7}\u{1b}]52;c;aGVsbG8=\u{7}\u{1b}]8;;http://evil.example\u{7}link\u{1b}]8;;\u{7}\
         \u{1b}[6n\u{1b}[c\u{1b}P+q544e\u{1b}\\z<b>",
    );
    assert_eq!(seen, "alinkz<b>");
}

#[test]
fn few_bytes_do_not_become_much_work() {
    let mut emulator = emulator(80, 24);
    let begun = std::time::Instant::now();
    emulator.feed(
        "x\u{1b}[65535b\u{1b}[65535S\u{1b}[65535L"
            .repeat(600)
            .as_bytes(),
    );
    emulator.draw();
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn styles_and_modes_are_told() {
    let mut emulator = emulator(40, 4);
    shown(
        &mut emulator,
        "\u{1b}[1;31mred\u{1b}[0m ok\u{1b}[44m  \u{1b}[0m   \u{1b}[?1h\u{1b}[?2004h\u{1b}[?25l漢",
    );
    let screen = emulator.screen();
    let runs = &screen.lines[0].0;
    assert_eq!(runs[0].text, "red");
    assert_eq!(runs[0].style.foreground, Some(1));
    assert!(runs[0].style.is(TextMark::Bold));
    assert_eq!(runs[2].text, "  ");
    assert_eq!(runs[2].style.background, Some(4));
    assert!(runs.last().is_some_and(|run| run.style.is(TextMark::Wide)));
    assert_eq!(screen.cursor, None);
    assert!(screen.modes.application_cursor && screen.modes.bracketed_paste);
}

#[test]
fn a_full_screen_program_leaves_what_was_there_before() {
    let mut emulator = emulator(40, 4);
    let before = shown(&mut emulator, "$ less\r\n");
    assert_eq!(shown(&mut emulator, "\u{1b}[?1049h\u{1b}[Hpage"), "page");
    assert_eq!(shown(&mut emulator, "\u{1b}[?1049l"), before);
}
