//! Health: every component with its three probe lights, its version and how long it has been up.

use leptos::prelude::*;

use super::light::{self, Light};
use super::{aged, version, whole};
use crate::components::words;
use crate::live::Live;
use crate::model::{ComponentName, Slice, UnixMillis};
use crate::pages::live::component_names;
use crate::ui::{StatusIcon, Tone};

/// As many tiles as can be read from five metres.
const TILES: usize = 6;

#[component]
pub fn HealthScene(is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let names = live.memo(&[Slice::Project, Slice::Components], component_names);
    let shown = Memo::new(move |_| {
        names.with(|names| names.iter().take(TILES).cloned().collect::<Vec<_>>())
    });
    let size = move || match shown.with(Vec::len) {
        0..=2 => "demo-tiles demo-tiles-few",
        3 => "demo-tiles demo-tiles-some",
        4 => "demo-tiles demo-tiles-four",
        _ => "demo-tiles demo-tiles-many",
    };
    view! {
        <ul class=size aria-label="Services">
            <For
                each=move || shown.get()
                key=Clone::clone
                children=move |component| view! { <Tile component is_fresh /> }
            />
        </ul>
        <Show when=move || names.with(Vec::is_empty)>
            <p class="demo-nothing">"No services yet"</p>
        </Show>
        <Show when=move || names.with(|names| names.len() > TILES)>
            <p class="demo-more">
                {move || format!("and {} more", names.with(|names| names.len() - TILES))}
            </p>
        </Show>
    }
    .into_any()
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    pods: String,
    version: String,
    revision: String,
    restarts: u32,
    up_since: Option<UnixMillis>,
}

#[component]
fn Tile(component: ComponentName, is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let name = component.to_string();
    let of_rollout = component.clone();
    let said = live.memo(&[Slice::Components], move |state| {
        words::component(state.components.get(&of_rollout))
    });
    let tone = Signal::derive(move || aged(said.get().0, is_fresh.get()));
    let word = move || match tone.get() {
        Tone::Stale => "Stale".to_owned(),
        _ => said.get().1,
    };
    let of_lights = component.clone();
    let lights = live.memo(&[Slice::Pods, Slice::OwnProbes], move |state| {
        light::lights(state, &of_lights)
    });
    let of_why = component.clone();
    let why = live.memo(
        &[Slice::Components, Slice::Pods, Slice::Reasons],
        move |state| state.why_component_waits(&of_why).map(str::to_owned),
    );
    let facts = live.memo(&[Slice::Components, Slice::Pods], move |state| {
        let up_since = light::up_since(state, &component);
        state
            .components
            .get(&component)
            .map(|row| Facts {
                pods: format!("{}/{}", row.ready, row.replicas),
                version: version(&row.image),
                revision: row.revision.to_string(),
                restarts: row.restarts,
                up_since,
            })
            .unwrap_or_default()
    });
    let is_there = move || facts.with(|facts| !facts.pods.is_empty());
    let up = move || match facts.get().up_since {
        Some(since) => whole(live.now(), since),
        None => "Down".to_owned(),
    };
    view! {
        <li class=move || format!("demo-tile {}", tone.get().class())>
            <div class="demo-tile-head">
                <StatusIcon tone />
                <span class="demo-tile-name">{name}</span>
                <span class="demo-tile-word">{word}</span>
            </div>
            <ul class="demo-lights" aria-label="Probes">
                {(0..3)
                    .map(|at| {
                        let light = Signal::derive(move || lights.with(|lights| lights[at].clone()));
                        view! { <ProbeLamp light is_fresh /> }
                    })
                    .collect_view()}
            </ul>
            // The sentence takes the place of the facts: both would be too much to read from afar.
            <p class="demo-why" dir="auto" hidden=move || why.with(Option::is_none)>
                {why}
            </p>
            <Show when=move || is_there() && why.with(Option::is_none)>
                <dl class="demo-facts">
                    <Fact name="Up" value=Signal::derive(up) />
                    <Fact name="Pods" value=Signal::derive(move || facts.get().pods) />
                    <Fact name="Version" value=Signal::derive(move || facts.get().version) />
                    <Fact
                        name="Restarts"
                        value=Signal::derive(move || facts.get().restarts.to_string())
                    />
                    <Fact name="Revision" value=Signal::derive(move || facts.get().revision) />
                </dl>
            </Show>
        </li>
    }
    .into_any()
}

#[component]
fn ProbeLamp(light: Signal<Light>, is_fresh: Memo<bool>) -> impl IntoView {
    let tone = Signal::derive(move || aged(light.get().tone, is_fresh.get()));
    let word = move || match tone.get() {
        Tone::Stale => "Stale".to_owned(),
        _ => light.get().word,
    };
    view! {
        <li class=move || format!("demo-light {}", tone.get().class())>
            <StatusIcon tone />
            <span class="demo-light-kind">{move || light.get().kind.title()}</span>
            <span class="demo-light-word">{word}</span>
            <span class="demo-light-note">{move || light.get().note}</span>
        </li>
    }
    .into_any()
}

#[component]
fn Fact(name: &'static str, value: Signal<String>) -> impl IntoView {
    view! {
        <div class="demo-fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
    .into_any()
}
