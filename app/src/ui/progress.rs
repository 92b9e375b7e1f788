//! How far something is, and how much of an allowance it takes.

use leptos::prelude::*;

/// `share` from 0 to 1; none when nobody can know.
#[component]
pub fn Progress(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] share: Signal<Option<f64>>,
) -> impl IntoView {
    view! {
        <progress
            class="progress"
            class:progress-unknown=move || share.get().is_none()
            aria-label=move || label.get()
            max="100"
            value=move || share.get().map(|share| format!("{:.1}", share.clamp(0.0, 1.0) * 100.0))
        ></progress>
    }
    .into_any()
}

/// A part of an allowance; above 1 it is over.
#[component]
pub fn Meter(#[prop(into)] label: String, #[prop(into)] share: Signal<f64>) -> impl IntoView {
    let percent = move || format!("{:.1}%", share.get().clamp(0.0, 1.0) * 100.0);
    view! {
        <svg
            class="meter"
            class:meter-over=move || { share.get() > 1.0 }
            role="img"
            aria-label=label
            height="8"
            width="100%"
        >
            <rect class="meter-track" width="100%" height="8" rx="4" />
            <rect class="meter-fill" width=percent height="8" rx="4" />
        </svg>
    }
    .into_any()
}
