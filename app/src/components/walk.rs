//! The walk: all six steps from left to right, each with its state, always in view.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::words;
use crate::live::Live;
use crate::model::{Slice, StepId};
use crate::ui::StatusIcon;

#[component]
pub fn Walk() -> impl IntoView {
    view! {
        <nav class="walk" aria-label="Steps">
            <ol class="walk-steps">
                {StepId::ALL
                    .into_iter()
                    .enumerate()
                    .map(|(at, id)| view! { <WalkStep at id /> })
                    .collect_view()}
            </ol>
        </nav>
    }
    .into_any()
}

#[component]
fn WalkStep(at: usize, id: StepId) -> impl IntoView {
    let live = Live::expect();
    let told = live.memo(&[Slice::Steps], move |state| {
        words::step(state.steps.get(&id))
    });
    // Only the server knows how a step stands.
    let said = Memo::new(move |_| words::aged(told.get(), live.stream_is_fresh()));
    let hint = live.memo(&[Slice::Steps], move |state| {
        words::step_hint(state.steps.get(&id))
    });
    let pathname = use_location().pathname;
    let is_here = Memo::new(move |_| pathname.with(|path| path == id.path()));
    let tone = Signal::derive(move || said.get().0);
    view! {
        <li class=move || format!("walk-step {}", tone.get().class())>
            <a
                class="walk-link"
                href=id.path()
                aria-current=move || is_here.get().then_some("step")
                title=hint
            >
                <span class="walk-mark">
                    <StatusIcon tone />
                </span>
                <span class="walk-title">
                    <span class="walk-number">{at + 1}" "</span>
                    {id.title()}
                </span>
                <span class="walk-word">{move || said.get().1}</span>
                <span class="walk-hint" aria-hidden="true">
                    {hint}
                </span>
            </a>
        </li>
    }
    .into_any()
}
