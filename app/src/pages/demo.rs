//! The demo screen: one look from five metres tells how things stand. No chrome, no scrolling,
//! nothing secret, and a lost connection shows as age, never as an empty screen.

use leptos::prelude::*;
use leptos_meta::Title;

use super::home::current_step;
use super::live::component_names;
use crate::components::{Mark, words};
use crate::live::{Connection, Live};
use crate::model::{
    ComponentName, EventRow, PanelState, Rollout, Severity, Slice, StepId, UnixMillis, humanize_ms,
};
use crate::ui::{StatusIcon, Tone};

/// As many tiles as can be read from five metres.
const TILES: usize = 6;

#[component]
pub fn DemoPage() -> impl IntoView {
    let live = Live::expect();
    let name = live.memo(&[Slice::Project], |state| {
        state
            .project
            .as_ref()
            .map_or_else(|| "Slipway".to_owned(), |project| project.name.clone())
    });
    let is_fresh = Memo::new(move |_| {
        let watch = live.read(&[Slice::Watch], |state| state.watch);
        live.is_fresh(&watch)
    });
    let overall = live.memo(&[Slice::Components, Slice::Project, Slice::Steps], overall);
    let shown = Signal::derive(move || match overall.get() {
        (Tone::Unknown, word) => (Tone::Unknown, word),
        said if is_fresh.get() => said,
        _ => (Tone::Stale, "Stale"),
    });
    let names = live.memo(&[Slice::Project, Slice::Components], |state| {
        let mut names = component_names(state);
        names.truncate(TILES);
        names
    });
    let viewers = live.memo(&[Slice::Viewers], |state| state.viewers);
    view! {
        <Title text="Demo screen" />
        <div class="demo" class:demo-stale=move || !is_fresh.get()>
            <header class="demo-head">
                <Mark />
                <h1 class="demo-name">{name}</h1>
                <p class=move || format!("demo-state {}", shown.get().0.class())>
                    <StatusIcon tone=Signal::derive(move || shown.get().0) />
                    <span>{move || shown.get().1}</span>
                </p>
            </header>
            <ul class="demo-tiles" aria-label="Services">
                <For
                    each=move || names.get()
                    key=Clone::clone
                    children=move |component| view! { <Tile component is_fresh /> }
                />
            </ul>
            <Show when=move || names.with(Vec::is_empty)>
                <p class="demo-nothing">"No services yet"</p>
            </Show>
            <footer class="demo-foot">
                <CurrentStep />
                <LastEvent />
                <p class="demo-line demo-quiet">
                    <span>
                        {move || match viewers.get() {
                            1 => "1 page watching".to_owned(),
                            more => format!("{more} pages watching"),
                        }}
                    </span>
                    <FreshnessClock />
                    <a class="demo-exit" href="/">
                        "Leave demo"
                    </a>
                </p>
            </footer>
        </div>
    }
    .into_any()
}

#[component]
fn Tile(component: ComponentName, is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let name = component.to_string();
    let said = live.memo(&[Slice::Components, Slice::Pods], move |state| {
        let row = state.components.get(&component);
        let (tone, word) = row.map_or((Tone::Off, "Not deployed".to_owned()), |row| {
            words::rollout(&row.rollout)
        });
        let counts = row.map_or_else(String::new, |row| format!("{}/{}", row.ready, row.replicas));
        let newest = state
            .pods
            .values()
            .filter(|pod| pod.component.as_ref() == Some(&component) && pod.current)
            .map(|pod| pod.created)
            .max();
        (tone, word, counts, newest)
    });
    let tone = Signal::derive(move || match said.get().0 {
        Tone::Off => Tone::Off,
        tone if is_fresh.get() => tone,
        _ => Tone::Stale,
    });
    view! {
        <li class=move || format!("demo-tile {}", tone.get().class())>
            <StatusIcon tone />
            <span class="demo-tile-name">{name}</span>
            <span class="demo-tile-word">{move || said.get().1}</span>
            <span class="demo-tile-age">
                {move || {
                    let (_, _, counts, newest) = said.get();
                    match newest {
                        Some(newest) => format!("{counts}, up {}", whole(live.now(), newest)),
                        None => counts,
                    }
                }}
            </span>
        </li>
    }
    .into_any()
}

#[component]
fn CurrentStep() -> impl IntoView {
    let live = Live::expect();
    let line = live.memo(&[Slice::Steps], |state| {
        let step = current_step(state);
        let (tone, word) = words::step(state.steps.get(&step));
        let hint = words::step_hint(state.steps.get(&step));
        (tone, step, word, hint)
    });
    view! {
        <p class=move || format!("demo-line {}", line.get().0.class())>
            <StatusIcon tone=Signal::derive(move || line.get().0) />
            <strong>
                {move || {
                    let (_, step, word, _) = line.get();
                    let number = StepId::ALL.iter().position(|id| *id == step).unwrap_or(0) + 1;
                    format!("{number} {}: {word}", step.title())
                }}
            </strong>
            <span class="demo-clip">{move || line.get().3}</span>
        </p>
    }
    .into_any()
}

#[component]
fn LastEvent() -> impl IntoView {
    let live = Live::expect();
    let event = live.memo(&[Slice::Events], |state| {
        state.events.values().max_by_key(|event| event.at).cloned()
    });
    view! {
        <p class="demo-line">
            {move || match event.get() {
                Some(EventRow { reason, name, message, at, .. }) => {
                    view! {
                        <span class="demo-age">{move || whole(live.now(), at)}</span>
                        <strong>{reason}</strong>
                        <span class="demo-clip" dir="auto">
                            {format!("{name}: {message}")}
                        </span>
                    }
                        .into_any()
                }
                None => view! { <span class="demo-quiet">"No events yet"</span> }.into_any(),
            }}
        </p>
    }
    .into_any()
}

#[component]
fn FreshnessClock() -> impl IntoView {
    let live = Live::expect();
    view! {
        <span class="demo-clock">
            {move || {
                let heard = live.read(&[Slice::Watch], |state| state.watch.heard);
                let age = heard.map(|heard| whole(live.now(), heard));
                match (live.connection(), age) {
                    (Connection::Reconnecting { .. }, Some(age)) => {
                        format!("Connection lost, data {age} old")
                    }
                    (_, Some(age)) => format!("Data {age} old"),
                    (_, None) => "No data yet".to_owned(),
                }
            }}
        </span>
    }
    .into_any()
}

fn whole(now: UnixMillis, then: UnixMillis) -> String {
    humanize_ms(now.since(then) / 1000 * 1000)
}

/// The word for everything together: the worst of all components.
fn overall(state: &PanelState) -> (Tone, &'static str) {
    let names = component_names(state);
    if names.is_empty() {
        return (Tone::Unknown, "Unknown");
    }
    let rollouts = || {
        names.iter().map(|name| {
            state
                .components
                .get(name)
                .map_or(&Rollout::Absent, |component| &component.rollout)
        })
    };
    let is_broken = state
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Failed);
    if is_broken || rollouts().any(|rollout| matches!(rollout, Rollout::Stuck { .. })) {
        (Tone::Failed, "Failed")
    } else if rollouts().any(|rollout| matches!(rollout, Rollout::Progressing { .. })) {
        (Tone::Working, "Starting")
    } else if rollouts().all(|rollout| *rollout == Rollout::Absent) {
        (Tone::Off, "Not deployed")
    } else if rollouts().any(|rollout| *rollout == Rollout::Absent) {
        (Tone::Attention, "Degraded")
    } else {
        (Tone::Ok, "Ready")
    }
}
