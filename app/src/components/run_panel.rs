//! A run in full: plan, progress, log, a way to stop it, and how it ended.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::log_search::LogSearch;
use super::run_stages::RunStages;
use super::{Elapsed, FailureNote, FindingCard, wish, words};
use crate::api::runs::{cancel_run, run_log};
use crate::live::Live;
use crate::model::{Failure, LogLine, Outcome, RunId, RunKind, Slice, Stage, StageState};
use crate::ui::{
    Button, ButtonKind, ConfirmDialog, DialogAct, LogRow, LogView, Notice, Progress, StatusBadge,
    Tone,
};

/// How many lines one question to the journal brings.
const PAGE: u64 = 1_000;

/// Follows the newest run of a kind; draws nothing as long as there was none.
#[component]
pub fn RunPanel(kind: RunKind) -> impl IntoView {
    let live = Live::expect();
    let id = live.memo(&[Slice::Runs], move |state| {
        state.latest_run(kind).map(|run| run.id)
    });
    move || id.get().map(|id| view! { <OneRun id kind /> })
}

/// Follows the newest run of several kinds; draws nothing as long as there was none.
#[component]
pub fn NewestRun(kinds: &'static [RunKind]) -> impl IntoView {
    let live = Live::expect();
    let newest = live.memo(&[Slice::Runs], move |state| {
        let runs = state.runs.values().rev();
        let mut of_kinds = runs.filter(|run| kinds.contains(&run.kind));
        of_kinds.next().map(|run| (run.id, run.kind))
    });
    move || newest.get().map(|(id, kind)| view! { <OneRun id kind /> })
}

/// Follows one run.
#[component]
pub fn OneRun(id: RunId, kind: RunKind) -> impl IntoView {
    let live = Live::expect();
    let stages = live.memo(&[Slice::Runs], move |state| {
        state
            .runs
            .get(&id)
            .map(|run| run.stages.clone())
            .unwrap_or_default()
    });
    let ending = live.memo(&[Slice::Runs], move |state| {
        state.runs.get(&id).and_then(|run| run.ending.clone())
    });
    let started = live
        .peek(|state| state.runs.get(&id).map(|run| run.started))
        .unwrap_or_default();
    let said = Memo::new(move |_| {
        ending.with(|ending| words::run(kind, ending.as_ref().map(|ending| &ending.outcome)))
    });
    let is_going = Memo::new(move |_| ending.with(Option::is_none));
    view! {
        <section class="card run" aria-label=format!("Run: {}", kind.title())>
            <div class="card-head">
                <div>
                    <h2 class="card-title">{kind.title()}</h2>
                    <p class="card-hint">
                        {format!("Run {id}, ")}
                        <Elapsed
                            since=started
                            until=Signal::derive(move || {
                                ending.with(|ending| ending.as_ref().map(|ending| ending.at))
                            })
                        />
                    </p>
                </div>
                <div class="card-tools">
                    <StatusBadge
                        tone=Signal::derive(move || said.get().0)
                        word=Signal::derive(move || said.get().1)
                    />
                    <Show when=move || is_going.get() && live.is_operator()>
                        <CancelButton id />
                    </Show>
                </div>
            </div>
            <Show when=move || is_going.get()>
                <Progress
                    label=format!("Progress of the run: {}", kind.title())
                    share=Signal::derive(move || Some(stages.with(|stages| share_done(stages))))
                />
            </Show>
            {move || ending.get().map(|ending| outcome(ending.outcome))}
            <RunStages stages />
            <Show when=move || live.is_operator()>
                <LogSearch run=id />
            </Show>
            <RunLog id />
        </section>
    }
    .into_any()
}

/// Stages that ended, and the known part of those that run.
fn share_done(stages: &[Stage]) -> f64 {
    let done: f64 = stages
        .iter()
        .map(|stage| match &stage.state {
            StageState::Pending => 0.0,
            StageState::Running { progress, .. } => progress
                .as_ref()
                .and_then(|progress| {
                    let total = progress.total.filter(|total| *total > 0)?;
                    Some((progress.done as f64 / total as f64).min(1.0))
                })
                .unwrap_or(0.0),
            _ => 1.0,
        })
        .sum();
    done / stages.len().max(1) as f64
}

