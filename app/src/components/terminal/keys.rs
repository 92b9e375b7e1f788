//! What a key sends to the program, as xterm has it; and which keys stay the browser's.

use crate::model::TerminalModes;

/// A pressed key, as the browser names it.
#[derive(Clone, Debug, Default)]
pub struct Key {
    pub name: String,
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
    pub meta: bool,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    Send(String),
    /// Out of the terminal, for those who have no mouse.
    Leave,
    /// Text goes through the input field, so that dead keys, input methods and phones work; what is
    /// left is the browser's own.
    Browser,
}

pub fn press(key: &Key, modes: TerminalModes) -> Press {
    if key.meta {
        return Press::Browser;
    }
    if let (true, true, "Enter") = (key.ctrl, key.shift, key.name.as_str()) {
        return Press::Leave;
    }
    let mut letters = key.name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => text(letter, key),
        _ => named(key, modes).map_or(Press::Browser, Press::Send),
    }
}

fn text(letter: char, key: &Key) -> Press {
    // With both, it is the third level of many keyboards.
    let is_third_level = key.ctrl && key.alt;
    if is_third_level || (!key.ctrl && !key.alt) {
        return Press::Browser;
    }
    let lower = letter.to_ascii_lowercase();
    // Copying and pasting are the browser's.
    if key.ctrl && key.shift && matches!(lower, 'c' | 'v') {
        return Press::Browser;
    }
    if !key.ctrl {
        return match letter.is_ascii() {
            true => Press::Send(format!("\u{1b}{letter}")),
            // Elsewhere Alt makes letters of its own.
            false => Press::Browser,
        };
    }
    control(lower).map_or(Press::Browser, |control| Press::Send(control.to_string()))
}

/// The control character of a key.
fn control(letter: char) -> Option<char> {
    Some(match letter {
        'a'..='z' => char::from(letter as u8 & 0x1f),
        ' ' | '@' | '2' => '\0',
        '[' | '3' => '\u{1b}',
        '\\' | '4' => '\u{1c}',
        ']' | '5' => '\u{1d}',
        '^' | '6' => '\u{1e}',
        '_' | '/' | '-' | '7' => '\u{1f}',
        '?' | '8' => '\u{7f}',
        _ => return None,
    })
}

fn named(key: &Key, modes: TerminalModes) -> Option<String> {
    let meta = |text: &str| match key.alt {
        true => format!("\u{1b}{text}"),
        false => text.to_owned(),
    };
    let modifiers = 1 + u8::from(key.shift) + 2 * u8::from(key.alt) + 4 * u8::from(key.ctrl);
    let cursor = |letter: char| match (modifiers, modes.application_cursor) {
        (1, true) => format!("\u{1b}O{letter}"),
        (1, false) => format!("\u{1b}[{letter}"),
        (more, _) => format!("\u{1b}[1;{more}{letter}"),
    };
    let function = |letter: char| match modifiers {
        1 => format!("\u{1b}O{letter}"),
        more => format!("\u{1b}[1;{more}{letter}"),
    };
    let numbered = |number: u8| match modifiers {
        1 => format!("\u{1b}[{number}~"),
        more => format!("\u{1b}[{number};{more}~"),
    };
    Some(match key.name.as_str() {
        // A new line in a text field; a phone's keyboard says it so, too.
        "Enter" => meta("\r"),
        "Backspace" if key.ctrl => meta("\u{8}"),
        "Backspace" => meta("\u{7f}"),
        "Tab" if key.ctrl || key.alt => return None,
        "Tab" if key.shift => "\u{1b}[Z".to_owned(),
        "Tab" => "\t".to_owned(),
        "Escape" => meta("\u{1b}"),
        "ArrowUp" => cursor('A'),
        "ArrowDown" => cursor('B'),
        "ArrowRight" => cursor('C'),
        "ArrowLeft" => cursor('D'),
        "Home" => cursor('H'),
        "End" => cursor('F'),
        // Shift and these scroll what has passed; copying and pasting are the browser's.
        "PageUp" | "PageDown" if key.shift => return None,
        "Insert" if key.shift || key.ctrl => return None,
        "PageUp" => numbered(5),
        "PageDown" => numbered(6),
        "Insert" => numbered(2),
        "Delete" => numbered(3),
        "F1" => function('P'),
        "F2" => function('Q'),
        "F3" => function('R'),
        "F4" => function('S'),
        // F5, F11 and F12 stay what they are in every page.
        "F6" => numbered(17),
        "F7" => numbered(18),
        "F8" => numbered(19),
        "F9" => numbered(20),
        "F10" => numbered(21),
        _ => return None,
    })
}

