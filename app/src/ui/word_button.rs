//! A word that acts, in a line of text or in the head of a card.

use leptos::prelude::*;

#[component]
pub fn WordButton(
    #[prop(into)] word: String,
    /// Says the word and on what it acts: many of them stand on one page.
    #[prop(into)]
    label: String,
    /// A class more, for its place or its danger.
    #[prop(optional)]
    look: &'static str,
    #[prop(into)] on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class=format!("link-button {look}").trim_end().to_owned()
            aria-label=label
            on:click=move |_| on_press.run(())
        >
            {word}
        </button>
    }
    .into_any()
}
