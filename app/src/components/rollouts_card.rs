//! The rollouts of all components side by side: how far they are, and the hand on the wheel.

use leptos::prelude::*;

use super::run_panel::NewestRun;
use super::{Age, FailureNote, RestartButton, ScaleField, WHAT_GOING_BACK_MEANS, ask, wish, words};
use crate::api::rollouts::{read_history, steer};
use crate::live::Live;
use crate::model::{
    ComponentLive, ComponentName, Rollout, RolloutAct, RolloutHistory, RolloutRevision, RunKind,
    Slice,
};
use crate::ui::{Button, ButtonKind, Card, ConfirmDialog, DialogAct, Progress, StatusBadge, Tone};

/// Draws nothing while no component is deployed.
#[component]
pub fn RolloutsCard() -> impl IntoView {
    let live = Live::expect();
    let names = live.memo(&[Slice::Components], |state| {
        state
            .components
            .values()
            .filter(|component| component.rollout != Rollout::Absent)
            .map(|component| component.component.clone())
            .collect::<Vec<_>>()
    });
    move || {
        let names = names.get();
        (!names.is_empty()).then(|| {
            view! {
                <NewestRun kinds=&[
                    RunKind::Restart,
                    RunKind::Undo,
                    RunKind::Scale,
                    RunKind::Pause,
                    RunKind::Resume,
                    RunKind::Handover,
                ] />
                <Card title="Rollouts">
                    <div class="rollouts">
                        {names
                            .into_iter()
                            .map(|component| view! { <OneRollout component /> })
                            .collect_view()}
                    </div>
                </Card>
            }
        })
    }
}

#[component]
fn OneRollout(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let name = component.clone();
    let row = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name).cloned()
    });
    let name = component.clone();
    let share = live.memo(&[Slice::Pods, Slice::Components], move |state| {
        state.rollout_share(&name)
    });
    let wanted = Memo::new(move |_| row.with(|row| row.as_ref().map_or(0, |row| row.replicas)));
    let words_of_share = move || {
        let (share, wanted) = (share.get(), wanted.get());
        let old = match share.old {
            0 => String::new(),
            1 => ", 1 old pod left".to_owned(),
            old => format!(", {old} old pods left"),
        };
        format!("{} of {wanted} new pods ready{old}", share.new_ready)
    };
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    let is_fresh = Memo::new(move |_| live.is_fresh(&watch.get()));
    let title = component.to_string();
    let label = format!("Rollout of {component}");
    view! {
        <section class="rollout" aria-label=label>
            <div class="rollout-head">
                <h3 class="rollout-name">{title.clone()}</h3>
                {move || row.get().map(|row| badges(row, is_fresh.get()))}
            </div>
            <Progress
                label=format!("Pods of {title} that are ready")
                share=Signal::derive(move || {
                    let wanted = f64::from(wanted.get());
                    Some(if wanted > 0.0 { f64::from(share.get().new_ready) / wanted } else { 1.0 })
                })
            />
            <p class="rollout-share">{words_of_share}</p>
            {move || {
                row.get()
                    .and_then(|row| note(&row))
                    .map(|(class, note)| view! { <p class=class dir="auto">{note}</p> })
            }}
            <Show when=move || live.is_operator()>
                <Acts component=component.clone() />
            </Show>
        </section>
    }
    .into_any()
}

fn badges(row: ComponentLive, is_fresh: bool) -> impl IntoView {
    let (tone, word) = words::last_known(words::component(Some(&row)), is_fresh);
    let revision = format!("Revision {}", row.revision);
    view! {
        <StatusBadge tone word />
        {row.paused.then(|| view! { <StatusBadge tone=Tone::Attention word="Paused" /> })}
        <span class="rollout-revision">{revision}</span>
    }
    .into_any()
}

fn note(row: &ComponentLive) -> Option<(&'static str, String)> {
    match &row.rollout {
        Rollout::Progressing { note } => Some(("rollout-note", note.clone())),
        Rollout::Stuck { why } => Some(("rollout-note rollout-note-failed", why.clone())),
        Rollout::Absent | Rollout::Complete => None,
    }
}

