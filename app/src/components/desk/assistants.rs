//! Who can be asked: one row each, and everything about the chosen one.

use leptos::prelude::*;

use super::own_agent::OwnAgentOffer;
use super::setting::SettingForm;
use super::standing_word;
use crate::components::FindingCard;
use crate::model::{AgentView, AssistantId, AssistantView, Desk, Destination, KeyState, Standing};
use crate::ui::{StatusBadge, StatusIcon};

#[component]
pub fn AssistantList(
    desk: Signal<Option<Desk>>,
    chosen: RwSignal<Option<AssistantId>>,
    active: Memo<Option<AssistantId>>,
    changed: Callback<()>,
) -> impl IntoView {
    let all = move || {
        desk.with(|desk| desk.as_ref().map(|desk| desk.assistants.clone()))
            .unwrap_or_default()
    };
    view! {
        <fieldset class="desk-who">
            <legend class="sr-only">"Who is asked"</legend>
            {move || {
                all()
                    .into_iter()
                    .map(|one| {
                        let id = one.id;
                        let (tone, word) = standing_word(&one);
                        view! {
                            <label class="desk-one">
                                <input
                                    type="radio"
                                    name="assistant"
                                    prop:checked=move || active.get() == Some(id)
                                    on:change=move |_| chosen.set(Some(id))
                                />
                                <StatusIcon tone />
                                <span class="desk-name">{id.title()}</span>
                                <span class="card-hint">{word}</span>
                            </label>
                        }
                    })
                    .collect_view()
            }}
        </fieldset>
        {move || {
            let active = active.get()?;
            let one = all().into_iter().find(|one| one.id == active)?;
            Some(view! { <About one changed /> })
        }}
    }
    .into_any()
}

/// Everything about one of them.
#[component]
fn About(one: AssistantView, changed: Callback<()>) -> impl IntoView {
    let (tone, word) = standing_word(&one);
    let version = one
        .version
        .clone()
        .map(|version| format!("Version {version}"));
    let model = one
        .choices
        .model
        .clone()
        .map(|model| format!("Model {model}"));
    let facts: Vec<String> = [
        version,
        model,
        Some(goes_to(&one.destination)),
        one.key.map(key_words),
    ]
    .into_iter()
    .flatten()
    .collect();
    let missing = match &one.standing {
        Standing::Missing { finding } => Some((**finding).clone()),
        _ => None,
    };
    let has_setting = !one.fields.is_empty() || one.key.is_some();
    let is_open = missing.is_some();
    view! {
        <div class="desk-about">
            <div class="desk-about-head">
                <StatusBadge tone word=word.to_owned() quiet=true />
                <span class="card-hint">{facts.join(" · ")}</span>
            </div>
            <p class="desk-may">{one.id.may()}</p>
            {one.notes.iter().map(|note| view! { <p class="card-hint">{note.clone()}</p> }).collect_view()}
            {missing.map(|finding| view! { <FindingCard finding /> })}
            {(!one.agents.is_empty()).then(|| agents(&one.agents))}
            {one.own_agent.clone().map(|agent| view! { <OwnAgentOffer agent changed /> })}
            {has_setting
                .then(|| {
                    view! {
                        <details class="desk-setting" open=is_open>
                            <summary>"Settings"</summary>
                            <SettingForm one=one.clone() changed />
                        </details>
                    }
                })}
        </div>
    }
    .into_any()
}

fn agents(agents: &[AgentView]) -> impl IntoView {
    let row = |agent: &AgentView| {
        let unasked = (!agent.unasked.is_empty()).then(|| {
            format!(
                "Changes things without asking: {}",
                agent.unasked.join(", ")
            )
        });
        view! {
            <li>
                <code>{agent.name.clone()}</code>
                <span class="card-hint">{agent.description.clone()}</span>
                {unasked.map(|words| view! { <strong class="desk-unasked">{words}</strong> })}
            </li>
        }
    };
    view! { <ul class="desk-agents">{agents.iter().map(row).collect_view()}</ul> }.into_any()
}

fn goes_to(destination: &Destination) -> String {
    match destination {
        Destination::Machine => "Stays on this machine".to_owned(),
        Destination::Cloud { to } => format!("Goes to {to}"),
        Destination::Unknown => "May leave this machine".to_owned(),
    }
}

fn key_words(key: KeyState) -> String {
    match key {
        KeyState::Unset => "No key",
        KeyState::Environment => "Key from the environment",
        KeyState::Entered => "Key entered, kept in memory only",
    }
    .to_owned()
}
