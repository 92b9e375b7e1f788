//! The frame of a step's page: heading, what the step proves, notices, content, the way on.

use leptos::html;
use leptos::prelude::*;
use leptos_meta::Title;

use super::step_notice::{NextStep, StepNotice};
use super::words;
use crate::live::Live;
use crate::model::{Slice, StepId};
use crate::ui::{Skeleton, StatusBadge};

/// `lede` says in one sentence what the step proves; `acts` are the main buttons.
#[component]
pub fn PageFrame(
    step: StepId,
    lede: &'static str,
    #[prop(optional, into)] acts: ViewFn,
    children: ChildrenFn,
) -> impl IntoView {
    let live = Live::expect();
    let told = live.memo(&[Slice::Steps], move |state| {
        words::step(state.steps.get(&step))
    });
    // Only the server knows how a step stands.
    let said = Memo::new(move |_| words::aged(told.get(), live.stream_is_fresh()));
    let heading = NodeRef::<html::H1>::new();
    focus_once_shown(heading);
    view! {
        <Title text=step.title() />
        <div class="page">
            <header class="page-head">
                <div class="page-words">
                    <div class="page-title-line">
                        <h1 class="page-title" id="page-title" tabindex="-1" node_ref=heading>
                            {step.title()}
                        </h1>
                        <StatusBadge
                            tone=Signal::derive(move || said.get().0)
                            word=Signal::derive(move || said.get().1)
                        />
                    </div>
                    <p class="page-lede">{lede}</p>
                </div>
                <Show when=move || live.has_snapshot()>
                    <div class="page-acts">{acts.run()}</div>
                </Show>
            </header>
            <Show when=move || live.has_snapshot() fallback=Skeleton>
                <StepNotice step />
                {children()}
                <NextStep step />
            </Show>
        </div>
    }
    .into_any()
}

/// Moves the focus to the heading when the step changes, so that the keyboard and the screen reader
/// start at the top of the new page; not on the first page, where the browser's own start is right.
fn focus_once_shown(heading: NodeRef<html::H1>) {
    let arrival = use_context::<Arrival>();
    Effect::new(move |was_shown: Option<bool>| {
        let Some(element) = heading.get() else {
            return false;
        };
        if was_shown != Some(true)
            && let Some(Arrival(is_first)) = arrival
            && !is_first
                .try_update_value(|first| std::mem::replace(first, false))
                .unwrap_or(true)
        {
            let _ = element.focus();
        }
        true
    });
}

/// Whether the page shown is the first since the document was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Arrival(pub StoredValue<bool>);
