//! A sentence in which what is typed stands in backticks.

use leptos::prelude::*;

/// The sentence, with what stands in backticks as code. One without a partner is a backtick.
pub fn prose(text: &str) -> Vec<AnyView> {
    pieces(text)
        .into_iter()
        .map(|(piece, is_code)| match is_code {
            true => view! { <code class="prose-code">{piece.to_owned()}</code> }.into_any(),
            false => piece.to_owned().into_any(),
        })
        .collect()
}

/// In order, and whether each stood in backticks.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((code, after)) = after.split_once('`').filter(|(code, _)| !code.is_empty()) else {
            break;
        };
        found.extend([(before, false), (code, true)]);
        rest = after;
    }
    found.push((rest, false));
    found.retain(|(piece, _)| !piece.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_backticks_mean_code() {
        for (text, expected) in [
            ("", vec![]),
            ("plain", vec![("plain", false)]),
            (
                "run `helm lint` first",
                vec![("run ", false), ("helm lint", true), (" first", false)],
            ),
            ("`a``b`", vec![("a", true), ("b", true)]),
            ("one ` alone", vec![("one ` alone", false)]),
            ("``", vec![("``", false)]),
            ("`a` and ` more", vec![("a", true), (" and ` more", false)]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }
}
