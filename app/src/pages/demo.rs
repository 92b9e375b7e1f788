//! The Demo page.

use leptos::prelude::*;

#[component]
pub fn DemoPage() -> impl IntoView {
    view! { <h1>"Demo"</h1> }
}
