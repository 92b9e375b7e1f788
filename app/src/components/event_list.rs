//! The cluster's events about our objects, newest first.

use leptos::prelude::*;

use super::Age;
use crate::live::Live;
use crate::model::{EventRow, Slice};
use crate::ui::{Button, EmptyMessage, StatusBadge, Tone};

/// How many are shown before one asks for all.
const FIRST: usize = 40;

#[component]
pub fn EventList() -> impl IntoView {
    let live = Live::expect();
    let all = RwSignal::new(false);
    let events = live.memo(&[Slice::Events], |state| {
        let mut events: Vec<EventRow> = state.events.values().cloned().collect();
        events.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.uid.cmp(&b.uid)));
        events
    });
    let shown = move || {
        let limit = if all.get() { usize::MAX } else { FIRST };
        events.with(|events| events.iter().take(limit).cloned().collect::<Vec<_>>())
    };
    view! {
        <Show
            when=move || events.with(|events| !events.is_empty())
            fallback=|| {
                view! {
                    <EmptyMessage
                        title="No events"
                        text="What the cluster reports about this project's objects appears here."
                    />
                }
            }
        >
            <ul class="events">
                <For each=shown key=|event| (event.uid.clone(), event.count, event.at) children=|event| row(event) />
            </ul>
            <Show when=move || !all.get() && events.with(|events| events.len() > FIRST)>
                <Button on_press=move |()| {
                    all.set(true)
                }>{move || format!("Show all {} events", events.with(Vec::len))}</Button>
            </Show>
        </Show>
    }
    .into_any()
}

fn row(event: EventRow) -> impl IntoView {
    let (tone, word) = if event.warning {
        (Tone::Attention, "Warning")
    } else {
        (Tone::Off, "Normal")
    };
    view! {
        <li class="event">
            <StatusBadge tone word=word.to_owned() quiet=true />
            <div class="event-words">
                <p class="event-line">
                    <strong>{event.reason}</strong>
                    <span class="event-object">{format!("{} {}", event.kind, event.name)}</span>
                    {(event.count > 1)
                        .then(|| view! { <span class="tag">{format!("{} times", event.count)}</span> })}
                </p>
                <p class="event-message" dir="auto">
                    {event.message}
                </p>
            </div>
            <span class="event-age">
                <Age at=event.at />
            </span>
        </li>
    }
    .into_any()
}
