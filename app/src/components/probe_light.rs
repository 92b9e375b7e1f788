//! One probe: its kind, its verdict as shape and word, what it asks, and what it said.

use leptos::prelude::*;

use super::words;
use crate::live::Live;
use crate::model::{ContainerRow, Freshness, ProbeKind};
use crate::ui::{StatusIcon, Tone};

/// All three probes side by side; one that is not configured says so.
#[component]
pub fn ProbeLights(container: ContainerRow, watch: Memo<Freshness>) -> impl IntoView {
    let live = Live::expect();
    let lights = [
        ProbeKind::Startup,
        ProbeKind::Liveness,
        ProbeKind::Readiness,
    ]
    .into_iter()
    .map(|kind| {
        let probe = container.probes.get(&kind).cloned();
        let (tone, word, note, target) = match &probe {
            Some(probe) => {
                let (tone, word) = words::probe(&probe.verdict);
                (
                    tone,
                    word,
                    words::probe_note(&probe.verdict),
                    format!("{}, every {} s", probe.target, probe.period_s),
                )
            }
            None => (
                Tone::Off,
                "None".to_owned(),
                String::new(),
                "Not configured".to_owned(),
            ),
        };
        let is_off = probe.is_none();
        let shown = Signal::derive(move || {
            if is_off || live.is_fresh(&watch.get()) {
                tone
            } else {
                Tone::Stale
            }
        });
        view! {
            <li class=move || format!("probe {}", shown.get().class())>
                <StatusIcon tone=shown />
                <span class="probe-kind">{kind.title()}</span>
                <span class="probe-word">{word}</span>
                <span class="probe-target">{target}</span>
                {(!note.is_empty())
                    .then(|| view! { <span class="probe-note" dir="auto">{note}</span> })}
            </li>
        }
    })
    .collect_view();
    view! {
        <ul class="probes" aria-label=format!("Probes of {}", container.name)>
            {lights}
        </ul>
    }
    .into_any()
}
