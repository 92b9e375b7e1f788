//! The recorded deploys: who, when, what; what differs between two; and the way back to any.

use leptos::prelude::*;

use super::{Age, FailureNote, FieldChanges, ask, wish, words};
use crate::api::deploys::make_plan;
use crate::api::revisions::compare_deploys;
use crate::live::Live;
use crate::model::{DeployRevision, PlanChoices, RevisionChange, Slice};
use crate::ui::{Button, Card, StatusBadge};

/// Draws nothing before the first deploy.
#[component]
pub fn RevisionsCard() -> impl IntoView {
    let live = Live::expect();
    let revisions = live.memo(&[Slice::Deploy], |state| state.revisions.clone());
    let plan = wish(make_plan);
    let failure = plan.failure();
    move || {
        let revisions = revisions.get();
        (!revisions.is_empty()).then(|| {
            let newest = revisions.first().map_or(0, |revision| revision.revision);
            let numbers: Vec<u64> = revisions
                .iter()
                .filter(|revision| revision.has_objects)
                .map(|revision| revision.revision)
                .collect();
            view! {
                <Card
                    title="Revisions"
                    hint="Recorded in the cluster: everyone who works with it sees the same"
                >
                    <FailureNote failure />
                    <ol class="history-rows">
                        {revisions
                            .into_iter()
                            .map(|revision| {
                                let number = revision.revision;
                                let can_go = live.is_operator() && number != newest && revision.has_objects;
                                let back = can_go
                                    .then(|| {
                                        view! {
                                            <Button
                                                label=Some(format!("Plan the way back to revision {number}"))
                                                busy=plan.is_pending()
                                                on_press=move |()| plan.send(PlanChoices {
                                                    back_to: Some(number),
                                                    ..PlanChoices::default()
                                                })
                                            >
                                                "Go back"
                                            </Button>
                                        }
                                    });
                                view! {
                                    <li class="history-row">
                                        <span class="history-number">{number}</span>
                                        {facts(revision)}
                                        {back}
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ol>
                    {(live.is_operator() && numbers.len() > 1).then(|| view! { <Compare numbers /> })}
                </Card>
            }
        })
    }
}

fn facts(revision: DeployRevision) -> impl IntoView {
    let (tone, word) = words::deploy_outcome(revision.outcome);
    let back = revision
        .back_to
        .map(|back_to| format!(" · back to revision {back_to}"));
    view! {
        <div class="history-facts">
            <p class="history-line">
                <StatusBadge tone word quiet=true />
                <span>{revision.counts.words()}</span>
            </p>
            <p class="history-fine">
                <Age at=revision.at /> {format!(" by {}", revision.by)} {back}
            </p>
            <p class="history-fine mono">{revision.images.join(", ")}</p>
            {(!revision.note.is_empty())
                .then(|| view! { <p class="rollout-note" dir="auto">{revision.note}</p> })}
        </div>
    }
    .into_any()
}

/// What differs between any two.
#[component]
fn Compare(numbers: Vec<u64>) -> impl IntoView {
    let from = RwSignal::new(numbers.get(1).copied().unwrap_or_default());
    let to = RwSignal::new(numbers.first().copied().unwrap_or_default());
    let compare = ask(|(from, to): (u64, u64)| compare_deploys(from, to));
    let choice = move |id: &'static str, label: &'static str, value: RwSignal<u64>| {
        let options = numbers.clone();
        view! {
            <div class="field">
                <label class="field-label" for=id>
                    {label}
                </label>
                <select
                    id=id
                    class="input"
                    on:change:target=move |event| {
                        if let Ok(number) = event.target().value().parse() {
                            value.set(number);
                        }
                    }
                >
                    {options
                        .into_iter()
                        .map(|number| {
                            view! {
                                <option value=number.to_string() selected=number == value.get_untracked()>
                                    {format!("Revision {number}")}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </div>
        }
    };
    view! {
        <div class="compare">
            {choice("compare-from", "From", from)} {choice("compare-to", "To", to)}
            <Button
                busy=compare.is_pending()
                on_press=move |()| {
                    compare.send((from.get_untracked(), to.get_untracked()));
                }
            >
                "Compare"
            </Button>
        </div>
        <FailureNote failure=compare.failure() />
        {move || {
            compare
                .answer()
                .get()
                .map(|changes: Vec<RevisionChange>| {
                    if changes.is_empty() {
                        view! { <p class="history-fine">"They applied the same."</p> }.into_any()
                    } else {
                        view! {
                            <ul class="compared">{changes.into_iter().map(change).collect_view()}</ul>
                        }
                            .into_any()
                    }
                })
        }}
    }
    .into_any()
}

fn change(change: RevisionChange) -> impl IntoView {
    let (tone, word) = words::change(change.change);
    view! {
        <li class="compared-object">
            <p class="history-line">
                <StatusBadge tone word quiet=true />
                <span>{format!("{} {}", change.kind, change.name)}</span>
            </p>
            <FieldChanges fields=change.fields more=change.more_fields />
        </li>
    }
    .into_any()
}
