//! The Images page.

use leptos::prelude::*;

#[component]
pub fn ImagesPage() -> impl IntoView {
    view! { <h1>"Images"</h1> }
}
