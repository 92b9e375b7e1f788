//! The walk: all six steps, big as a scene of its own and small above every other scene.

use leptos::prelude::*;

use super::aged;
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
    let line = live.memo(&[Slice::Steps], move |state| {
        let (tone, word) = words::step(state.steps.get(&step));
        (tone, word, words::step_hint(state.steps.get(&step)))
    });
    (
        Signal::derive(move || match line.get().0 {
            Tone::Ok => aged(Tone::Ok, is_fresh.get()),
            tone => tone,
        }),
        Signal::derive(move || match line.get() {
            (Tone::Ok, ..) if !is_fresh.get() => "Stale".to_owned(),
            (_, word, _) => word,
        }),
        Signal::derive(move || line.get().2),
    )
}
