//! One component's image: built or not, its size against the budget, and the proof in the cluster.

use leptos::prelude::*;

use super::{Age, words};
use crate::live::Live;
use crate::model::{
    Builder, BuiltImage, ComponentName, ImageState, ImageView, Slice, humanize_bytes,
};
use crate::ui::{EmptyMessage, Meter, StatusBadge, Tone};

/// Follows the image of this component.
#[component]
pub fn ImageCard(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let image = {
        let component = component.clone();
        live.memo(&[Slice::Images, Slice::Project], move |state| {
            let image = state
                .images
                .iter()
                .find(|image| image.component == component)
                .cloned();
            let budget = state
                .project
                .as_ref()
                .and_then(|project| {
                    project
                        .components
                        .iter()
                        .find(|view| view.name == component)
                })
                .and_then(|view| view.size_budget_bytes);
            (image, budget)
        })
    };
    let name = component.to_string();
    let label = format!("Image of {name}");
    view! {
        <article class="card image" aria-label=label>
            {move || match image.get() {
                (Some(image), budget) => card(image, budget).into_any(),
                (None, _) => {
                    view! {
                        <h2 class="card-title">{name.clone()}</h2>
                        <EmptyMessage
                            tone=Tone::Unknown
                            title="Not looked at yet"
                            text="Choose a cluster; then Slipway asks its runtime for this image."
                        />
                    }
                        .into_any()
                }
            }}
        </article>
    }
    .into_any()
}

fn card(image: ImageView, budget: Option<u64>) -> impl IntoView {
    let (tone, word) = words::image(&image.state);
    let builder = match image.builder {
        Builder::Pack => "Packed without Docker",
        Builder::Docker => "Built by Docker",
    };
    let body = match image.state {
        ImageState::NotBuilt => view! {
            <p class="image-note">"Build it to put it into the cluster."</p>
        }
        .into_any(),
        ImageState::NotInCluster { image } => view! {
            <p class="image-note">"Built, but the cluster's runtime does not list it. Build again to load it."</p>
            {facts(image, budget)}
        }
        .into_any(),
        ImageState::InCluster { image, proved } => view! {
            <p class="image-note">
                "Found in the cluster's runtime " <Age at=proved />
            </p>
            {facts(image, budget)}
        }
        .into_any(),
    };
    view! {
        <div class="card-head">
            <div>
                <h2 class="card-title">{image.component.to_string()}</h2>
                <p class="card-hint">{builder}</p>
            </div>
            <StatusBadge tone word />
        </div>
        {body}
    }
    .into_any()
}

fn facts(image: BuiltImage, budget: Option<u64>) -> impl IntoView {
    let size = humanize_bytes(image.size_bytes);
    let share = budget.map(|budget| image.size_bytes as f64 / budget.max(1) as f64);
    let words = match budget {
        Some(budget) if image.size_bytes > budget => {
            format!("{size}, over the budget of {}", humanize_bytes(budget))
        }
        Some(budget) => format!("{size} of {} allowed", humanize_bytes(budget)),
        None => size,
    };
    let user = match image.user.split(':').next().unwrap_or_default() {
        "" | "0" | "root" => view! { <dd class="tone-attention">"root"</dd> }.into_any(),
        _ => view! { <dd>{image.user.clone()}</dd> }.into_any(),
    };
    view! {
        <div class="image-size">
            <p>{words.clone()}</p>
            {share.map(|share| view! { <Meter label=format!("Size: {words}") share /> })}
        </div>
        <dl class="facts">
            <div class="fact">
                <dt>"Reference"</dt>
                <dd class="mono">{image.reference}</dd>
            </div>
            <div class="fact">
                <dt>"Image ID"</dt>
                <dd class="mono" title=image.id.clone()>{short_id(&image.id)}</dd>
            </div>
            <div class="fact">
                <dt>"Runs as"</dt>
                {user}
            </div>
            <div class="fact">
                <dt>"Built"</dt>
                <dd>
                    <Age at=image.built />
                </dd>
            </div>
        </dl>
    }
    .into_any()
}

fn short_id(id: &str) -> String {
    id.chars().take("sha256:".len() + 12).collect()
}
