//! When there is nothing to show: what would stand here and how it gets there.

use leptos::prelude::*;

use super::{StatusIcon, Tone};

#[component]
pub fn EmptyMessage(
    #[prop(default = Tone::Off)] tone: Tone,
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <StatusIcon tone />
            <p class="empty-title">{title}</p>
            <p class="empty-text">{text}</p>
            {children.map(|children| view! { <div class="empty-acts">{children()}</div> })}
        </div>
    }
    .into_any()
}

/// Stands for content that is on its way.
#[component]
pub fn Skeleton() -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="sr-only">"Loading"</span>
            <span class="skeleton-line"></span>
            <span class="skeleton-line"></span>
            <span class="skeleton-line"></span>
        </div>
    }
    .into_any()
}
