//! Events: what happened last, newest first.

use leptos::prelude::*;

use super::happening::{Happening, happenings};
use super::whole;
use crate::live::Live;
use crate::model::Slice;
use crate::ui::StatusIcon;

/// As many lines as fit in letters that can be read from five metres.
const LINES: usize = 8;

#[component]
pub fn EventsScene() -> impl IntoView {
    let live = Live::expect();
    let lines = live.memo(&[Slice::Events, Slice::Runs], |state| {
        happenings(state, LINES)
    });
    view! {
        <Show
            when=move || lines.with(|lines| !lines.is_empty())
            fallback=|| view! { <p class="demo-nothing">"Nothing has happened yet"</p> }
        >
            <ol class="demo-events" aria-label="What happened last">
                <For
                    each=move || lines.get()
                    key=|line| line.key.clone()
                    children=|line| view! { <HappeningLine line /> }
                />
            </ol>
        </Show>
    }
    .into_any()
}

#[component]
fn HappeningLine(line: Happening) -> impl IntoView {
    let live = Live::expect();
    let at = line.at;
    view! {
        <li class=format!("demo-event {}", line.tone.class())>
            <span class="demo-age">{move || whole(live.now(), at)}</span>
            <StatusIcon tone=line.tone />
            <strong>{line.title}</strong>
            <span class="demo-clip" dir="auto">
                {line.text}
            </span>
        </li>
    }
    .into_any()
}
