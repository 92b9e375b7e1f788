//! One object in full: its difference as it is fetched, what stands in the way, and the choices.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::conflicts::Choices;
use super::diff_view::DiffView;
use super::lines::{Layout, as_text, as_yaml};
use super::{SeedDiffs, Shared};
use crate::api::deploys::diff_object;
use crate::components::{FailureNote, words};
use crate::live::Live;
use crate::model::{Change, Failure, ObjectDiff, PlanChoices, PlannedObject};
use crate::ui::{Button, ButtonKind, CopyButton, EmptyMessage, StatusBadge, Tone};

type Fetched = Option<Result<Arc<ObjectDiff>, Failure>>;

#[component]
pub fn ObjectPane(
    shared: Shared,
    pane: NodeRef<html::Section>,
    on_choose: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    let object = Memo::new(move |_| shared.object());
    let label = move || {
        object.with(|object| {
            object.as_ref().map_or_else(
                || "Difference".to_owned(),
                |object| format!("{} {}", object.kind, object.name),
            )
        })
    };
    view! {
        <section node_ref=pane class="preview-pane" tabindex="-1" aria-label=label>
            {move || {
                object
                    .get()
                    .map(|object| view! { <One shared object on_choose /> })
            }}
        </section>
    }
    .into_any()
}

#[component]
fn One(
    shared: Shared,
    object: PlannedObject,
    on_choose: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    let fetched = fetched(shared, object.key.clone());
    let (tone, word) = words::change(object.change);
    let title = format!("{} {}", object.kind, object.name);
    let text_title = title.clone();
    let diff_label = format!("Difference of {title}");
    let place = match (object.namespace.as_str(), object.source.as_str()) {
        ("", "") => String::new(),
        ("", source) => source.to_owned(),
        (namespace, "") => format!("in {namespace}"),
        (namespace, source) => format!("in {namespace}, from {source}"),
    };
    let diff =
        move || fetched.with(|fetched| fetched.as_ref().and_then(|found| found.clone().ok()));
    let change = object.change;
    view! {
        <header class="preview-head">
            <div class="preview-title-line">
                <h3 class="preview-title">{title}</h3>
                <StatusBadge tone word />
            </div>
            <p class="preview-place">{place}</p>
            <div class="preview-tools">
                <span class="preview-layouts" role="group" aria-label="Layout">
                    <LayoutButton shared layout=Layout::Unified word="Unified" />
                    <LayoutButton shared layout=Layout::Split word="Side by side" />
                </span>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(shared.everything.get()))
                    on_press=move |()| shared.everything.update(|all| *all = !*all)
                >
                    "Show everything"
                </Button>
                <CopyButton
                    what="text"
                    idle="Copy text"
                    text=move |()| {
                        diff().map_or_else(String::new, |diff| as_text(&text_title, &diff.rows))
                    }
                />
                <CopyButton
                    what="YAML"
                    idle="Copy YAML"
                    text=move |()| diff().map_or_else(String::new, |diff| as_yaml(&diff))
                />
            </div>
        </header>
        <Choices shared object on_choose />
        {move || {
            let label = diff_label.clone();
            match fetched.get() {
                None => {
                    view! {
                        <p class="preview-wait" role="status">
                            "Fetching the difference"
                        </p>
                    }
                        .into_any()
                }
                Some(Err(failure)) => view! { <FailureNote failure=Some(failure) /> }.into_any(),
                Some(Ok(diff)) if diff.rows.is_empty() => {
                    view! {
                        <EmptyMessage
                            title="Nothing is known of it yet"
                            text="It cannot be compared before what it needs is there."
                        />
                    }
                        .into_any()
                }
                Some(Ok(diff)) => {
                    view! {
                        {(change == Change::Unchanged)
                            .then(|| {
                                view! {
                                    <p class="preview-same">
                                        "The cluster has it exactly as the manifest says"
                                    </p>
                                }
                            })}
                        <DiffView label diff layout=effective(shared) />
                    }
                        .into_any()
                }
            }
        }}
    }
    .into_any()
}

#[component]
fn LayoutButton(shared: Shared, layout: Layout, word: &'static str) -> impl IntoView {
    view! {
        <Button
            kind=ButtonKind::Quiet
            pressed=Signal::derive(move || Some(shared.layout.get() == layout))
            on_press=move |()| shared.layout.set(layout)
        >
            {word}
        </Button>
    }
}

/// Two columns need room: on a narrow screen the layout is always unified.
fn effective(shared: Shared) -> Signal<Layout> {
    let narrow = RwSignal::new(false);
    let look = move || {
        let found = window().match_media("(max-width: 48rem)").ok().flatten();
        let is_narrow = found.is_some_and(|query| query.matches());
        if narrow.get_untracked() != is_narrow {
            narrow.set(is_narrow);
        }
    };
    Effect::new(move |_| {
        look();
        let handle = window_event_listener(leptos::ev::resize, move |_| look());
        on_cleanup(move || handle.remove());
    });
    Signal::derive(move || {
        if narrow.get() {
            Layout::Unified
        } else {
            shared.layout.get()
        }
    })
}

/// Asks for the difference whenever plan, object or switch change; the last question wins.
fn fetched(shared: Shared, key: String) -> RwSignal<Fetched> {
    let live = Live::expect();
    let seed = use_context::<SeedDiffs>().and_then(|seed| seed.0.get(&key).cloned());
    let fetched = RwSignal::new(seed.map(|diff| Ok(Arc::new(diff))));
    let asked = StoredValue::new(0_u32);
    let hash = Memo::new(move |_| {
        shared
            .plan
            .with(|plan| plan.as_ref().map(|plan| plan.hash.clone()))
    });
    Effect::new(move |_| {
        let everything = shared.everything.get();
        let Some(hash) = hash.get() else { return };
        if !live.is_operator() {
            fetched.set(Some(Err(Failure::Transport(
                "Only the operator's page can open differences".to_owned(),
            ))));
            return;
        }
        asked.update_value(|asked| *asked += 1);
        let (mine, key) = (asked.get_value(), key.clone());
        spawn_local(async move {
            let answer = diff_object(hash, key, everything).await.map(Arc::new);
            if asked.try_get_value() == Some(mine) {
                fetched.set(Some(answer));
            }
        });
    });
    fetched
}

/// The tone of what stands in an object's way.
pub fn trouble_tone(object: &PlannedObject) -> Tone {
    match object.change {
        Change::Refused => Tone::Failed,
        _ => Tone::Attention,
    }
}
