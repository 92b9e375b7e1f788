//! Keeps secret values out of everything that is shown, written or sent.
//! Knows each value in the forms it turns up in: plain, base64, URL-encoded and JSON-escaped.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use app::model::Finding;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use zeroize::Zeroizing;

use crate::process::CUT_MARK;

/// What stands where a value stood.
pub const MASK: &str = "•••";
/// Shorter values would turn whole texts into masks and are no secrets worth the name.
const SHORTEST: usize = 4;
/// A part of a value (a URL's password, one line of several) is only hidden on its own from this length.
const SHORTEST_PART: usize = 6;

/// Learns values and hides them; clones share what was learned. The values are wiped on drop.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Arc<RwLock<Vec<Form>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

#[derive(PartialEq)]
struct Form {
    text: Zeroizing<String>,
    /// Base64 of unknown surroundings: the neighbours carry bits of the value too.
    base64: bool,
}

impl Redactor {
    /// Hides this value from now on. Values that are too short to tell apart are not learned.
    pub fn learn(&self, value: &str) {
        let mut forms = Vec::new();
        learn_whole(value, SHORTEST, &mut forms);
        if let Some(password) = url_password(value) {
            learn_whole(password, SHORTEST_PART, &mut forms);
            let decoded = percent_decode(password);
            learn_whole(&decoded, SHORTEST_PART, &mut forms);
        }
        if value.contains('\n') {
            for line in value.lines() {
                learn_whole(line.trim(), SHORTEST_PART, &mut forms);
            }
        }
        let mut known = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if !known.contains(&form) {
                known.push(form);
            }
        }
    }

    /// The finding with every known value masked in its words and its evidence.
    pub fn finding(&self, mut finding: Finding) -> Finding {
        let hide = |text: &mut String| *text = self.redact(text).into_owned();
        hide(&mut finding.what);
        hide(&mut finding.why);
        for evidence in &mut finding.evidence {
            hide(&mut evidence.text);
        }
        finding
    }

    /// The text with every known value masked; borrowed when there was nothing to hide.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut hidden = found(&known, text);
        if let Some(body) = text.strip_suffix(CUT_MARK) {
            let cut = known
                .iter()
                .filter_map(|form| cut_value(body, &form.text, SHORTEST));
            hidden.extend(cut.map(|start| start..body.len()));
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_by_key(|range| range.start);
        let mut shown = String::with_capacity(text.len());
        let mut at = 0;
        for range in hidden {
            if range.start >= at {
                shown.push_str(&text[at..range.start]);
                shown.push_str(MASK);
            }
            at = at.max(range.end);
        }
        shown.push_str(&text[at..]);
        Cow::Owned(shown)
    }

    /// Where the values are in the text, in no order and perhaps one over another; for who must keep
    /// the text's length.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let known = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        found(&known, text)
    }

    /// Where a value begins of which the end of the text holds only the beginning, of at least
    /// [`SHORTEST_PART`] bytes.
    pub fn broken_off(&self, text: &str) -> Option<usize> {
        let known = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let begins = known
            .iter()
            .filter_map(|form| cut_value(text, &form.text, SHORTEST_PART));
        begins.min()
    }

    /// Up to where a text that goes on can be redacted by now: what follows could be the beginning
    /// of a value. At a boundary between characters.
    pub fn safe_end(&self, text: &str) -> usize {
        let known = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let begins = |form: &Form| {
            let longest = form.text.len().min(text.len() + 1);
            let lengths = (1..longest).rev();
            let beginning = lengths
                .filter_map(|length| form.text.get(..length))
                .find(|beginning| text.ends_with(beginning))?;
            // Before base64 may stand a character that carries bits of the value, too.
            Some((text.len() - beginning.len()).saturating_sub(usize::from(form.base64)))
        };
        // A whole value at the very end may be the beginning of its surroundings in base64.
        let ends = |form: &Form| {
            let whole = form.base64 && text.ends_with(form.text.as_str());
            whole.then(|| text.len() - form.text.len())
        };
        let mut hold = known
            .iter()
            .flat_map(|form| [begins(form), ends(form)])
            .flatten()
            .min()
            .unwrap_or(text.len());
        // What begins inside of a value must not tear it apart.
        let mut whole = found(&known, text);
        whole.sort_by_key(|range| std::cmp::Reverse(range.start));
        for range in whole {
            if range.contains(&hold) {
                hold = range.start;
            }
        }
        (0..=hold)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

/// Where the values are in the text, in no order.
fn found(known: &[Form], text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for form in known {
        let mut from = 0;
        while let Some(at) = text[from..].find(form.text.as_str()) {
            let start = from + at;
            let end = start + form.text.len();
            found.push(if form.base64 {
                widen_base64(text, start..end)
            } else {
                start..end
            });
            from = end;
        }
    }
    found
}

fn learn_whole(value: &str, shortest: usize, forms: &mut Vec<Form>) {
    if value.len() < shortest {
        return;
    }
    let mut add = |text: String, base64: bool| {
        forms.push(Form {
            text: Zeroizing::new(text),
            base64,
        });
    };
    add(value.to_owned(), false);
    if let Ok(quoted) = serde_json::to_string(value) {
        let quoted = Zeroizing::new(quoted);
        let escaped = &quoted[1..quoted.len() - 1];
        if escaped != value {
            add(escaped.to_owned(), false);
        }
        if escaped.contains('/') {
            add(escaped.replace('/', "\\/"), false);
        }
    }
    for (upper, space) in [(true, "%20"), (false, "%20"), (true, "+"), (false, "+")] {
        let encoded = percent_encode(value, upper, space);
        if encoded != value {
            add(encoded, false);
        }
    }
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for offset in 0..3 {
            let core = base64_core(&engine, value.as_bytes(), offset);
            if core.len() >= SHORTEST {
                add(core, true);
            }
        }
    }
}

