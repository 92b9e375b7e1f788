//! Tells those who do not see the screen how the walk goes: politely, and at most every five seconds.

use leptos::prelude::*;

use super::words;
use crate::live::Live;
use crate::model::{PanelState, Slice, StepId, StepState, UnixMillis};

const EVERY_MS: u64 = 5_000;

#[component]
pub fn Announcer() -> impl IntoView {
    let live = Live::expect();
    let news = live.memo(&[Slice::Steps], summary);
    let (text, set_text) = signal(String::new());
    let last = StoredValue::new(UnixMillis(0));
    Effect::new(move |_| {
        let now = live.now();
        let news = news.get();
        let is_due = now.since(last.get_value()) >= EVERY_MS;
        if is_due && text.with_untracked(|text| *text != news) {
            last.set_value(now);
            set_text.set(news);
        }
    });
    view! {
        <p class="sr-only" role="status" aria-live="polite">
            {text}
        </p>
    }
    .into_any()
}

/// The step that is under way, else how many are done.
fn summary(state: &PanelState) -> String {
    let going = StepId::ALL
        .into_iter()
        .find(|id| matches!(state.steps.get(id), Some(StepState::Running { .. })));
    match going {
        Some(id) => {
            let hint = words::step_hint(state.steps.get(&id));
            format!("{}: {hint}", id.title())
        }
        None => {
            let done = state.steps.values().filter(|step| step.is_done()).count();
            format!("{done} of {} steps done", StepId::ALL.len())
        }
    }
}
