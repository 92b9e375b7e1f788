//! A state as shape, word and colour.

use leptos::prelude::*;
use tailwind_rs_macros::classes;

use super::Tone;

/// Only the shape; the word must stand beside it.
#[component]
pub fn StatusIcon(#[prop(into)] tone: Signal<Tone>) -> impl IntoView {
    view! {
        <span class=move || format!("state-icon {}", tone.get().class()) aria-hidden="true">
            <svg viewBox="0 0 16 16" focusable="false" inner_html=move || tone.get().shape()></svg>
        </span>
    }
    .into_any()
}

/// Shape and word. `quiet` leaves the tinted background out.
#[component]
pub fn StatusBadge(
    #[prop(into)] tone: Signal<Tone>,
    #[prop(into)] word: Signal<String>,
    #[prop(optional)] quiet: bool,
) -> impl IntoView {
    let look = if quiet {
        classes! { base: "badge", variant: "badge-quiet" }
    } else {
        classes! { base: "badge", variant: "badge-tinted" }
    };
    view! {
        <span class=move || format!("{look} {}", tone.get().class())>
            <StatusIcon tone />
            <span>{word}</span>
        </span>
    }
    .into_any()
}