/// The characters of a base64 text that depend on the value alone when `offset` unknown bytes stand
/// before it and any number after it.
fn base64_core(engine: &GeneralPurpose, value: &[u8], offset: usize) -> String {
    let mut padded = Zeroizing::new(vec![0_u8; offset]);
    padded.extend_from_slice(value);
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    let start = [0, 2, 3][offset];
    let end = encoded.len() - usize::from(!padded.len().is_multiple_of(3));
    encoded.get(start..end).unwrap_or_default().to_owned()
}

/// Takes in the neighbouring characters that mix the value's bits with others, and the padding.
fn widen_base64(text: &str, found: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let Range { mut start, mut end } = found;
    if start > 0 && is_base64(bytes[start - 1]) {
        start -= 1;
    }
    if bytes.get(end).copied().is_some_and(is_base64) {
        end += 1;
    }
    while bytes.get(end) == Some(&b'=') {
        end += 1;
    }
    start..end
}

/// Where a value begins that the end of a cut line broke off.
fn cut_value(body: &str, form: &str, shortest: usize) -> Option<usize> {
    (shortest..form.len())
        .rev()
        .filter_map(|length| form.get(..length))
        .find(|beginning| body.ends_with(beginning))
        .map(|beginning| body.len() - beginning.len())
}

fn url_password(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (_, password) = user_info.split_once(':')?;
    Some(password)
}

fn percent_encode(value: &str, upper: bool, space: &str) -> String {
    let mut encoded = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push_str(space),
            _ if upper => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push_str(&format!("%{byte:02x}")),
        }
    }
    encoded
}

fn percent_decode(text: &str) -> Zeroizing<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = text
            .get(at + 1..at + 3)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], pair) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Zeroizing::new(String::from_utf8(decoded).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn redactor(value: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.learn(value);
        redactor
    }

    proptest! {
        #[test]
        fn no_form_of_a_value_gets_through(
            value in "[!-~]{8,60}",
            before in "[a-z ]{0,5}",
            after in "[a-z ]{0,5}",
        ) {
            let redactor = redactor(&value);
            let plain = format!("{before}{value}{after}");
            let forms = [
                plain.clone(),
                serde_json::to_string(&plain).expect("a string"),
                percent_encode(&plain, true, "+"),
                percent_encode(&plain, false, "%20"),
            ];
            for text in forms {
                let shown = redactor.redact(&text);
                prop_assert!(shown.contains(MASK), "{text} went through");
                prop_assert!(!shown.contains(&value));
            }
            // Six characters in a row of the base64 of any alignment would give four bytes away.
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE] {
                let shown = redactor.redact(&engine.encode(&plain)).into_owned();
                prop_assert!(shown.contains(MASK));
                for part in shown.split(MASK) {
                    prop_assert!(part.len() <= (before.len().max(after.len()) + 3) * 4 / 3 + 4);
                }
            }
        }

        #[test]
        fn a_text_without_values_is_returned_as_it_is(text in "[a-z0-9 ]{0,80}") {
            let redactor = redactor("Correct-Horse!Battery");
            prop_assert!(matches!(redactor.redact(&text), Cow::Borrowed(same) if same == text));
        }

        #[test]
        fn a_value_that_comes_in_pieces_is_hidden_all_the_same(
            value in "[!-~]{8,40}",
            before in "[a-zé ]{0,9}",
            after in "[a-zé ]{0,9}",
            piece in 1_usize..7,
            encoded in proptest::bool::ANY,
        ) {
            let redactor = redactor(&value);
            let inside = if encoded { STANDARD.encode(&value) } else { value.clone() };
            let text = format!("{before} {inside} {after}");
            let chars: Vec<char> = text.chars().collect();
            let (mut held, mut said) = (String::new(), String::new());
            for piece in chars.chunks(piece) {
                held.extend(piece);
                let rest = held.split_off(redactor.safe_end(&held));
                said.push_str(&redactor.redact(&held));
                held = rest;
            }
            said.push_str(&redactor.redact(&held));
            prop_assert!(!said.contains(&inside), "{said}");
            prop_assert!(said.contains(MASK));
        }

        #[test]
        fn any_text_can_be_redacted(text in "\\PC{0,60}", value in "\\PC{0,12}") {
            let redactor = redactor(&value);
            let _ = redactor.redact(&text);
        }
    }

    #[test]
    fn the_password_inside_a_url_is_hidden_on_its_own() {
        let redactor = redactor("postgres://todo:s3cr%21t-pw@db.example/app");
        assert_eq!(
            redactor.redact("FATAL: s3cr%21t-pw / s3cr!t-pw"),
            "FATAL: ••• / •••"
        );
        assert_eq!(
            redactor.redact("role todo at db.example"),
            "role todo at db.example"
        );
    }

    #[test]
    fn a_value_broken_off_by_a_cut_line_is_hidden() {
        let redactor = redactor("supersecretvalue");
        let line = format!("xxxx supersec{CUT_MARK}");
        assert_eq!(redactor.redact(&line), format!("xxxx {MASK}{CUT_MARK}"));
    }

    #[test]
    fn each_line_of_a_value_with_several_is_hidden() {
        let redactor = redactor("first-line\nsecond-line");
        assert_eq!(redactor.redact("> second-line <"), "> ••• <");
    }

    #[test]
    fn it_prints_nothing() {
        assert_eq!(format!("{:?}", redactor("hunter2hunter2")), "Redactor(…)");
    }
}