/// What pasting this sends. Marked where the program asked for it, so that it does not run line by line;
/// and nothing in it can end the mark.
pub fn paste(text: &str, modes: TerminalModes) -> String {
    let text = text.replace("\r\n", "\r").replace('\n', "\r");
    let text: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\r' | '\t'))
        .collect();
    match modes.bracketed_paste {
        true => format!("\u{1b}[200~{text}\u{1b}[201~"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(keys: &str, modes: TerminalModes) -> Press {
        let mut parts: Vec<&str> = keys.split('+').collect();
        let name = parts.pop().unwrap_or_default().to_owned();
        let has = |name| parts.contains(&name);
        let key = Key {
            name,
            ctrl: has("Ctrl"),
            alt: has("Alt"),
            shift: has("Shift"),
            meta: has("Meta"),
        };
        press(&key, modes)
    }

    #[test]
    fn keys_send_what_xterm_sends() {
        let normal = TerminalModes::default();
        for (keys, sent) in [
            ("Ctrl+c", "\u{3}"),
            ("Ctrl+Z", "\u{1a}"),
            ("Ctrl+ ", "\0"),
            ("Ctrl+\\", "\u{1c}"),
            ("Alt+b", "\u{1b}b"),
            ("Enter", "\r"),
            ("Backspace", "\u{7f}"),
            ("Alt+Backspace", "\u{1b}\u{7f}"),
            ("Tab", "\t"),
            ("Shift+Tab", "\u{1b}[Z"),
            ("Escape", "\u{1b}"),
            ("ArrowUp", "\u{1b}[A"),
            ("Ctrl+ArrowRight", "\u{1b}[1;5C"),
            ("Home", "\u{1b}[H"),
            ("Delete", "\u{1b}[3~"),
            ("PageUp", "\u{1b}[5~"),
            ("F1", "\u{1b}OP"),
            ("Shift+F10", "\u{1b}[21;2~"),
        ] {
            assert_eq!(
                pressed(keys, normal),
                Press::Send(sent.to_owned()),
                "{keys}"
            );
        }
        let application = TerminalModes {
            application_cursor: true,
            ..normal
        };
        let up = pressed("ArrowUp", application);
        assert_eq!(up, Press::Send("\u{1b}OA".to_owned()));
        assert_eq!(
            pressed("Shift+ArrowUp", application),
            Press::Send("\u{1b}[1;2A".to_owned())
        );
    }

    #[test]
    fn text_copying_pasting_and_reloading_stay_with_the_browser() {
        for keys in [
            "a",
            "ß",
            "Shift+A",
            "Ctrl+Alt+q",
            "Alt+å",
            "Ctrl+Shift+C",
            "Ctrl+Shift+V",
            "Shift+Insert",
            "Shift+PageUp",
            "Meta+c",
            "F5",
            "F12",
            "Shift",
            "Dead",
            "Process",
            "Ctrl+Tab",
            "Unidentified",
        ] {
            assert_eq!(
                pressed(keys, TerminalModes::default()),
                Press::Browser,
                "{keys}"
            );
        }
        assert_eq!(
            pressed("Ctrl+Shift+Enter", TerminalModes::default()),
            Press::Leave
        );
    }

    #[test]
    fn what_is_pasted_cannot_end_its_own_mark() {
        let marked = TerminalModes {
            bracketed_paste: true,
            ..TerminalModes::default()
        };
        assert_eq!(
            paste("ls\r\nrm\u{1b}[201~ -r\n", marked),
            "\u{1b}[200~ls\rrm[201~ -r\r\u{1b}[201~"
        );
        assert_eq!(paste("a\tb\u{3}\n", TerminalModes::default()), "a\tb\r");
    }
}
