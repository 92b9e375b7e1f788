//! The stages of a run in order: what is done, what is going, what never came to be.

use leptos::prelude::*;

use super::{Elapsed, content, words};
use crate::model::{Stage, StageState, humanize_ms};
use crate::ui::{Progress, StatusIcon};

#[component]
pub fn RunStages(#[prop(into)] stages: Signal<Vec<Stage>>) -> impl IntoView {
    view! {
        <ol class="stages">
            <For each=move || stages.get() key=content children=|stage| row(stage) />
        </ol>
    }
    .into_any()
}

fn row(stage: Stage) -> impl IntoView {
    let (tone, word) = words::stage(&stage.state);
    let note = words::stage_note(&stage.state);
    let time = match &stage.state {
        StageState::Running { since, .. } => {
            view! { <Elapsed since=*since until=None /> }.into_any()
        }
        StageState::Succeeded { took_ms, .. } | StageState::Failed { took_ms, .. } => {
            view! { <span class="age">{humanize_ms(*took_ms)}</span> }.into_any()
        }
        _ => ().into_any(),
    };
    let share = match &stage.state {
        StageState::Running { progress, .. } => Some(progress.as_ref().and_then(|progress| {
            progress
                .total
                .filter(|total| *total > 0)
                .map(|total| progress.done as f64 / total as f64)
        })),
        _ => None,
    };
    let title = stage.title.clone();
    view! {
        <li class=format!("stage {}", tone.class())>
            <StatusIcon tone />
            <div class="stage-words">
                <p class="stage-title">
                    {stage.title} <span class="stage-word">{word}</span>
                </p>
                {(!note.is_empty()).then(|| view! { <p class="stage-note" dir="auto">{note}</p> })}
                {share.map(|share| view! { <Progress label=format!("Progress of {title}") share /> })}
            </div>
            <span class="stage-time">{time}</span>
        </li>
    }
    .into_any()
}
