//! Bytes into lines a person can read: bounded, valid UTF-8, without escape sequences.

use std::borrow::Cow;

/// A longer line is cut here; the rest of it is dropped.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Stands at the end of a line that was cut.
pub const CUT_MARK: &str = " … (line cut)";

/// Puts chunks together into lines.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    /// The line is too long already; its rest is skipped.
    cut: bool,
    longest: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::up_to(LONGEST_LINE)
    }
}

impl Lines {
    /// Lines of at most so many bytes.
    pub fn up_to(longest: usize) -> Self {
        Self {
            partial: Vec::new(),
            cut: false,
            longest,
        }
    }

    /// Takes in a chunk and hands over every line that ends in it.
    pub fn push(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&str)) {
        while let Some(at) = bytes.iter().position(|&b| b == b'\n') {
            self.extend(&bytes[..at]);
            self.emit(&mut on_line);
            bytes = &bytes[at + 1..];
        }
        self.extend(bytes);
    }

    /// The last line, if it had no line break.
    pub fn finish(mut self, mut on_line: impl FnMut(&str)) {
        if !self.partial.is_empty() {
            self.emit(&mut on_line);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.longest - self.partial.len();
        self.cut |= bytes.len() > room;
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn emit(&mut self, on_line: &mut impl FnMut(&str)) {
        // Before a line break it starts nothing over; some tools write several.
        let end = self.partial.iter().rposition(|&b| b != b'\r');
        let bytes = &self.partial[..end.map_or(0, |at| at + 1)];
        // A carriage return starts the line over, as on a terminal: the last version counts.
        let bytes = match bytes.iter().rposition(|&b| b == b'\r') {
            Some(at) => &bytes[at + 1..],
            None => bytes,
        };
        let mut line = String::from_utf8_lossy(bytes);
        if self.cut {
            line.to_mut().push_str(CUT_MARK);
        }
        on_line(&line);
        self.partial.clear();
        self.cut = false;
    }
}

/// Without terminal escape sequences and other control characters, except tab and line break.
pub fn strip_escapes(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && c != '\t' && c != '\n';
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{9b}' {
            skip_csi(&mut rest);
        } else if c == '\u{1b}' {
            match rest.next() {
                Some('[') => skip_csi(&mut rest),
                // Strings (titles, links) end with BEL or ESC \.
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '*' | '+' | '#' | '%') => {
                    rest.next();
                }
                _ => {}
            }
        } else if !is_odd(c) {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

fn skip_csi(rest: &mut impl Iterator<Item = char>) {
    for c in rest {
        if ('@'..='~').contains(&c) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, |line| found.push(line.to_owned()));
        }
        lines.finish(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_are_put_together_across_chunks() {
        assert_eq!(
            lines(&[b"a", b"b\nc", b"\r\n\nlast"]),
            ["ab", "c", "", "last"]
        );
    }

    #[test]
    fn only_the_last_version_of_an_overwritten_line_counts() {
        assert_eq!(lines(&[b"10%\r50%\r100%\n"]), ["100%"]);
        assert_eq!(lines(&[b"10kB\r20kB\r\r\n"]), ["20kB"]);
    }

    #[test]
    fn invalid_utf8_is_marked_and_kept() {
        assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let long = vec![b'x'; LONGEST_LINE + 10];
        let found = lines(&[&long, b"\nnext\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), LONGEST_LINE + CUT_MARK.len());
        assert_eq!(found[1], "next");
    }

    #[test]
    fn escape_sequences_are_taken_out() {
        let cases = [
            ("plain\ttext", "plain\ttext"),
            ("\u{1b}[1;32mgreen\u{1b}[0m", "green"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\!", "link!"),
            ("\u{1b}(Bx\u{8}y", "xy"),
            ("broken \u{1b}[", "broken "),
        ];
        for (text, plain) in cases {
            assert_eq!(strip_escapes(text), plain);
        }
    }
}
