//! One probe: what the kubelet says, and beside it what Slipway's own request was answered.

use leptos::prelude::*;

use super::{Age, words};
use crate::live::Live;
use crate::model::{ContainerRow, Freshness, OwnProbe, ProbeKind, ProbeLive, Slice};
use crate::ui::{StatusBadge, StatusIcon, Tone};

/// All three probes side by side; one that is not configured says so. `pod` is its UID.
#[component]
pub fn ProbeLights(container: ContainerRow, pod: String, watch: Memo<Freshness>) -> impl IntoView {
    let lights = [
        ProbeKind::Startup,
        ProbeKind::Liveness,
        ProbeKind::Readiness,
    ]
    .into_iter()
    .map(|kind| {
        let probe = container.probes.get(&kind).cloned();
        let is_over = kind == ProbeKind::Startup && container.started;
        let own = (pod.clone(), container.name.clone());
        view! { <ProbeLight kind probe own is_over watch /> }
    })
    .collect_view();
    view! {
        <ul class="probes" aria-label=format!("Probes of {}", container.name)>
            {lights}
        </ul>
    }
    .into_any()
}

#[component]
fn ProbeLight(
    kind: ProbeKind,
    probe: Option<ProbeLive>,
    /// The pod's UID and the container's name.
    own: (String, String),
    /// It passed once, and nobody asks it any more.
    is_over: bool,
    watch: Memo<Freshness>,
) -> impl IntoView {
    let live = Live::expect();
    let (said, note, target) = match &probe {
        Some(probe) => {
            let target = format!(
                "{}, every {} s, {}",
                probe.target,
                probe.period_s,
                match probe.failure_threshold {
                    1 => "1 failure counts".to_owned(),
                    more => format!("{more} failures count"),
                }
            );
            (
                words::probe(&probe.verdict),
                words::probe_note(&probe.verdict),
                target,
            )
        }
        None => (
            (Tone::Off, "None".to_owned()),
            String::new(),
            "Not configured".to_owned(),
        ),
    };
    let is_off = probe.is_none();
    let shown =
        Memo::new(move |_| words::last_known(said.clone(), is_off || live.is_fresh(&watch.get())));
    let tone = Signal::derive(move || shown.get().0);
    view! {
        <li class=move || format!("probe {}", tone.get().class())>
            <StatusIcon tone />
            <span class="probe-kind">{kind.title()}</span>
            <span class="probe-word">{move || shown.get().1}</span>
            <span class="probe-target">{target}</span>
            {(!note.is_empty())
                .then(|| view! { <span class="probe-note" dir="auto">{note}</span> })}
            {probe
                .map(|probe| match is_over {
                    true => {
                        view! {
                            <span class="probe-own">"Passed once, and is not asked again"</span>
                        }
                            .into_any()
                    }
                    false => view! { <Own kind probe own /> }.into_any(),
                })}
        </li>
    }
    .into_any()
}

/// The newest answer to Slipway's own request, and whether it fits what the kubelet says.
#[component]
fn Own(kind: ProbeKind, probe: ProbeLive, own: (String, String)) -> impl IntoView {
    let live = Live::expect();
    let (pod, container) = own;
    let answer = live.memo(&[Slice::OwnProbes], move |state| {
        let of_pod = state.own_probes.get(&pod)?;
        of_pod
            .iter()
            .find(|own| own.is_of(&container, kind))
            .cloned()
    });
    move || {
        answer.get().map(|own: OwnProbe| {
            let said = words::own_probe(&own, &probe);
            let disagrees = own.disagrees_with(&probe);
            view! {
                <span class="probe-own" dir="auto">
                    <span class="probe-own-who">"Slipway asks: "</span>
                    {said}
                    ", "
                    <Age at=own.at />
                </span>
                {disagrees
                    .map(|why| {
                        view! {
                            <span class="probe-differs">
                                <StatusBadge
                                    tone=Tone::Attention
                                    word="They disagree".to_owned()
                                    quiet=true
                                />
                                <span>{why}</span>
                            </span>
                        }
                    })}
            }
        })
    }
}
