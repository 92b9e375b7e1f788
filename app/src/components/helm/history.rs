//! The release's revisions, newest first, with values, notes, differences and the way back.

use leptos::prelude::*;

use super::Desk;
use super::release_plan::Hooks;
use crate::api::releases::{compare_revisions, read_revision};
use crate::components::{Age, FailureNote, FieldChanges, PlanDiff, ask};
use crate::live::Live;
use crate::model::{
    Change, ReleaseStatus, ReleaseWish, RevisionComparison, RevisionDetail, RevisionRow, Slice,
};
use crate::ui::{Button, ButtonKind, Card, EmptyMessage, Notice, StatusBadge, Tone};

/// A status with its look.
pub fn status(status: ReleaseStatus) -> (Tone, &'static str) {
    let tone = match status {
        ReleaseStatus::Deployed => Tone::Ok,
        ReleaseStatus::Failed => Tone::Failed,
        ReleaseStatus::Superseded | ReleaseStatus::Uninstalled => Tone::Off,
        ReleaseStatus::Uninstalling
        | ReleaseStatus::PendingInstall
        | ReleaseStatus::PendingUpgrade
        | ReleaseStatus::PendingRollback => Tone::Working,
        ReleaseStatus::Unknown => Tone::Attention,
    };
    (tone, status.word())
}

#[component]
pub fn HistoryCard(desk: Desk) -> impl IntoView {
    let live = Live::expect();
    let rows = live.memo(&[Slice::Helm], |state| {
        state
            .helm
            .release
            .as_ref()
            .map(|release| release.revisions.clone())
            .unwrap_or_default()
    });
    let lost = live.memo(&[Slice::Helm], |state| {
        state
            .helm
            .release
            .as_ref()
            .and_then(|release| release.lost.clone())
    });
    let detail = ask(read_revision);
    let comparison = ask(|(from, to): (u32, u32)| compare_revisions(from, to));
    let shows_detail = RwSignal::new(comparison.answer().get_untracked().is_none());
    let look = Callback::new(move |revision: u32| {
        shows_detail.set(true);
        detail.send(revision);
    });
    let compare = Callback::new(move |pair: (u32, u32)| {
        shows_detail.set(false);
        comparison.send(pair);
    });
    view! {
        <Card title="History" hint="Read from the release's records in the cluster">
            {move || {
                lost.get()
                    .map(|why| {
                        view! {
                            <Notice tone=Tone::Stale title="Not heard of the records lately">
                                <p>{why}</p>
                            </Notice>
                        }
                    })
            }}
            {move || {
                let rows = rows.get();
                if rows.is_empty() {
                    return view! {
                        <EmptyMessage
                            title="No release yet"
                            text="The first deploy makes revision 1; every later one can be gone back to."
                        />
                    }
                        .into_any();
                }
                let newest = rows.first().map_or(0, |row| row.revision);
                let all = rows.clone();
                view! {
                    <ol class="helm-history" aria-label="Revisions">
                        {rows
                            .into_iter()
                            .enumerate()
                            .map(|(at, row)| {
                                let before = all.get(at + 1).map(|row| row.revision);
                                revision_row(row, before, newest, desk, look, compare)
                            })
                            .collect_view()}
                    </ol>
                }
                    .into_any()
            }}
            <FailureNote failure=detail.failure() />
            <FailureNote failure=comparison.failure() />
            {move || {
                if shows_detail.get() {
                    detail.answer().get().map(|detail| view! { <Detail detail /> }.into_any())
                } else {
                    comparison
                        .answer()
                        .get()
                        .map(|comparison| view! { <Comparison comparison /> }.into_any())
                }
            }}
        </Card>
    }
    .into_any()
}

fn revision_row(
    row: RevisionRow,
    before: Option<u32>,
    newest: u32,
    desk: Desk,
    look: Callback<u32>,
    compare: Callback<(u32, u32)>,
) -> impl IntoView {
    let live = Live::expect();
    let revision = row.revision;
    let (tone, word) = status(row.status);
    let can_go_back = matches!(
        row.status,
        ReleaseStatus::Superseded | ReleaseStatus::Deployed
    ) && revision != newest;
    let name = format!("Revision {revision}");
    view! {
        <li class="helm-revision" aria-label=name>
            <span class="helm-revision-number">{revision}</span>
            <StatusBadge tone word />
            <span class="helm-revision-chart">
                {format!("{} {}", row.chart, row.chart_version)}
            </span>
            <span class="helm-revision-said" dir="auto">{row.description}</span>
            <span class="helm-revision-age">{row.updated.map(|at| view! { <Age at /> })}</span>
            <Show when=move || live.is_operator()>
                <span class="helm-revision-acts">
                    <Button
                        kind=ButtonKind::Quiet
                        label=Some(format!("Show revision {revision}"))
                        on_press=move |()| look.run(revision)
                    >
                        "Show"
                    </Button>
                    {before
                        .map(|before| {
                            view! {
                                <Button
                                    kind=ButtonKind::Quiet
                                    label=Some(format!("Compare with {before}: revision {revision}"))
                                    on_press=move |()| compare.run((before, revision))
                                >
                                    {format!("Compare with {before}")}
                                </Button>
                            }
                        })}
                    {can_go_back
                        .then(|| {
                            view! {
                                <span class="helm-revision-back">
                                <Button
                                    label=Some(format!("Roll back to revision {revision}"))
                                    on_press=move |()| {
                                        desk.plan(ReleaseWish::Rollback { to: revision, force: false });
                                    }
                                >
                                    "Roll back…"
                                </Button>
                                </span>
                            }
                        })}
                </span>
            </Show>
        </li>
    }
    .into_any()
}

#[component]
fn Detail(detail: RevisionDetail) -> impl IntoView {
    let title = format!("Revision {}", detail.row.revision);
    let part = |title: &'static str, text: String, open: bool| {
        (!text.trim().is_empty()).then(|| {
            view! {
                <details class="helm-notes" open=open>
                    <summary>{title}</summary>
                    <pre class="helm-text" tabindex="0" dir="auto">{text}</pre>
                </details>
            }
        })
    };
    view! {
        <section class="helm-detail" aria-label=title.clone()>
            <h3 class="helm-title">{title.clone()}</h3>
            {part("Notes", detail.notes, true)}
            {part("Values given", detail.values, true)}
            <Hooks hooks=detail.hooks />
            {part("Manifest", detail.manifest, false)}
        </section>
    }
    .into_any()
}

#[component]
fn Comparison(comparison: RevisionComparison) -> impl IntoView {
    let title = format!("From revision {} to {}", comparison.from, comparison.to);
    let mut plan = comparison.plan;
    plan.objects
        .retain(|object| object.change != Change::Unchanged);
    let has_values = !comparison.values.fields.is_empty();
    let has_objects = !plan.objects.is_empty();
    let is_same = !has_values && !has_objects;
    view! {
        <section class="helm-detail" aria-label=title.clone()>
            <h3 class="helm-title">{title.clone()}</h3>
            {is_same.then(|| view! { <Notice tone=Tone::Ok title="Both are the same" /> })}
            {has_values
                .then(|| {
                    view! {
                        <h4 class="helm-title">"Values"</h4>
                        <FieldChanges
                            fields=comparison.values.fields
                            more=comparison.values.more_fields
                        />
                    }
                })}
            {has_objects.then(|| view! { <PlanDiff plan /> })}
        </section>
    }
    .into_any()
}
