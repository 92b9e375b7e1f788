//! The Deploy page.

use leptos::prelude::*;

#[component]
pub fn DeployPage() -> impl IntoView {
    view! { <h1>"Deploy"</h1> }
}
