//! One proposal: whose idea, exactly what, what it would change and touch, and the yes or no.

use std::sync::Arc;

use leptos::prelude::*;

use super::words;
use crate::api::approvals::{approve, decline, read_diff, renew, undo};
use crate::components::preview::{DiffView, Layout};
use crate::components::words as shared_words;
use crate::components::{Age, FailureNote, FieldChanges, FindingCard, ask, wish};
use crate::live::Live;
use crate::model::{Approval, ApprovalObject, ApprovalState, Classification};
use crate::ui::{Button, ButtonKind, CommandBlock, ConfirmDialog, DialogAct, StatusBadge};

#[component]
pub fn ApprovalCard(approval: Approval) -> impl IntoView {
    let live = Live::expect();
    let card = StoredValue::new(approval.clone());
    let said = Memo::new(move |_| card.with_value(|card| words::state(card, live.now())));
    let title = title(&approval);
    let label = format!("Proposal: {title}");
    let is_open = matches!(
        approval.state,
        ApprovalState::Waiting | ApprovalState::Refused { .. }
    );
    let whole = approval.clone();
    view! {
        <article
            id=format!("approval-{}", approval.id)
            class=move || format!("approval {}", said.get().0.class())
            aria-label=label
        >
            <div class="approval-head">
                {move || {
                    let (tone, word) = said.get();
                    view! { <StatusBadge tone word /> }
                }}
                <span class="approval-origin">
                    {format!("Proposed by {}", approval.origin.title())} " · " <Age at=approval.made />
                </span>
            </div>
            <h2 class="approval-title">{title}</h2>
            {(!approval.why.is_empty())
                .then(|| view! { <p class="approval-why" dir="auto">{approval.why.clone()}</p> })}
            {words::ending(&approval).map(|said| view! { <p class="approval-ending">{said}</p> })}
            <CommandBlock command=approval.line.clone() />
            {if is_open {
                view! { <Details approval=whole /> }.into_any()
            } else {
                view! {
                    <details class="approval-more">
                        <summary>"What it was about"</summary>
                        <Details approval=whole />
                    </details>
                }
                    .into_any()
            }}
            <Show when=move || live.is_operator()>
                <Acts approval=card.get_value() />
            </Show>
        </article>
    }
    .into_any()
}

fn title(approval: &Approval) -> String {
    match &approval.classification {
        Classification::Change { verb, targets, .. } => {
            let mut verb = verb.clone();
            if let Some(first) = verb.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{verb}: {}", targets.join(", "))
        }
        Classification::Denied { .. } => "A command that is not run".to_owned(),
    }
}

/// What Slipway made of it: classification, difference, what else is touched, undo.
#[component]
fn Details(approval: Approval) -> impl IntoView {
    let id = approval.id.clone();
    let heals = approval.heals.clone();
    view! {
        <dl class="approval-facts">
            {facts(&approval)
                .into_iter()
                .map(|(name, value)| view! { <div class="approval-fact"><dt>{name}</dt><dd>{value}</dd></div> })
                .collect_view()}
            {heals
                .map(|heals| {
                    view! {
                        <div class="approval-fact">
                            <dt>"Meant to heal"</dt>
                            <dd>{heals.what} " " <code class="finding-code">{heals.code}</code></dd>
                        </div>
                    }
                })}
        </dl>
        {match approval.state.clone() {
            ApprovalState::Refused { finding } => {
                Some(view! { <FindingCard finding=*finding /> }.into_any())
            }
            _ => None,
        }}
        {(!approval.objects.is_empty())
            .then(|| {
                view! {
                    <section class="approval-part" aria-label="What changes">
                        <h3 class="approval-part-title">"What changes, by a dry run on the cluster"</h3>
                        {approval
                            .objects
                            .clone()
                            .into_iter()
                            .zip(0_u32..)
                            .map(|(object, at)| object_view(object, at, &id, &approval.state))
                            .collect_view()}
                    </section>
                }
            })}
        {(!approval.radius.is_empty())
            .then(|| {
                view! {
                    <section class="approval-part" aria-label="What is touched">
                        <h3 class="approval-part-title">"What is touched by it"</h3>
                        <ul class="approval-radius">
                            {approval.radius.clone().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}
                        </ul>
                    </section>
                }
            })}
    }
    .into_any()
}

fn facts(approval: &Approval) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    match &approval.classification {
        Classification::Denied { why } => facts.push(("Denied", format!("It is not run: {why}."))),
        Classification::Change {
            verb,
            namespace,
            flags,
            ..
        } => {
            facts.push(("Verb", verb.clone()));
            facts.push(("Namespace", namespace.clone()));
            if !flags.is_empty() {
                facts.push(("Values", flags.join("  ")));
            }
        }
    }
    match (&approval.undo, &approval.no_undo) {
        (Some(undo), _) => facts.push(("Undo", undo.clone())),
        (None, Some(why)) => facts.push(("No undo", why.clone())),
        (None, None) => {}
    }
    facts
}

