//! One line of a difference, wherever one is shown: a sign for the eye, a word for the ear, the text.

use leptos::prelude::*;

/// What stands before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Same,
    Removed,
    Added,
}

#[component]
pub fn DiffLine(sign: Sign, #[prop(into)] text: String) -> impl IntoView {
    view! { <div class="diff-line">{side(sign, &text, None)}</div> }.into_any()
}

/// The line without its row; the bytes of `mark` are what differs in it.
pub(super) fn side(sign: Sign, text: &str, mark: Option<(usize, usize)>) -> AnyView {
    match sign {
        Sign::Same => view! {
            <span class="diff-side">
                <span class="diff-sign" aria-hidden="true">" "</span>
                <span class="diff-text">{text.to_owned()}</span>
            </span>
        }
        .into_any(),
        Sign::Removed => view! {
            <del class="diff-side diff-removed">
                <span class="diff-sign" aria-hidden="true">"−"</span>
                <span class="sr-only">"Removed: "</span>
                <span class="diff-text">{marked(text, mark)}</span>
            </del>
        }
        .into_any(),
        Sign::Added => view! {
            <ins class="diff-side diff-added">
                <span class="diff-sign" aria-hidden="true">"+"</span>
                <span class="sr-only">"Added: "</span>
                <span class="diff-text">{marked(text, mark)}</span>
            </ins>
        }
        .into_any(),
    }
}

fn marked(text: &str, range: Option<(usize, usize)>) -> AnyView {
    match range {
        Some((from, to)) if from < to => view! {
            {text[..from].to_owned()}
            <mark class="diff-mark">{text[from..to].to_owned()}</mark>
            {text[to..].to_owned()}
        }
        .into_any(),
        _ => text.to_owned().into_any(),
    }
}
