//! One value of the proposal with its reason; what a person changed says so and can be put back.

use leptos::prelude::*;

use super::Desk;
use crate::model::{BY_HAND, Spot};
use crate::ui::{Button, ButtonKind};

/// An id that is unique on the page.
pub fn id_of(spot: Spot) -> String {
    let text = format!("adopt-{spot:?}");
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

/// `options` are value and text; without any it is a line of text.
#[component]
pub fn GuessField(
    desk: Desk,
    spot: Spot,
    label: &'static str,
    #[prop(optional)] options: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let proposed = StoredValue::new(desk.first(spot));
    let text = RwSignal::new(proposed.with_value(|guess| guess.value.clone()));
    let set = move |value: String| {
        proposed.with_value(|proposed| desk.set(spot, &value, proposed));
        text.set(value);
    };
    let is_edited = Memo::new(move |_| {
        text.with(|text| proposed.with_value(|proposed| proposed.value != *text))
    });
    let why = move || match is_edited.get() {
        false => proposed.with_value(|guess| guess.why.clone()),
        true => proposed.with_value(|guess| match guess.value.as_str() {
            "" => BY_HAND.to_owned(),
            value => format!("{BY_HAND}; proposed was {value}"),
        }),
    };
    let id = id_of(spot);
    let described = format!("{id}-why");
    let control = if options.is_empty() {
        view! {
            <input
                id=id.clone()
                class="input"
                type="text"
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described.clone()
                prop:value=move || text.get()
                on:input:target=move |event| set(event.target().value())
            />
        }
        .into_any()
    } else {
        view! {
            <select
                id=id.clone()
                class="input"
                aria-describedby=described.clone()
                prop:value=move || text.get()
                on:change:target=move |event| set(event.target().value())
            >
                {options
                    .iter()
                    .map(|(value, words)| {
                        let selected = text.with_untracked(|text| text == value);
                        view! {
                            <option value=*value selected=selected>
                                {*words}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        }
        .into_any()
    };
    view! {
        <div class="field" class:adopt-edited=move || is_edited.get()>
            <label class="field-label" for=id>
                {label}
            </label>
            {control}
            <p id=described class="adopt-why" dir="auto">
                {why}
            </p>
            <Show when=move || is_edited.get()>
                <Button
                    kind=ButtonKind::Quiet
                    label=Some(format!("Put {label} back"))
                    on_press=move |()| set(proposed.with_value(|guess| guess.value.clone()))
                >
                    "Put back"
                </Button>
            </Show>
        </div>
    }
    .into_any()
}
