//! What is no longer as it was applied: which fields, by whom, since when.

use leptos::prelude::*;

use crate::components::FieldChanges;
use crate::live::Live;
use crate::model::{DriftedObject, PlanChoices, Slice};
use crate::ui::{Button, Card, Notice, Tone};

/// `on_put_back` plans with these choices; none for who may only look. Draws nothing before
/// anybody has looked.
#[component]
pub fn Drift(#[prop(into)] on_put_back: Signal<Option<Callback<PlanChoices>>>) -> impl IntoView {
    let live = Live::expect();
    let drift = live.memo(&[Slice::Deploy], |state| {
        state.deployed.as_ref().and(state.drift.clone())
    });
    view! { <Drifted drift on_put_back /> }
}

/// The objects that are no longer as they were applied, whoever applied them.
#[component]
pub fn Drifted(
    #[prop(into)] drift: Signal<Option<Vec<DriftedObject>>>,
    #[prop(into)] on_put_back: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    move || {
        drift.get().map(|objects| {
            if objects.is_empty() {
                view! { <p class="deployed">"Everything is as it was applied"</p> }.into_any()
            } else {
                changed(objects, on_put_back).into_any()
            }
        })
    }
}

fn changed(
    objects: Vec<DriftedObject>,
    on_put_back: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    let force = objects
        .iter()
        .filter(|object| !object.deleted)
        .map(|object| object.key.clone())
        .collect();
    let choices = StoredValue::new(PlanChoices {
        force,
        ..PlanChoices::default()
    });
    let hint = match objects.len() {
        1 => "1 object is not as it was applied".to_owned(),
        more => format!("{more} objects are not as they were applied"),
    };
    view! {
        <Card
            title="Changed behind our back"
            hint
            tools=move || {
                view! {
                    <Show when=move || on_put_back.with(Option::is_some)>
                        <Button on_press=move |()| {
                            if let Some(put_back) = on_put_back.get_untracked() {
                                put_back.run(choices.get_value());
                            }
                        }>"Plan to put it back"</Button>
                    </Show>
                }
            }
        >
            <ul class="drift">{objects.into_iter().map(object).collect_view()}</ul>
        </Card>
    }
}

fn object(object: DriftedObject) -> impl IntoView {
    let name = format!("{} {}", object.kind, object.name);
    view! {
        <li class="drift-object">
            <p class="drift-name">{name}</p>
            {object
                .deleted
                .then(|| view! { <Notice tone=Tone::Attention title="It was deleted" /> })}
            <FieldChanges fields=object.fields more=object.more_fields />
        </li>
    }
}
