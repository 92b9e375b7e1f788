//! Asking an assistant of one's own: the question, what it is told, part by part, and the whole text
//! to take along, seen before it goes anywhere.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::{FailureNote, ask};
use crate::api::assistants::read_pack;
use crate::live::Live;
use crate::model::{ContextPack, PackPart, PackSection, PromptIdea};
use crate::ui::{Button, ButtonKind, CopyButton};

/// For operators: it holds more than a viewer is shown.
#[component]
pub fn ContextPackCard() -> impl IntoView {
    let live = Live::expect();
    move || live.is_operator().then(|| view! { <Desk /> })
}

#[component]
fn Desk() -> impl IntoView {
    let question = RwSignal::new(String::new());
    let left_out = RwSignal::new(BTreeSet::<PackPart>::new());
    let read = ask(move |()| read_pack());
    let pack = read.answer();
    // A question is there from the start; a person's own is never replaced.
    Effect::new(move |_| {
        let first = pack.with(|pack| pack.as_ref()?.ideas.first().map(|idea| idea.prompt.clone()));
        if let Some(first) = first
            && question.with_untracked(String::is_empty)
        {
            question.set(first);
        }
    });
    let whole = Memo::new(move |_| {
        pack.with(|pack| {
            let pack = pack.as_ref()?;
            Some(question.with(|question| left_out.with(|out| pack.text(question, out))))
        })
    });
    view! {
        <section class="card" aria-label="Ask an assistant">
            <div class="card-head">
                <div>
                    <h2 class="card-title">"Ask an assistant"</h2>
                    <p class="card-hint">
                        "Slipway gathers what an assistant has to know and hides what is secret. Nothing is sent: read it, switch parts off, and take it to the assistant you trust."
                    </p>
                </div>
                <div class="card-tools">
                    <Button busy=read.is_pending() on_press=move |()| read.send(())>
                        {move || if pack.with(Option::is_some) { "Gather again" } else { "Gather" }}
                    </Button>
                </div>
            </div>
            <FailureNote failure=read.failure() />
            {move || pack.get().map(|pack| view! { <Gathered pack question left_out whole /> })}
        </section>
    }
    .into_any()
}

#[component]
fn Gathered(
    pack: ContextPack,
    question: RwSignal<String>,
    left_out: RwSignal<BTreeSet<PackPart>>,
    whole: Memo<Option<String>>,
) -> impl IntoView {
    let text = move || whole.get().unwrap_or_default();
    let size = move || {
        let characters = whole.with(|whole| whole.as_ref().map_or(0, |text| text.chars().count()));
        format!(
            "{characters} characters, about {} tokens",
            characters.div_ceil(4)
        )
    };
    view! {
        <div class="pack-ideas" role="group" aria-label="Questions to begin with">
            {pack.ideas.into_iter().map(|idea| idea_button(idea, question)).collect_view()}
        </div>
        <div class="field">
            <label class="field-label" for="pack-question">
                "Your question"
            </label>
            <textarea
                id="pack-question"
                class="input pack-question"
                rows="3"
                prop:value=question
                on:input:target=move |event| question.set(event.target().value())
            >
                {question.get_untracked()}
            </textarea>
        </div>
        <fieldset class="pack-parts">
            <legend class="field-label">"What it is told"</legend>
            {pack.sections.into_iter().map(|section| part_switch(section, left_out)).collect_view()}
        </fieldset>
        <details class="pack-whole">
            <summary>"Read the whole text"</summary>
            <pre dir="auto" tabindex="0" role="group" aria-label="The whole text">
                {text}
            </pre>
        </details>
        <div class="pack-acts">
            <CopyButton what="the text" idle="Copy the text" text=move |()| whole.get_untracked().unwrap_or_default() />
            <span class="card-hint">{size}</span>
        </div>
    }
    .into_any()
}

fn idea_button(idea: PromptIdea, question: RwSignal<String>) -> impl IntoView {
    let prompt = idea.prompt.clone();
    view! {
        <Button kind=ButtonKind::Quiet on_press=move |()| question.set(prompt.clone())>
            {idea.title}
        </Button>
    }
}

fn part_switch(section: PackSection, left_out: RwSignal<BTreeSet<PackPart>>) -> impl IntoView {
    let part = section.part;
    let lines = section.text.lines().count();
    let hidden = match section.hidden {
        0 => String::new(),
        1 => ", 1 value hidden".to_owned(),
        many => format!(", {many} values hidden"),
    };
    view! {
        <label class="pack-part">
            <input
                type="checkbox"
                prop:checked=move || left_out.with(|out| !out.contains(&part))
                on:change=move |_| {
                    left_out
                        .update(|out| {
                            if !out.remove(&part) {
                                out.insert(part);
                            }
                        })
                }
            />
            <span class="pack-part-name">{part.title()}</span>
            <span class="card-hint">{format!("{lines} lines{hidden}")}</span>
        </label>
    }
    .into_any()
}
