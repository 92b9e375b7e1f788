//! What has to be known of a program's bytes besides what they draw.

use vte::{Params, Perform};

/// UTF-8 whose characters may come in pieces; what is none is marked.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.rest.len());
        let mut at = 0;
        loop {
            let error = match std::str::from_utf8(&self.rest[at..]) {
                Ok(valid) => {
                    text.push_str(valid);
                    at = self.rest.len();
                    break;
                }
                Err(error) => error,
            };
            let valid = &self.rest[at..at + error.valid_up_to()];
            text.push_str(&String::from_utf8_lossy(valid));
            at += valid.len();
            match error.error_len() {
                Some(length) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    at += length;
                }
                // A character that goes on in the next piece.
                None => break,
            }
        }
        self.rest.drain(..at);
        text
    }
}

/// Watches for the one mode the emulator does not know: marks around what is pasted.
#[derive(Default)]
pub struct PasteMode {
    parser: vte::Parser,
    asked: Asked,
}

#[derive(Default)]
struct Asked(bool);

impl PasteMode {
    pub fn watch(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.asked, bytes);
    }

    pub fn is_on(&self) -> bool {
        self.asked.0
    }
}

impl Perform for Asked {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        let is_mode = intermediates == b"?" && !ignore && matches!(action, 'h' | 'l');
        if is_mode && params.iter().any(|param| param == [2004]) {
            self.0 = action == 'h';
        }
    }

    /// A full reset.
    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        if intermediates.is_empty() && byte == b'c' {
            self.0 = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_in_pieces_is_the_same_text(text in "\\PC{0,40}", piece in 1_usize..5) {
            let mut decoder = Decoder::default();
            let decoded: String = text.as_bytes().chunks(piece).map(|piece| decoder.decode(piece)).collect();
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn any_bytes_are_read_and_little_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..60), piece in 1_usize..5) {
            let mut decoder = Decoder::default();
            for piece in bytes.chunks(piece) {
                decoder.decode(piece);
                prop_assert!(decoder.rest.len() < 4);
            }
        }
    }

    #[test]
    fn the_marks_around_pasted_text_are_asked_for_and_given_up() {
        let mut mode = PasteMode::default();
        mode.watch(b"hello \x1b[?20");
        mode.watch(b"04h");
        assert!(mode.is_on());
        mode.watch(b"\x1b[?25l\x1b[2004l");
        assert!(mode.is_on());
        mode.watch(b"\x1b[?1;2004l");
        assert!(!mode.is_on());
        mode.watch(b"\x1b[?2004h\x1bc");
        assert!(!mode.is_on());
    }
}
