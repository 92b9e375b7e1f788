//! The plan: how it comes about, what was found wrong, and the preview of every object.

use leptos::prelude::*;

use super::Preview;
use crate::api::deploys::stop_planning;
use crate::components::{Age, FailureNote, FindingCard, wish};
use crate::live::Live;
use crate::model::{Change, DeployPlan, PlanChoices, Planning, Severity, Slice};
use crate::ui::{Button, Card, EmptyMessage, Notice, Progress, Tone};

/// The plan in the state. `waiting` while one is asked for; `on_choose` plans with choices.
#[component]
pub fn PlanCard(
    #[prop(into)] waiting: Signal<bool>,
    #[prop(into)] on_choose: Callback<PlanChoices>,
) -> impl IntoView {
    let live = Live::expect();
    let plan = live.memo(&[Slice::Deploy], |state| state.plan.clone());
    let hint = Signal::derive(move || {
        plan.with(|plan| plan.as_ref().map(hint))
            .unwrap_or_default()
    });
    let has_plan = Memo::new(move |_| plan.with(Option::is_some));
    let at = Signal::derive(move || {
        plan.with(|plan| plan.as_ref().map(|plan| plan.at).unwrap_or_default())
    });
    let choose = Signal::derive(move || live.is_operator().then_some(on_choose));
    view! {
        <Card
            title="Plan"
            tools=move || {
                view! {
                    <Show when=move || has_plan.get()>
                        <span class="card-hint">{hint} ", made " <Age at /></span>
                    </Show>
                }
            }
        >
            <Making waiting />
            {move || {
                if has_plan.get() {
                    view! {
                        <Found plan />
                        <Preview plan on_choose=choose />
                    }
                        .into_any()
                } else if waiting.get() {
                    ().into_any()
                } else {
                    view! {
                        <EmptyMessage
                            title="No plan yet"
                            text="Refresh the plan to see every object that would be created, changed or deleted."
                        />
                    }
                        .into_any()
                }
            }}
        </Card>
    }
    .into_any()
}

fn hint(plan: &DeployPlan) -> String {
    let is_change = |change: Change| !matches!(change, Change::Unchanged | Change::Refused);
    let changes = plan
        .objects
        .iter()
        .filter(|object| is_change(object.change));
    match changes.count() {
        0 => "Nothing would change".to_owned(),
        1 => "1 object changes".to_owned(),
        more => format!("{more} objects change"),
    }
}

/// Progress of the plan being made, and the way to stop it.
#[component]
fn Making(waiting: Signal<bool>) -> impl IntoView {
    let live = Live::expect();
    let planning = live.memo(&[Slice::Deploy], |state| state.planning);
    let stop = wish(move |()| stop_planning());
    let share = Signal::derive(move || {
        let Planning { done, total } = planning.get()?;
        (total > 0).then(|| f64::from(done) / f64::from(total))
    });
    let words = move || match planning.get() {
        Some(Planning { done, total }) => format!("{done} of {total} objects compared"),
        None => "The cluster is asked what would change; nothing is written".to_owned(),
    };
    view! {
        <Show when=move || waiting.get() || planning.get().is_some()>
            <div class="planning">
                <div class="planning-words">
                    <p class="planning-title">"Making the plan"</p>
                    <p class="card-hint">{words}</p>
                </div>
                <Show when=move || live.is_operator()>
                    <Button busy=stop.is_pending() on_press=move |()| stop.send(())>
                        "Stop"
                    </Button>
                </Show>
                <Progress label="Progress of the plan" share />
            </div>
        </Show>
        <FailureNote failure=stop.failure() />
    }
    .into_any()
}

/// The findings of the plan: what stops it in full, advice folded.
#[component]
pub fn Found(plan: Memo<Option<DeployPlan>>) -> impl IntoView {
    let findings = Memo::new(move |_| {
        plan.with(|plan| {
            plan.as_ref()
                .map(|plan| plan.findings.clone())
                .unwrap_or_default()
        })
    });
    let is_same = Memo::new(move |_| {
        plan.with(|plan| {
            plan.as_ref().is_some_and(|plan| {
                plan.objects
                    .iter()
                    .all(|object| object.change == Change::Unchanged)
            })
        })
    });
    move || {
        let (blocking, advice): (Vec<_>, Vec<_>) = findings
            .get()
            .into_iter()
            .partition(|finding| finding.severity == Severity::Failed);
        let count = advice.len();
        let folded = match count {
            1 => "1 piece of advice about what is about to run".to_owned(),
            more => format!("{more} pieces of advice about what is about to run"),
        };
        view! {
            {blocking.into_iter().map(|finding| view! { <FindingCard finding /> }).collect_view()}
            {(count > 0)
                .then(|| {
                    view! {
                        <details class="advice">
                            <summary>{folded}</summary>
                            <div class="advice-list">
                                {advice
                                    .into_iter()
                                    .map(|finding| view! { <FindingCard finding /> })
                                    .collect_view()}
                            </div>
                        </details>
                    }
                })}
            {is_same
                .get()
                .then(|| {
                    view! {
                        <Notice tone=Tone::Ok title="Nothing would change">
                            <p>"The cluster already has all of it."</p>
                        </Notice>
                    }
                })}
        }
        .into_any()
    }
}
