//! Rollout: how far each component's newest version has come, pod by pod.

use leptos::prelude::*;

use super::{aged, version};
use crate::components::words;
use crate::live::Live;
use crate::model::{ComponentName, PanelState, Rollout, Slice};
use crate::pages::live::component_names;
use crate::ui::{StatusIcon, Tone};

/// As many rows as can be read from five metres.
const ROWS: usize = 5;
/// As many pods as a row has place for.
const PODS: usize = 12;

#[component]
pub fn RolloutScene(is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let names = live.memo(&[Slice::Project, Slice::Components], |state| {
        let mut names = component_names(state);
        names.truncate(ROWS);
        names
    });
    view! {
        <ul class="demo-rollouts" aria-label="Rollouts">
            <For
                each=move || names.get()
                key=Clone::clone
                children=move |component| view! { <Row component is_fresh /> }
            />
        </ul>
        <Show when=move || names.with(Vec::is_empty)>
            <p class="demo-nothing">"No services yet"</p>
        </Show>
    }
    .into_any()
}

#[derive(Clone, Debug, PartialEq)]
struct Progressed {
    tone: Tone,
    word: String,
    version: String,
    /// Percent of all pods: new and ready, new and not ready yet, of older versions.
    ready: f64,
    coming: f64,
    old: f64,
    words: String,
    note: String,
    pods: Vec<(String, Tone, String)>,
}

#[component]
fn Row(component: ComponentName, is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let name = component.to_string();
    let row = live.memo(&[Slice::Components, Slice::Pods], move |state| {
        progressed(state, &component)
    });
    let tone = Signal::derive(move || aged(row.get().tone, is_fresh.get()));
    let width =
        move |share: fn(&Progressed) -> f64| move || format!("width:{:.2}%", row.with(share));
    view! {
        <li class=move || format!("demo-rollout {}", tone.get().class())>
            <p class="demo-rollout-head">
                <StatusIcon tone />
                <span class="demo-rollout-name">{name}</span>
                <span class="demo-rollout-word">
                    {move || if tone.get() == Tone::Stale { "Stale".to_owned() } else { row.get().word }}
                </span>
                <span class="demo-rollout-version">{move || row.get().version}</span>
            </p>
            <div
                class="demo-bar"
                role="img"
                aria-label=move || row.get().words
            >
                <span class="demo-bar-ready" style=width(|row| row.ready)></span>
                <span class="demo-bar-coming" style=width(|row| row.coming)></span>
                <span class="demo-bar-old" style=width(|row| row.old)></span>
            </div>
            <p class="demo-rollout-foot">
                <span class="demo-rollout-words">{move || row.get().words}</span>
                <span class="demo-clip" dir="auto">
                    {move || row.get().note}
                </span>
            </p>
            <ul class="demo-pods" aria-label="Pods">
                <For
                    each=move || row.get().pods
                    key=Clone::clone
                    children=move |(name, tone, word)| {
                        let tone = Signal::derive(move || aged(tone, is_fresh.get()));
                        view! {
                            <li class=move || format!("demo-pod {}", tone.get().class())>
                                <StatusIcon tone />
                                <span class="demo-pod-name">{name}</span>
                                <span>
                                    {move || match tone.get() {
                                        Tone::Stale => "Stale".to_owned(),
                                        _ => word.clone(),
                                    }}
                                </span>
                            </li>
                        }
                    }
                />
            </ul>
        </li>
    }
    .into_any()
}

fn progressed(state: &PanelState, component: &ComponentName) -> Progressed {
    let row = state.components.get(component);
    let (tone, word) = words::component(row);
    let Some(row) = row else {
        return Progressed {
            tone,
            word,
            version: String::new(),
            ready: 0.0,
            coming: 0.0,
            old: 0.0,
            words: "No pods".to_owned(),
            note: String::new(),
            pods: Vec::new(),
        };
    };
    let share = state.rollout_share(component);
    // Pods that are wanted and not there yet are an empty part of the bar.
    let all = f64::from((share.new + share.old).max(row.replicas).max(1));
    let percent = |count: u32| f64::from(count) / all * 100.0;
    let old = match share.old {
        0 => String::new(),
        old => format!(", {old} of an older version"),
    };
    let mut pods: Vec<_> = state
        .pods
        .values()
        .filter(|pod| pod.component.as_ref() == Some(component))
        .collect();
    pods.sort_by_key(|pod| (!pod.current, pod.created, pod.name.clone()));
    Progressed {
        tone,
        word,
        version: format!("{} · revision {}", version(&row.image), row.revision),
        ready: percent(share.new_ready),
        coming: percent(share.new - share.new_ready),
        old: percent(share.old),
        words: format!(
            "{} of {} new pods ready{old}",
            share.new_ready, row.replicas
        ),
        note: match &row.rollout {
            Rollout::Progressing { note } => note.clone(),
            Rollout::Stuck { why } => why.clone(),
            Rollout::Absent | Rollout::Complete => String::new(),
        },
        pods: pods
            .into_iter()
            .take(PODS)
            .map(|pod| {
                let (tone, word) = words::pod(pod);
                let suffix = pod.name.rsplit('-').next().unwrap_or(&pod.name);
                (suffix.to_owned(), tone, word)
            })
            .collect(),
    }
}
