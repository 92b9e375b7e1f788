//! What takes the space in an image: the size against the budget, and the layers, the biggest first.

use leptos::prelude::*;

use super::Age;
use crate::model::{ImageFacts, LayerFact, humanize_bytes};
use crate::ui::Meter;

/// How many layers are shown at once.
const SHOWN: usize = 6;

#[component]
pub fn Layers(facts: ImageFacts, budget: Option<u64>) -> impl IntoView {
    let size = facts.size_bytes;
    let said = match budget {
        Some(budget) if size > budget => format!(
            "{}, {} over the budget",
            humanize_bytes(size),
            humanize_bytes(size - budget)
        ),
        Some(budget) => format!(
            "{} of {} allowed",
            humanize_bytes(size),
            humanize_bytes(budget)
        ),
        None => humanize_bytes(size),
    };
    let base = facts.base.clone().map(|base| {
        let age = base
            .created
            .map(|at| view! { ", made " <Age at /> }.into_any());
        view! {
            <p class="report-note">"On top of " <code>{base.reference}</code> {age}</p>
        }
    });
    let mut layers = facts.layers;
    layers.sort_by_key(|layer| std::cmp::Reverse(layer.size_bytes));
    let rest = layers.split_off(layers.len().min(SHOWN));
    let rest_bytes: u64 = rest.iter().map(|layer| layer.size_bytes).sum();
    let whole = size.max(1);
    view! {
        <div class="image-size">
            <p>{said.clone()}</p>
            {budget
                .map(|budget| {
                    let share = size as f64 / budget.max(1) as f64;
                    view! { <Meter label=format!("Size against the budget: {said}") share /> }
                })}
        </div>
        <ol class="report-layers" aria-label="Layers, the biggest first">
            {layers.into_iter().map(|layer| layer_line(layer, whole)).collect_view()}
        </ol>
        {(!rest.is_empty())
            .then(|| {
                let count = rest.len();
                view! {
                    <p class="report-note">
                        {format!("and {count} more, {} together", humanize_bytes(rest_bytes))}
                    </p>
                }
            })}
        {base}
    }
    .into_any()
}

fn layer_line(layer: LayerFact, whole: u64) -> impl IntoView {
    let share = layer.size_bytes as f64 / whole as f64;
    let said = humanize_bytes(layer.size_bytes);
    view! {
        <li class="report-layer">
            <code class="report-layer-by" dir="auto" title=layer.made_by.clone()>
                {layer.made_by.clone()}
            </code>
            {layer.from_base.then(|| view! { <span class="tag">"Base"</span> })}
            <span class="report-bytes">{said.clone()}</span>
            <span class="report-layer-bar">
                <Meter label=format!("{said} of {}", humanize_bytes(whole)) share />
            </span>
        </li>
    }
}
