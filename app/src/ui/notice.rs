//! A message that stays where it belongs; nothing pops up and nothing vanishes by itself.

use leptos::prelude::*;

use super::{StatusIcon, Tone};

/// Failures are announced at once, everything else politely.
#[component]
pub fn Notice(
    tone: Tone,
    #[prop(into)] title: Signal<String>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let role = if tone == Tone::Failed {
        "alert"
    } else {
        "status"
    };
    view! {
        <div class=format!("notice {}", tone.class()) role=role>
            <StatusIcon tone />
            <div class="notice-body">
                <p class="notice-title">{title}</p>
                {children.map(|children| children())}
            </div>
        </div>
    }
    .into_any()
}
