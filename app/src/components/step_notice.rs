//! What stands at the head of a step's page: blocked, stale or failed, with the way out.

use leptos::prelude::*;

use super::FindingCard;
use crate::live::Live;
use crate::model::{Slice, StepId, StepState};
use crate::ui::{ButtonKind, Icon, IconShape, LinkButton, Notice, Tone};

#[component]
pub fn StepNotice(step: StepId) -> impl IntoView {
    let live = Live::expect();
    let state = live.memo(&[Slice::Steps], move |state| {
        state.steps.get(&step).cloned()
    });
    move || match state.get() {
        Some(StepState::Blocked { by }) => view! {
            <Notice tone=Tone::Off title=format!("Waiting for {}", by.title())>
                <p>{format!("{} needs what {} proves. ", step.title(), by.title())}</p>
                <LinkButton href=by.path().to_owned()>
                    {format!("Go to {}", by.title())}
                </LinkButton>
            </Notice>
        }
        .into_any(),
        Some(StepState::Stale { why }) => view! {
            <Notice tone=Tone::Stale title="The proof no longer holds">
                <p>{why}</p>
            </Notice>
        }
        .into_any(),
        // Assist lists every finding itself.
        Some(StepState::Failed { finding }) if step != StepId::Assist => {
            view! { <FindingCard finding=*finding /> }.into_any()
        }
        _ => ().into_any(),
    }
}

/// Once a step is done: its proof, and the way on. Nothing while the server is silent: it may hold no more.
#[component]
pub fn NextStep(step: StepId) -> impl IntoView {
    let live = Live::expect();
    let done = live.memo(&[Slice::Steps], move |state| match state.steps.get(&step) {
        Some(StepState::Done { proof, .. }) => Some(proof.clone()),
        _ => None,
    });
    let holds = Memo::new(move |_| done.get().filter(|_| live.stream_is_fresh()));
    let next = StepId::ALL.into_iter().skip_while(|id| *id != step).nth(1);
    move || {
        holds.get().map(|proof| {
            view! {
                <section class="next-step tone-ok" aria-label="Next step">
                    <div>
                        <p class="next-step-title">{format!("{} is done", step.title())}</p>
                        <p class="next-step-proof">{proof}</p>
                    </div>
                    {next
                        .map(|next| {
                            view! {
                                <LinkButton kind=ButtonKind::Primary href=next.path().to_owned()>
                                    {format!("Next: {}", next.title())}
                                    <Icon shape=IconShape::ArrowRight />
                                </LinkButton>
                            }
                        })}
                </section>
            }
        })
    }
}
