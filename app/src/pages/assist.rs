//! The Assist page.

use leptos::prelude::*;

#[component]
pub fn AssistPage() -> impl IntoView {
    view! { <h1>"Assist"</h1> }
}
