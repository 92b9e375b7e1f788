//! A pod: state, why it is not ready, its containers with their probes.

use leptos::prelude::*;

use super::probe_light::ProbeLights;
use super::{Age, DataAge, DeletePod, ShellButton, Usage, YamlButton, words};
use crate::live::Live;
use crate::model::{ContainerRow, ContainerState, Freshness, LogSource, ObjectKind, PodRow, Slice};
use crate::ui::{StatusBadge, WordButton};

/// Follows the pod of this UID. `open_logs` gets the container.
#[component]
pub fn PodCard(uid: String, #[prop(into)] open_logs: Callback<LogSource>) -> impl IntoView {
    let live = Live::expect();
    let pod = live.memo(&[Slice::Pods], move |state| state.pods.get(&uid).cloned());
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    move || pod.get().map(|pod| view! { <Pod pod watch open_logs /> })
}

#[component]
fn Pod(pod: PodRow, watch: Memo<Freshness>, open_logs: Callback<LogSource>) -> impl IntoView {
    let live = Live::expect();
    let said = words::pod(&pod);
    let is_fresh = Memo::new(move |_| live.is_fresh(&watch.get()));
    let shown = Memo::new(move |_| words::last_known(said.clone(), is_fresh.get()));
    let restarts: u32 = pod
        .containers
        .iter()
        .map(|container| container.restarts)
        .sum();
    let place = [pod.ip.clone(), pod.node.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" on ");
    let pod_name = pod.name.clone();
    let uid = pod.uid.clone();
    let of_reason = pod.uid.clone();
    let why = live.memo(&[Slice::Pods, Slice::Reasons], move |state| {
        let pod = state.pods.get(&of_reason)?;
        state.why_not_ready(pod).map(str::to_owned)
    });
    let label = format!("Pod {}", pod.name);
    let acts = view! { <PodActs pod=pod.clone() /> };
    view! {
        <li class="pod" aria-label=label>
            <div class="pod-head">
                <StatusBadge
                    tone=Signal::derive(move || shown.get().0)
                    word=Signal::derive(move || shown.get().1)
                />
                <span class="pod-name">{pod.name}</span>
                {(!pod.current).then(|| view! { <span class="tag">"Earlier version"</span> })}
                {pod
                    .stale_secrets
                    .then(|| view! { <span class="tag tag-attention">"Started before a secret changed"</span> })}
                {acts}
            </div>
            <p class="pod-meta">
                <span>"Started " <Age at=pod.created /></span>
                <span>
                    {match restarts {
                        0 => "No restarts".to_owned(),
                        1 => "1 restart".to_owned(),
                        more => format!("{more} restarts"),
                    }}
                </span>
                <DataAge watch />
                {(!place.is_empty()).then(|| view! { <span class="mono">{place}</span> })}
            </p>
            {pod
                .why_not_ready
                .is_some()
                .then(|| {
                    view! {
                        <p class="pod-why" dir="auto">
                            {why}
                        </p>
                    }
                })}
            {pod
                .containers
                .into_iter()
                .map(|container| {
                    view! { <Container container pod=pod_name.clone() uid=uid.clone() watch open_logs /> }
                })
                .collect_view()}
        </li>
    }
    .into_any()
}

/// What can be done with one pod.
#[component]
fn PodActs(pod: PodRow) -> impl IntoView {
    let live = Live::expect();
    let delete = use_context::<DeletePod>();
    let name = pod.name.clone();
    let label = format!("Delete pod {name}");
    let ends = pod.terminating;
    view! {
        <span class="pod-acts">
            <YamlButton kind=ObjectKind::Pod name />
            {delete
                .filter(|_| !ends)
                .map(|delete| {
                    view! {
                        <Show when=move || live.is_operator()>
                            <WordButton
                                word="Delete"
                                label=label.clone()
                                look="link-danger"
                                on_press={
                                    let pod = pod.clone();
                                    move |()| delete.ask(pod.clone())
                                }
                            />
                        </Show>
                    }
                })}
        </span>
    }
    .into_any()
}

#[component]
fn Container(
    container: ContainerRow,
    pod: String,
    uid: String,
    watch: Memo<Freshness>,
    open_logs: Callback<LogSource>,
) -> impl IntoView {
    let live = Live::expect();
    let state = match &container.state {
        ContainerState::Waiting { reason, message } if message.is_empty() => reason.clone(),
        ContainerState::Waiting { reason, message } => format!("{reason}: {message}"),
        ContainerState::Running { .. } => String::new(),
        ContainerState::Terminated(end) => {
            format!(
                "{}, exit code {} {}",
                end.reason, end.exit_code, end.message
            )
        }
        ContainerState::Unknown => "State unknown".to_owned(),
    };
    let before = container.last_termination.as_ref().map(|end| {
        format!(
            "Ended before with {} (exit code {})",
            end.reason, end.exit_code
        )
    });
    let is_running = matches!(container.state, ContainerState::Running { .. });
    let name = container.name.clone();
    let used = container.name.clone();
    let logs_of = LogSource {
        pod: pod.clone(),
        container: container.name.clone(),
    };
    let shell_in = logs_of.clone();
    view! {
        <div class="container">
            <p class="container-head">
                <span class="container-name">{container.name.clone()}</span>
                <span class="container-image" title=container.image_id.clone()>
                    {container.image.clone()}
                </span>
                <Show when=move || live.is_operator()>
                    <WordButton
                        word="Logs"
                        label=format!("Logs of {name} in {pod}")
                        on_press={
                            let logs_of = logs_of.clone();
                            move |()| open_logs.run(logs_of.clone())
                        }
                    />
                </Show>
                {is_running.then(|| view! { <ShellButton source=shell_in /> })}
            </p>
            {(!state.is_empty()).then(|| view! { <p class="container-state" dir="auto">{state}</p> })}
            {before.map(|before| view! { <p class="container-state" dir="auto">{before}</p> })}
            <ProbeLights container pod=uid.clone() watch />
            <Usage pod=uid container=used />
        </div>
    }
    .into_any()
}
