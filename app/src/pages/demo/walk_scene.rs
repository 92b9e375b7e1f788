//! The walk: all six steps, big as a scene of its own and small above every other scene.

use leptos::prelude::*;

use crate::components::words;
use crate::live::Live;
use crate::model::{Slice, StepId};
use crate::ui::{StatusIcon, Tone};

/// Six big cards.
#[component]
pub fn WalkScene(is_fresh: Memo<bool>) -> impl IntoView {
    let cards = StepId::ALL
        .into_iter()
        .enumerate()
        .map(|(at, step)| {
            let (tone, word, hint) = said(step, is_fresh);
            view! {
                <li class=move || format!("demo-step {}", tone.get().class())>
                    <span class="demo-step-number" aria-hidden="true">
                        {at + 1}
                    </span>
                    <StatusIcon tone />
                    <span class="demo-step-name">{step.title()}</span>
                    <span class="demo-step-word">{word}</span>
                    <span class="demo-step-hint" dir="auto">
                        {hint}
                    </span>
                </li>
            }
        })
        .collect_view();
    view! {
        <ol class="demo-steps" aria-label="Steps">
            {cards}
        </ol>
    }
    .into_any()
}

/// One line.
#[component]
pub fn WalkStrip(is_fresh: Memo<bool>) -> impl IntoView {
    let cells = StepId::ALL
        .into_iter()
        .map(|step| {
            let (tone, word, _) = said(step, is_fresh);
            view! {
                <li class=move || format!("demo-strip-step {}", tone.get().class())>
                    <StatusIcon tone />
                    <span class="demo-strip-name">{step.title()}</span>
                    <span class="demo-strip-word">{word}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <ol class="demo-strip" aria-label="Steps">
            {cells}
        </ol>
    }
    .into_any()
}

fn said(step: StepId, is_fresh: Memo<bool>) -> (Signal<Tone>, Signal<String>, Signal<String>) {
    let live = Live::expect();
    let told = live.memo(&[Slice::Steps], move |state| {
        let state = state.steps.get(&step);
        (words::step(state), words::step_hint(state))
    });
    let said = Memo::new(move |_| words::aged(told.get().0, is_fresh.get()));
    (
        Signal::derive(move || said.get().0),
        Signal::derive(move || said.get().1),
        Signal::derive(move || told.get().1),
    )
}
