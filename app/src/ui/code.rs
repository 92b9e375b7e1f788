//! A command to run in a terminal, ready to copy.

use leptos::prelude::*;

use super::CopyButton;

#[component]
pub fn CommandBlock(#[prop(into)] command: String) -> impl IntoView {
    let copied = command.clone();
    view! {
        <div class="command">
            <code class="command-text" tabindex="0">{command}</code>
            <CopyButton what="command" text=move |()| copied.clone() />
        </div>
    }
    .into_any()
}
