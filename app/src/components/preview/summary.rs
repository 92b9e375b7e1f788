//! How many objects meet which fate; each count filters the list.

use leptos::prelude::*;

use super::Shared;
use crate::components::words;
use crate::model::Change;

#[component]
pub fn Summary(shared: Shared) -> impl IntoView {
    let counts = Memo::new(move |_| {
        shared.plan.with(|plan| {
            Change::ALL.map(|change| {
                let of_it = |object: &&crate::model::PlannedObject| object.change == change;
                let objects = plan.iter().flat_map(|plan| &plan.objects);
                (change, objects.filter(of_it).count())
            })
        })
    });
    view! {
        <div class="preview-summary" role="group" aria-label="What would happen">
            {move || {
                counts
                    .get()
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(change, count)| view! { <Count shared change count /> })
                    .collect_view()
            }}
        </div>
    }
    .into_any()
}

#[component]
fn Count(shared: Shared, change: Change, count: usize) -> impl IntoView {
    let (tone, word) = words::change(change);
    let press = move |_| {
        shared.changes.update(|changes| {
            if !changes.remove(&change) {
                changes.insert(change);
            }
        });
    };
    view! {
        <button
            type="button"
            class=format!("preview-count {}", tone.class())
            aria-pressed=move || shared.changes.with(|changes| changes.contains(&change)).to_string()
            on:click=press
        >
            <span class="preview-sign" aria-hidden="true">
                {words::change_sign(change)}
            </span>
            <span class="preview-number">{count}</span>
            <span>{word.to_lowercase()}</span>
        </button>
    }
    .into_any()
}
