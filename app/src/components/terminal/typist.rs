//! Hands over what is typed, in order: one request at a time, and the next one carries what came
//! meanwhile.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::terminals::type_in;
use crate::model::{Failure, TerminalId, TypedText};

/// One request carries at most so many bytes.
const MOST: usize = 16 * 1024;

/// Copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct Typist {
    waiting: StoredValue<Waiting>,
    failure: RwSignal<Option<Failure>>,
}

#[derive(Debug, Default)]
struct Waiting {
    text: String,
    is_sending: bool,
}

impl Typist {
    pub fn new() -> Self {
        Self {
            waiting: StoredValue::new(Waiting::default()),
            failure: RwSignal::new(None),
        }
    }

    /// Why the last of it did not arrive.
    pub fn failure(self) -> RwSignal<Option<Failure>> {
        self.failure
    }

    pub fn send(self, id: TerminalId, text: &str) {
        let is_idle = self.waiting.try_update_value(|waiting| {
            waiting.text.push_str(text);
            !std::mem::replace(&mut waiting.is_sending, true)
        });
        if is_idle == Some(true) {
            spawn_local(self.hand_over(id));
        }
    }

    async fn hand_over(self, id: TerminalId) {
        while let Some(text) = self.next() {
            let answer = type_in(id, TypedText(text)).await;
            let failed = answer.is_err();
            self.failure.try_set(answer.err());
            if failed {
                // The rest of it would arrive without its beginning.
                self.waiting.try_update_value(std::mem::take);
                return;
            }
        }
    }

    fn next(self) -> Option<String> {
        self.waiting.try_update_value(|waiting| {
            let piece = piece(&mut waiting.text);
            waiting.is_sending = piece.is_some();
            piece
        })?
    }
}

/// Takes the first part off, at a boundary between characters.
fn piece(text: &mut String) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let most = text.len().min(MOST);
    let at = (0..=most).rev().find(|at| text.is_char_boundary(*at))?;
    let rest = text.split_off(at);
    Some(std::mem::replace(text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_goes_in_pieces_and_nothing_is_lost() {
        let whole = "é漢x".repeat(9_000);
        let mut text = whole.clone();
        let pieces: Vec<String> = std::iter::from_fn(|| piece(&mut text)).collect();
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= MOST));
        assert_eq!(pieces.concat(), whole);
    }
}
