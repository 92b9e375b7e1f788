//! Takes every part of a value out of words that came from elsewhere: servers repeat user names,
//! hosts, and sometimes half a key.

use zeroize::Zeroizing;

const MASK: &str = "…";
/// Shorter parts are words of every language.
const SHORTEST: usize = 3;
/// Of a key, servers like to show its beginning and its end.
const KEY_PART: usize = 4;

/// The parts of one value, longest first; wiped on drop.
pub(super) struct Scrub {
    parts: Vec<Zeroizing<String>>,
    /// The first and last characters of the value.
    edges: Vec<Zeroizing<String>>,
}

impl Scrub {
    pub fn of(value: &str) -> Self {
        let mut parts: Vec<String> = vec![value.to_owned()];
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.~%".contains(c) || !c.is_ascii();
        let pieces = value.split(|c| !is_part(c));
        for piece in pieces.filter(|piece| !is_common(piece)) {
            parts.push(piece.to_owned());
            parts.push(decoded(piece));
        }
        parts.retain(|part| part.chars().count() >= SHORTEST);
        parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        parts.dedup();
        let characters: Vec<char> = value.chars().collect();
        let edges = if characters.len() > 4 * KEY_PART {
            vec![
                characters[..2 * KEY_PART].iter().collect(),
                characters[characters.len() - KEY_PART..].iter().collect(),
            ]
        } else {
            Vec::new()
        };
        let wiped = |texts: Vec<String>| texts.into_iter().map(Zeroizing::new).collect();
        Self {
            parts: wiped(parts),
            edges: wiped(edges),
        }
    }

    /// The text without any part of the value, cut to a length one can read.
    pub fn clean(&self, text: &str) -> String {
        let mut text: String = text.chars().take(600).collect();
        for part in &self.parts {
            // In any spelling: servers fold hosts and names to lower case.
            text = replace_folded(&text, part);
        }
        // What is left of a key that the server shortened: `sk-abcd****wxyz`.
        text.split_inclusive(char::is_whitespace)
            .map(|word| {
                let is_shortened = word.contains('*') || word.contains("...") || word.contains('…');
                match self
                    .edges
                    .iter()
                    .find(|edge| is_shortened && word.contains(edge.as_str()))
                {
                    Some(_) => format!("{MASK} "),
                    None => word.to_owned(),
                }
            })
            .collect::<String>()
            .trim_end()
            .to_owned()
    }
}

/// Schemes and settings that are in every such value tell nothing.
fn is_common(piece: &str) -> bool {
    const COMMON: &[&str] = &[
        "postgres",
        "postgresql",
        "http",
        "https",
        "sslmode",
        "require",
        "prefer",
        "disable",
        "verify-full",
        "verify-ca",
        "channel_binding",
        "localhost",
        "127.0.0.1",
        "options",
    ];
    COMMON.contains(&piece)
}

/// The text without its percent-encoding; `+` is itself, as in the authority of a URL.
pub(super) fn decoded(text: &str) -> String {
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn replace_folded(text: &str, part: &str) -> String {
    let (low, wanted) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = low[from..].find(&wanted) {
        shown.push_str(&text[from..from + at]);
        shown.push_str(MASK);
        from += at + wanted.len();
    }
    shown.push_str(&text[from..]);
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_host_password_and_shortened_keys_are_taken_out() {
        let scrub =
            Scrub::of("postgres://Ada:p%40ss-word@EP-cool.neon.tech:5432/orders?sslmode=require");
        let said = scrub.clean(
            "password authentication failed for user 'ada' on ep-cool.neon.tech/orders, p@ss-word",
        );
        for part in ["ada", "ep-cool", "orders", "p@ss-word"] {
            assert!(!said.contains(part), "{said}");
        }
        assert!(said.contains("password authentication failed"));
        let scrub = Scrub::of("sk-proj-0123456789abcdefWXYZ");
        let said =
            scrub.clean("Incorrect API key provided: sk-proj-****************WXYZ. Find yours");
        assert_eq!(said, "Incorrect API key provided: … Find yours");
    }

    proptest! {
        #[test]
        fn no_long_piece_of_a_value_survives(value in "[a-zA-Z0-9:/@?&=%_.-]{8,60}", before in "[ a-z]{0,20}", after in "[ A-Z]{0,20}") {
            let said = Scrub::of(&value).clean(&format!("{before} {value} {after}"));
            prop_assert!(!said.contains(&value), "{said}");
        }

        #[test]
        fn no_text_breaks_it(value in ".{0,80}", text in ".{0,200}") {
            let _ = Scrub::of(&value).clean(&text);
        }
    }
}
