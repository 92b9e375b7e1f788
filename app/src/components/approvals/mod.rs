//! Proposed changes: a card for each, what became of those decided on, and the audit journal.

mod audit;
mod card;
mod words;

use leptos::prelude::*;

pub use audit::AuditCard;

use super::run_panel::NewestRun;
use crate::live::Live;
use crate::model::{Approval, ApprovalState, RunKind, Slice};
use card::ApprovalCard;

/// Those that wait for a yes or no, in full, and beneath them the others. Draws nothing while there
/// is none.
#[component]
pub fn Approvals() -> impl IntoView {
    let live = Live::expect();
    let all = live.memo(&[Slice::Approvals], |state| state.approvals.clone());
    let open = Memo::new(move |_| part(&all.get(), true));
    let closed = Memo::new(move |_| part(&all.get(), false));
    view! {
        <p class="sr-only" role="status">
            {move || {
                match open.with(Vec::len) {
                    0 => String::new(),
                    1 => "1 proposal waits for your yes or no".to_owned(),
                    many => format!("{many} proposals wait for your yes or no"),
                }
            }}
        </p>
        <Show when=move || open.with(|open| !open.is_empty())>
            <section class="approvals" aria-label="Proposals">
                <For
                    each=move || open.get()
                    key=|approval| (approval.id.clone(), approval.hash.clone(), format!("{:?}", approval.state))
                    children=|approval| view! { <ApprovalCard approval /> }
                />
            </section>
        </Show>
        <NewestRun kinds=&[RunKind::Approved, RunKind::TakeBack] />
        <Show when=move || closed.with(|closed| !closed.is_empty())>
            <section class="approvals" aria-label="Decided proposals">
                <h2 class="approvals-title">"Decided"</h2>
                <For
                    each=move || closed.get()
                    key=|approval| (approval.id.clone(), approval.hash.clone(), format!("{:?}", approval.state))
                    children=|approval| view! { <ApprovalCard approval /> }
                />
            </section>
        </Show>
    }
    .into_any()
}

fn part(all: &[Approval], open: bool) -> Vec<Approval> {
    let is_open = |approval: &&Approval| {
        let waits = matches!(
            approval.state,
            ApprovalState::Waiting | ApprovalState::Refused { .. }
        );
        waits == open
    };
    all.iter().filter(is_open).cloned().collect()
}
