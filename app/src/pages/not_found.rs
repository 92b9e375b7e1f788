//! The NotFound page.

use leptos::prelude::*;

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <h1>"NotFound"</h1> }
}