#[component]
fn Acts(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let name = component.clone();
    let is_paused = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name).is_some_and(|row| row.paused)
    });
    let name = component.clone();
    let act = wish(move |act: RolloutAct| steer(name.clone(), act));
    let toggle = move |()| {
        act.send(match is_paused.get_untracked() {
            true => RolloutAct::Resume,
            false => RolloutAct::Pause,
        });
    };
    let pause_label = component.to_string();
    view! {
        <div class="rollout-acts">
            <Button
                label=Signal::derive(move || {
                    let word = if is_paused.get() { "Resume" } else { "Pause" };
                    Some(format!("{word} the rollout of {pause_label}"))
                })
                busy=act.is_pending()
                on_press=toggle
            >
                {move || if is_paused.get() { "Resume" } else { "Pause" }}
            </Button>
            <RestartButton component=component.clone() />
            <ScaleField component=component.clone() />
        </div>
        <FailureNote failure=act.failure() />
        <History component />
    }
    .into_any()
}

/// Read when it is opened, and again when the Deployment has another revision.
#[component]
fn History(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let open = RwSignal::new(false);
    let name = component.clone();
    let revision = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name).map_or(0, |row| row.revision)
    });
    let name = component.clone();
    let read = ask(move |()| read_history(name.clone()));
    Effect::new(move |_| {
        let _ = revision.get();
        if open.get() {
            read.send(());
        }
    });
    let chosen = RwSignal::new(0_u64);
    let asking = RwSignal::new(false);
    let name = component.clone();
    let undo = wish(move |revision: u64| steer(name.clone(), RolloutAct::Undo { revision }));
    let title = component.to_string();
    view! {
        <details
            class="rollout-history"
            on:toggle=move |_| open.update(|open| *open = !*open)
        >
            <summary class="rollout-summary">{format!("History of {title}")}</summary>
            <FailureNote failure=read.failure() />
            <FailureNote failure=undo.failure() />
            {move || {
                read.answer()
                    .get()
                    .map(|history: RolloutHistory| {
                        view! {
                            <ol class="history-rows">
                                {history
                                    .revisions
                                    .into_iter()
                                    .map(|revision| history_row(revision, chosen, asking))
                                    .collect_view()}
                            </ol>
                        }
                    })
            }}
        </details>
        <ConfirmDialog
            open=asking
            title=Signal::derive(move || format!("Go back to revision {}?", chosen.get()))
            act=DialogAct { word: "Undo", kind: ButtonKind::Primary }
            on_confirm=move |()| undo.send(chosen.get_untracked())
        >
            <p>{WHAT_GOING_BACK_MEANS}</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn history_row(
    row: RolloutRevision,
    chosen: RwSignal<u64>,
    asking: RwSignal<bool>,
) -> impl IntoView {
    let revision = row.revision;
    let pods = format!("{} of {} pods ready", row.ready, row.pods);
    let deploy = row.deploy.map(|deploy| format!("Deploy {deploy}"));
    view! {
        <li class="history-row">
            <span class="history-number">{revision}</span>
            <div class="history-facts">
                <p class="mono">{row.images.join(", ")}</p>
                <p class="history-fine">
                    "Made " <Age at=row.created /> {format!(" · {pods}")}
                    {deploy.map(|deploy| format!(" · {deploy}"))}
                    {row.cause.map(|cause| format!(" · {cause}"))}
                </p>
            </div>
            {if row.is_current {
                view! { <StatusBadge tone=Tone::Ok word="Current" quiet=true /> }.into_any()
            } else {
                view! {
                    <Button
                        label=Some(format!("Undo to revision {revision}"))
                        on_press=move |()| {
                            chosen.set(revision);
                            asking.set(true);
                        }
                    >
                        "Undo"
                    </Button>
                }
                    .into_any()
            }}
        </li>
    }
    .into_any()
}