fn object_view(
    object: ApprovalObject,
    at: u32,
    id: &crate::model::ApprovalId,
    state: &ApprovalState,
) -> AnyView {
    let (tone, word) = shared_words::change(object.change);
    let name = format!("{} {}", object.kind, object.name);
    let is_waiting = *state == ApprovalState::Waiting;
    let id = id.clone();
    view! {
        <div class="approval-object">
            <p class="approval-object-head">
                <span class="approval-object-name">{name.clone()}</span>
                <StatusBadge tone word quiet=true />
                {object.owner.map(|owner| view! { <span class="approval-fine">{owner}</span> })}
                <span class="approval-fine">
                    {format!("at version {}", object.resource_version)}
                </span>
            </p>
            <FieldChanges fields=object.fields more=object.more_fields />
            {is_waiting.then(|| view! { <WholeDiff id at name /> })}
        </div>
    }
    .into_any()
}

/// Fetched when it is opened.
#[component]
fn WholeDiff(id: crate::model::ApprovalId, at: u32, name: String) -> impl IntoView {
    let live = Live::expect();
    let read = ask(move |()| read_diff(id.clone(), at));
    let opened = move |_| {
        if read.answer().with_untracked(Option::is_none) {
            read.send(());
        }
    };
    view! {
        <Show when=move || live.is_operator()>
            <details class="approval-more" on:toggle=opened>
                <summary>"Whole difference"</summary>
                <FailureNote failure=read.failure() />
                {
                    let name = name.clone();
                    move || {
                        let label = format!("Difference of {name}");
                        read.answer()
                            .get()
                            .map(|diff| {
                                view! { <DiffView label diff=Arc::new(diff) layout=Signal::stored(Layout::Unified) /> }
                            })
                    }
                }
            </details>
        </Show>
    }
    .into_any()
}

/// The yes, the no, another look, and the way back.
#[component]
fn Acts(approval: Approval) -> impl IntoView {
    let live = Live::expect();
    let (id, hash) = (approval.id.clone(), approval.hash.clone());
    let yes = wish(move |()| approve(id.clone(), hash.clone()));
    let id = approval.id.clone();
    let no = wish(move |()| decline(id.clone()));
    let id = approval.id.clone();
    let again = wish(move |()| renew(id.clone()));
    let id = approval.id.clone();
    let back = wish(move |()| undo(id.clone()));
    let asking = RwSignal::new(false);
    let is_denied = matches!(approval.classification, Classification::Denied { .. });
    let card = StoredValue::new(approval.clone());
    let why_not = Signal::derive(move || {
        let in_time = card.with_value(|card| card.can_be_approved(live.now()));
        (!in_time).then(|| "The time is over: look again first".to_owned())
    });
    let left = move || card.with_value(|card| words::time_left(card, live.now()));
    let acts = match &approval.state {
        ApprovalState::Waiting if is_denied => view! {
            <Button busy=no.is_pending() on_press=move |()| no.send(())>
                "Put it away"
            </Button>
        }
        .into_any(),
        ApprovalState::Waiting => view! {
            <Button busy=no.is_pending() on_press=move |()| no.send(())>
                "Decline"
            </Button>
            <Button
                kind=ButtonKind::Primary
                busy=yes.is_pending()
                disabled_why=why_not
                on_press=move |()| yes.send(())
            >
                "Approve and run"
            </Button>
            <Button kind=ButtonKind::Quiet busy=again.is_pending() on_press=move |()| again.send(())>
                "Look again"
            </Button>
            <span class="approval-fine">{left}</span>
        }
        .into_any(),
        ApprovalState::Refused { .. } => view! {
            <Button busy=again.is_pending() on_press=move |()| again.send(())>
                "Look again"
            </Button>
            <Button kind=ButtonKind::Quiet busy=no.is_pending() on_press=move |()| no.send(())>
                "Decline"
            </Button>
        }
        .into_any(),
        ApprovalState::Ended { .. } if approval.can_be_undone() => view! {
            <Button busy=back.is_pending() on_press=move |()| asking.set(true)>
                "Undo"
            </Button>
            <ConfirmDialog
                open=asking
                title="Put it back?"
                act=DialogAct { word: "Undo", kind: ButtonKind::Primary }
                on_confirm=move |()| back.send(())
            >
                <p>{approval.undo.clone().unwrap_or_default()}</p>
            </ConfirmDialog>
        }
        .into_any(),
        _ => ().into_any(),
    };
    view! {
        <div class="approval-acts">{acts}</div>
        <FailureNote failure=yes.failure() />
        <FailureNote failure=no.failure() />
        <FailureNote failure=again.failure() />
        <FailureNote failure=back.failure() />
    }
    .into_any()
}
