//! The Live page.

use leptos::prelude::*;

#[component]
pub fn LivePage() -> impl IntoView {
    view! { <h1>"Live"</h1> }
}
