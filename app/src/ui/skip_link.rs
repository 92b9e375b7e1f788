//! The first stop of the keyboard: past the chrome, to what matters.

use leptos::prelude::*;

#[component]
pub fn SkipLink() -> impl IntoView {
    view! {
        <a class="skip-link" href="#main" rel="external">
            "Skip to the content"
        </a>
    }
    .into_any()
}
