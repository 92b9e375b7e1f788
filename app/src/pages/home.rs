//! `/` has no screen of its own: it leads to the step that is next.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::components::Mark;
use crate::live::Live;
use crate::model::{PanelState, StepId};

#[component]
pub fn HomePage() -> impl IntoView {
    let live = Live::expect();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if live.has_snapshot() {
            let path = live.peek(current_path);
            let replace = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate(path, replace);
        }
    });
    view! {
        <Title text="Connecting" />
        <section class="splash" aria-label="Connecting">
            <Mark />
            <h1 class="page-title">"Slipway"</h1>
            <p class="page-lede" role="status">
                "Connecting to the panel…"
            </p>
            <noscript>
                <p>"Slipway's page runs as WebAssembly: please allow scripts for this address."</p>
            </noscript>
        </section>
    }
    .into_any()
}

/// Where a person goes on: a folder that is no project yet has to become one first.
fn current_path(state: &PanelState) -> &'static str {
    match (&state.project, &state.adoption) {
        (None, Some(_)) => "/adopt",
        _ => current_step(state).path(),
    }
}

/// The first step that is not done; with all done, Live.
pub fn current_step(state: &PanelState) -> StepId {
    StepId::ALL
        .into_iter()
        .find(|step| {
            !state
                .steps
                .get(step)
                .is_some_and(crate::model::StepState::is_done)
        })
        .unwrap_or(StepId::Live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{StepState, UnixMillis};

    #[test]
    fn the_first_step_not_done_is_next_and_live_is_where_it_ends() {
        let mut state = PanelState::default();
        assert_eq!(current_step(&state), StepId::Setup);
        for (at, step) in StepId::ALL.into_iter().enumerate() {
            let done = StepState::Done {
                proof: String::new(),
                since: UnixMillis(0),
            };
            state.steps.insert(step, done);
            let next = StepId::ALL.get(at + 1).copied().unwrap_or(StepId::Live);
            assert_eq!(current_step(&state), next);
        }
    }
}
