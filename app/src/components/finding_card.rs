//! A finding in full: what happened, why, what to do next, and the evidence.

use leptos::prelude::*;

use super::remedy::carry_out;
use super::{AskForName, Wish, wish, words};
use crate::live::Live;
use crate::model::{Failure, Finding, NextAction, Remedy, Slice};
use crate::ui::{Button, ButtonKind, CommandBlock, CopyButton, LinkButton, StatusBadge, prose};

/// The first next action is the primary one. Viewers see the words without the buttons.
#[component]
pub fn FindingCard(finding: Finding) -> impl IntoView {
    let live = Live::expect();
    let (tone, word) = words::severity(finding.severity);
    let asked = AskForName::expect();
    let remedy = wish(move |remedy: Remedy| {
        let kind = live.peek(|state| state.cluster.as_ref().map(|cluster| cluster.kind.clone()));
        carry_out(remedy, kind)
    });
    let (acts, advice): (Vec<_>, Vec<_>) = finding
        .next
        .into_iter()
        .partition(|next| matches!(next, NextAction::Open { .. } | NextAction::Do { .. }));
    let has_acts = !acts.is_empty();
    let label = finding.what.clone();
    view! {
        <article class=format!("finding {}", tone.class()) aria-label=label>
            <div class="finding-head">
                <StatusBadge tone word />
                <code class="finding-code">{finding.code}</code>
            </div>
            <h2 class="finding-what">{prose(&finding.what)}</h2>
            <p class="finding-why" dir="auto">
                {prose(&finding.why)}
            </p>
            {has_acts.then(|| view! { <div class="finding-acts">{acts_view(acts, remedy, asked)}</div> })}
            {advice
                .into_iter()
                .map(|next| match next {
                    NextAction::Command { command, why } => {
                        view! {
                            <div class="finding-command">
                                <p>{prose(&why)}</p>
                                <CommandBlock command />
                            </div>
                        }
                            .into_any()
                    }
                    NextAction::Patch { file, patch } => {
                        let copied = patch.clone();
                        view! {
                            <figure class="finding-patch">
                                <figcaption>
                                    <span>{format!("Merge into {file}")}</span>
                                    <CopyButton what="fix" text=move |()| copied.clone() />
                                </figcaption>
                                <pre tabindex="0">{patch}</pre>
                            </figure>
                        }
                            .into_any()
                    }
                    NextAction::Advice { text } => {
                        view! { <p class="finding-advice">{prose(&text)}</p> }.into_any()
                    }
                    NextAction::Open { .. } | NextAction::Do { .. } => ().into_any(),
                })
                .collect_view()}
            {(!finding.evidence.is_empty())
                .then(|| {
                    view! {
                        <details class="evidence">
                            <summary>"Evidence"</summary>
                            {finding
                                .evidence
                                .into_iter()
                                .map(|evidence| {
                                    view! {
                                        <figure>
                                            <figcaption>{evidence.source}</figcaption>
                                            <pre dir="auto" tabindex="0">
                                                {evidence.text}
                                            </pre>
                                        </figure>
                                    }
                                })
                                .collect_view()}
                        </details>
                    }
                })}
            {move || {
                remedy
                    .failure()
                    .get()
                    .map(|failure| view! { <FailureNote failure=Some(failure) /> }.into_any())
            }}
        </article>
    }
    .into_any()
}

fn acts_view(acts: Vec<NextAction>, remedy: Wish<Remedy>, asked: AskForName) -> impl IntoView {
    let live = Live::expect();
    acts.into_iter()
        .enumerate()
        .map(|(at, next)| {
            let kind = if at == 0 {
                ButtonKind::Primary
            } else {
                ButtonKind::Secondary
            };
            match next {
                NextAction::Open { step, label } => view! {
                    <LinkButton kind href=step.path().to_owned()>
                        {label}
                    </LinkButton>
                }
                .into_any(),
                NextAction::Do { action, label } => (move || {
                    let (action, label) = (action.clone(), label.clone());
                    live.is_operator().then(|| {
                        view! {
                            <Button
                                kind
                                busy=remedy.is_pending()
                                on_press=move |()| match action.clone() {
                                    Remedy::AllowChanges { context } => asked.open(context),
                                    action => remedy.send(action),
                                }
                            >
                                {label}
                            </Button>
                        }
                    })
                })
                .into_any(),
                NextAction::Command { .. }
                | NextAction::Patch { .. }
                | NextAction::Advice { .. } => ().into_any(),
            }
        })
        .collect_view()
}

/// Why a wish was refused, where it was made.
#[component]
pub fn FailureNote(#[prop(into)] failure: Signal<Option<Failure>>) -> impl IntoView {
    let live = Live::expect();
    move || {
        failure.get().map(|failure| match failure {
            Failure::Finding(finding) => view! {
                <div role="alert">
                    <FindingCard finding=*finding />
                </div>
            }
            .into_any(),
            Failure::Transport(why) => {
                // The panel's project is the best name it has.
                let who = live.read(&[Slice::Project], |state| {
                    state.project.as_ref().map(|project| project.name.clone())
                });
                view! {
                    <div role="alert">
                        <FindingCard finding=Finding::new(
                            "NO_ANSWER",
                            match who {
                                Some(name) => format!("Slipway for {name} did not take the request"),
                                None => "Slipway did not take the request".to_owned(),
                            },
                            why,
                        ) />
                    </div>
                }
                .into_any()
            }
        })
    }
}
