//! The foot of the demo screen: what goes on, what just happened, how old all this is, and the way to
//! the other scenes.

use leptos::prelude::*;

use super::happening::happenings;
use super::keys::toggle_full_screen;
use super::scene::{Scene, Showing};
use super::whole;
use crate::components::{DrillButton, ShareButton, words};
use crate::live::{Connection, Live};
use crate::model::{PanelState, RunView, Slice, StageState, StepId};
use crate::pages::home::current_step;
use crate::ui::{StatusIcon, Tone, time_of_day};

#[component]
pub fn Foot(
    showing: Showing,
    held: Memo<Option<Scene>>,
    scene: Memo<Scene>,
    is_fresh: Memo<bool>,
) -> impl IntoView {
    view! {
        <footer class="demo-foot">
            <NowLine is_fresh />
            <Show when=move || scene.get() != Scene::Events>
                <LastHappening />
            </Show>
            <div class="demo-tools">
                <nav class="demo-scenes" aria-label="Scenes">
                    {Scene::ALL
                        .into_iter()
                        .map(|one| {
                            view! {
                                <a
                                    class="demo-tool"
                                    href=showing.path(Some(one))
                                    aria-current=move || (scene.get() == one).then_some("page")
                                >
                                    {one.title()}
                                </a>
                            }
                        })
                        .collect_view()}
                    <a
                        class="demo-tool"
                        href=move || showing.path(held.get().is_none().then(|| scene.get()))
                        title="Space"
                    >
                        {move || if held.get().is_some() { "Follow the action" } else { "Hold" }}
                    </a>
                </nav>
                {match showing {
                    Showing::Now => view! { <Clock /> }.into_any(),
                    Showing::Replay(_) => view! { <RecordedClock /> }.into_any(),
                }}
                <Show when=move || showing == Showing::Now>
                    <ReplayLink is_fresh />
                </Show>
                <DrillButton class="demo-tool" />
                <ShareButton class="demo-tool" />
                <button
                    type="button"
                    class="demo-tool demo-full"
                    title="F"
                    on:click=move |_| toggle_full_screen()
                >
                    "Full screen"
                </button>
                <a class="demo-tool" href="/">
                    "Leave demo"
                </a>
            </div>
        </footer>
    }
    .into_any()
}

/// What goes on: the run that is going, else the step that is next.
#[component]
fn NowLine(is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let line = live.memo(&[Slice::Steps, Slice::Runs], move |state| {
        now_line(state, is_fresh.get())
    });
    view! {
        <p class=move || format!("demo-line {}", line.get().0.class())>
            <StatusIcon tone=Signal::derive(move || line.get().0) />
            <strong>{move || line.get().1}</strong>
            <span class="demo-clip" dir="auto">
                {move || line.get().2}
            </span>
        </p>
    }
    .into_any()
}

fn now_line(state: &PanelState, is_fresh: bool) -> (Tone, String, String) {
    if let Some(run) = state.runs.values().rev().find(|run| run.is_going()) {
        return (Tone::Working, run.kind.title().to_owned(), doing(run));
    }
    let step = current_step(state);
    let (tone, word) = words::aged(words::step(state.steps.get(&step)), is_fresh);
    let number = StepId::ALL.iter().position(|id| *id == step).unwrap_or(0) + 1;
    let hint = words::step_hint(state.steps.get(&step));
    (tone, format!("{number} {}: {word}", step.title()), hint)
}

/// The stages of a run that are running, in words.
fn doing(run: &RunView) -> String {
    let running: Vec<String> = run
        .stages
        .iter()
        .filter(|stage| matches!(stage.state, StageState::Running { .. }))
        .map(|stage| match words::stage_note(&stage.state) {
            note if note.is_empty() => stage.title.clone(),
            note => format!("{}, {note}", stage.title),
        })
        .collect();
    running.join("; ")
}

#[component]
fn LastHappening() -> impl IntoView {
    let live = Live::expect();
    let newest = live.memo(&[Slice::Events, Slice::Runs], |state| {
        happenings(state, 1).pop()
    });
    view! {
        {move || match newest.get() {
            Some(line) => {
                let at = line.at;
                view! {
                    <p class=format!("demo-line {}", line.tone.class())>
                        <StatusIcon tone=line.tone />
                        <strong>{line.title}</strong>
                        <span class="demo-clip" dir="auto">
                            {line.text}
                        </span>
                        <span class="demo-age">{move || format!("{} ago", whole(live.now(), at))}</span>
                    </p>
                }
                    .into_any()
            }
            None => view! { <p class="demo-line demo-quiet">"Nothing has happened yet"</p> }.into_any(),
        }}
    }
    .into_any()
}

/// How old the data is, and how many look at it.
#[component]
fn Clock() -> impl IntoView {
    let live = Live::expect();
    let viewers = live.memo(&[Slice::Viewers, Slice::Sharing], PanelState::watching);
    view! {
        <p class="demo-clock">
            <FreshnessClock />
            <span>
                {move || match viewers.get() {
                    1 => "1 page watching".to_owned(),
                    more => format!("{more} pages watching"),
                }}
            </span>
        </p>
    }
    .into_any()
}

/// The moment of the recording that is on the screen.
#[component]
fn RecordedClock() -> impl IntoView {
    let live = Live::expect();
    view! {
        <p class="demo-clock">
            <span class="demo-data-age">
                {move || format!("Recorded at {}", time_of_day(live.now()))}
            </span>
        </p>
    }
    .into_any()
}

/// The way to the last walk that went well; it stands out once what is shown is old.
#[component]
fn ReplayLink(is_fresh: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let recording = live.memo(&[Slice::Recording], |state| state.recording);
    move || {
        recording.get().map(|recording| {
            view! {
                <a
                    class="demo-tool"
                    class:demo-tool-wanted=move || !is_fresh.get()
                    href=Showing::Replay(recording).path(None)
                >
                    "Replay the last good walk"
                </a>
            }
        })
    }
}

#[component]
fn FreshnessClock() -> impl IntoView {
    let live = Live::expect();
    view! {
        <span class="demo-data-age">
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