fn outcome(outcome: Outcome) -> impl IntoView {
    match outcome {
        Outcome::Succeeded { summary } => {
            view! { <Notice tone=Tone::Ok title=summary /> }.into_any()
        }
        Outcome::Failed { finding } => view! { <FindingCard finding=*finding /> }.into_any(),
        Outcome::Cancelled => view! {
            <Notice tone=Tone::Off title="Cancelled">
                <p>"What was finished before stays as it is."</p>
            </Notice>
        }
        .into_any(),
        Outcome::Interrupted { what_now } => view! {
            <Notice tone=Tone::Attention title="Slipway ended while this was going">
                <p>{what_now}</p>
            </Notice>
        }
        .into_any(),
    }
}

#[component]
fn CancelButton(id: RunId) -> impl IntoView {
    let asking = RwSignal::new(false);
    let cancel = wish(move |()| cancel_run(id));
    view! {
        <Button busy=cancel.is_pending() on_press=move |()| asking.set(true)>
            "Cancel run"
        </Button>
        <FailureNote failure=cancel.failure() />
        <ConfirmDialog
            open=asking
            title=format!("Stop run {id}?")
            act=DialogAct { word: "Stop the run", kind: ButtonKind::Danger }
            on_confirm=move |()| cancel.send(())
        >
            <p>"What it has finished stays. You can start it again at any time."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// The last lines as they travel with the state, and on wish the earlier ones from the journal.
#[component]
fn RunLog(id: RunId) -> impl IntoView {
    let live = Live::expect();
    let tail = live.memo(&[Slice::Runs], move |state| {
        state.runs.get(&id).map_or_else(Vec::new, |run| {
            let first = run.lines - (run.tail.len() as u64).min(run.lines);
            rows(first, &run.tail)
        })
    });
    let earlier = RwSignal::new(Vec::<LogRow>::new());
    let failure = RwSignal::new(None::<Failure>);
    let loading = RwSignal::new(false);
    let all = Memo::new(move |_| {
        let tail = tail.get();
        let first = tail.first().map_or(0, |row| row.number);
        let mut all: Vec<LogRow> = earlier.with(|earlier| {
            earlier
                .iter()
                .filter(|row| row.number < first)
                .cloned()
                .collect()
        });
        all.extend(tail);
        all
    });
    let first_shown = Memo::new(move |_| all.with(|all| all.first().map_or(0, |row| row.number)));
    let load = move |()| {
        if loading.get_untracked() {
            return;
        }
        loading.set(true);
        let to = first_shown.get_untracked();
        let from = to.saturating_sub(PAGE);
        spawn_local(async move {
            match run_log(id, from).await {
                Ok(lines) => {
                    earlier.try_update(|earlier| {
                        let mut loaded = rows(from, &lines);
                        loaded.retain(|row| row.number < to);
                        loaded.append(earlier);
                        *earlier = loaded;
                    });
                    failure.try_set(None);
                }
                Err(why) => {
                    failure.try_set(Some(why));
                }
            }
            loading.try_set(false);
        });
    };
    view! {
        <Show when=move || { first_shown.get() > 0 && live.is_operator() }>
            <div class="run-earlier">
                <Button kind=ButtonKind::Quiet busy=loading on_press=load>
                    {move || format!("Load {} earlier lines", first_shown.get().min(PAGE))}
                </Button>
            </div>
        </Show>
        <FailureNote failure />
        <LogView label="Log of the run" rows=all empty="Nothing printed yet" />
    }
    .into_any()
}

fn rows(first: u64, lines: &[LogLine]) -> Vec<LogRow> {
    lines
        .iter()
        .zip(first..)
        .map(|(line, number)| LogRow {
            number,
            source: line.stage.clone(),
            text: line.text.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Progress, UnixMillis};

    fn stage(state: StageState) -> Stage {
        Stage {
            id: "s".into(),
            title: "S".into(),
            component: None,
            state,
        }
    }

    #[test]
    fn a_running_stage_counts_by_what_is_known_of_it() {
        let running = stage(StageState::Running {
            since: UnixMillis(0),
            progress: Some(Progress {
                done: 1,
                total: Some(2),
                note: String::new(),
            }),
        });
        let ended = stage(StageState::Cancelled);
        let pending = stage(StageState::Pending);
        assert!((share_done(&[ended, running, pending.clone()]) - 0.5).abs() < 1e-9);
        assert!(share_done(&[]).abs() < 1e-9);
        assert!(share_done(&[pending]).abs() < 1e-9);
    }
}
