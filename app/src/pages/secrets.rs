//! The Secrets page.

use leptos::prelude::*;

#[component]
pub fn SecretsPage() -> impl IntoView {
    view! { <h1>"Secrets"</h1> }
}
