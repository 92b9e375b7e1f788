//! One component's image: how its build goes, whether it is in the cluster and by which proof, and
//! its size against the budget.

use leptos::prelude::*;

use super::{Age, BuildTree, Elapsed, ImageActs, words};
use crate::live::Live;
use crate::model::{
    BuildDoing, Builder, BuiltImage, ComponentName, ImageState, ImageView, PanelState, Slice,
    humanize_bytes,
};
use crate::ui::{EmptyMessage, Meter, Notice, Progress, StatusBadge, StatusIcon, Tone};

/// Follows the image of this component.
#[component]
pub fn ImageCard(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let image = {
        let component = component.clone();
        live.memo(&[Slice::Images, Slice::Project], move |state| {
            (view_of(state, &component), budget_of(state, &component))
        })
    };
    let doing = {
        let component = component.clone();
        live.memo(DOING, move |state| doing_of(state, &component))
    };
    let said = Memo::new(move |_| {
        image.with(|(view, _)| {
            let state = view.as_ref().map(|view| &view.state);
            doing.with(|doing| words::image_card(state, doing))
        })
    });
    let hint = move || {
        image.with(|(view, _)| {
            view.as_ref().map(|view| {
                let builder = match view.builder {
                    Builder::Pack => "Packed without Docker",
                    Builder::Docker => "Built by Docker",
                };
                match view.goes.as_str() {
                    "" => builder.to_owned(),
                    goes => format!("{builder}, goes {goes}"),
                }
            })
        })
    };
    let open = Memo::new(move |_| {
        doing.with(|doing| matches!(doing, BuildDoing::Going { .. } | BuildDoing::Failed { .. }))
    });
    let name = component.to_string();
    let share = {
        let component = component.clone();
        live.memo(&[Slice::Builds], move |state| share_done(state, &component))
    };
    view! {
        <article class="card image" aria-label=format!("Image of {name}")>
            <div class="card-head">
                <div>
                    <h2 class="card-title">{name.clone()}</h2>
                    <p class="card-hint">{hint}</p>
                </div>
                <StatusBadge
                    tone=Signal::derive(move || said.get().0)
                    word=Signal::derive(move || said.get().1)
                />
            </div>
            {
                let name = name.clone();
                move || going(doing.get(), &name, share)
            }
            <BuildTree component=component.clone() open />
            {move || {
                let (view, budget) = image.get();
                match view {
                    Some(view) => body(view, budget).into_any(),
                    None => {
                        view! {
                            <EmptyMessage
                                tone=Tone::Unknown
                                title="Not looked at yet"
                                text="Choose a cluster; then Slipway asks its runtime for this image."
                            />
                        }
                            .into_any()
                    }
                }
            }}
            <ImageActs component />
        </article>
    }
    .into_any()
}

fn view_of(state: &PanelState, component: &ComponentName) -> Option<ImageView> {
    state
        .images
        .iter()
        .find(|image| &image.component == component)
        .cloned()
}

/// What [`doing_of`] reads.
pub const DOING: &[Slice] = &[Slice::Runs, Slice::Images, Slice::ImageReports];

/// What the build does or did. That there was nothing to build is told only while it is true.
pub fn doing_of(state: &PanelState, component: &ComponentName) -> BuildDoing {
    let doing = state.build_of(component);
    if !matches!(doing, BuildDoing::Unchanged { .. }) {
        return doing;
    }
    let is_there = view_of(state, component)
        .is_some_and(|view| matches!(view.state, ImageState::InCluster { .. }));
    let is_outdated = state
        .image_reports
        .get(component)
        .is_some_and(|report| report.outdated().is_some());
    match is_there && !is_outdated {
        true => doing,
        false => BuildDoing::Nothing,
    }
}

fn budget_of(state: &PanelState, component: &ComponentName) -> Option<u64> {
    let project = state.project.as_ref()?;
    project
        .components
        .iter()
        .find(|view| &view.name == component)?
        .size_budget_bytes
}

/// Steps that have ended, of those the builder has named.
fn share_done(state: &PanelState, component: &ComponentName) -> Option<f64> {
    let build = state.builds.get(component)?;
    let (ended, all) = build.ended();
    (all > 0).then(|| ended as f64 / all as f64)
}

/// What the build does now, or how it ended if not well.
fn going(doing: BuildDoing, name: &str, share: Memo<Option<f64>>) -> AnyView {
    match doing {
        BuildDoing::Nothing => ().into_any(),
        BuildDoing::Going { since, now, .. } => view! {
            <div class="image-going">
                <p class="image-note">
                    {now} " " <Elapsed since until=None />
                </p>
                <Progress label=format!("Build of {name}") share=share />
            </div>
        }
        .into_any(),
        // The run below has the whole finding; here is what it comes to.
        BuildDoing::Failed { finding } => {
            let crate::model::Finding { what, why, .. } = *finding;
            view! {
                <Notice tone=Tone::Failed title=what>
                    <p dir="auto">{why}</p>
                </Notice>
            }
            .into_any()
        }
        BuildDoing::Cancelled { at } => view! {
            <Notice tone=Tone::Off title="The last build was cancelled">
                <p>
                    <Age at />
                    ". What was there before stays as it is."
                </p>
            </Notice>
        }
        .into_any(),
        BuildDoing::Unchanged { at } => view! {
            <Notice tone=Tone::Ok title="Already built and in the cluster">
                <p>
                    <Age at />
                    ", its sources were those of this image, so there was nothing to build."
                </p>
            </Notice>
        }
        .into_any(),
    }
}

fn body(view: ImageView, budget: Option<u64>) -> impl IntoView {
    let ImageView { state, proof, .. } = view;
    match state {
        ImageState::NotBuilt => view! {
            <p class="image-note">"Build it to put it into the cluster."</p>
        }
        .into_any(),
        ImageState::NotInCluster {
            image,
            lost: Some(lost),
        } => view! {
            <p class="image-proof tone-attention">
                <StatusIcon tone=Tone::Attention />
                <span>
                    "It was in the cluster " <Age at=lost />
                    " and is gone from there: pruned, or the node was made anew. Build again to put it back."
                </span>
            </p>
            {facts(image, budget)}
        }
        .into_any(),
        ImageState::NotInCluster { image, lost: None } => view! {
            <p class="image-proof tone-attention">
                <StatusIcon tone=Tone::Attention />
                <span>"Built, but nobody has seen it in the cluster. Build again to put it there."</span>
            </p>
            {facts(image, budget)}
        }
        .into_any(),
        ImageState::InCluster { image, proved } => view! {
            <p class="image-proof tone-ok">
                <StatusIcon tone=Tone::Ok />
                <span>{proof_words(&proof)} " " <Age at=proved /></span>
            </p>
            {facts(image, budget)}
        }
        .into_any(),
    }
}

fn proof_words(proof: &str) -> String {
    match proof {
        "" => "Found in the cluster's runtime".to_owned(),
        proof => format!("In the cluster: {proof}"),
    }
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
