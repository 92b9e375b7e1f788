//! One of a few values, by the platform's own list.

use leptos::prelude::*;

/// `options` are value and text.
#[component]
pub fn SelectField(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] label: String,
    options: Vec<(String, String)>,
    value: RwSignal<String>,
) -> impl IntoView {
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>
                {label}
            </label>
            <select
                id=id
                class="input"
                prop:value=move || value.get()
                on:change:target=move |event| value.set(event.target().value())
            >
                {options
                    .into_iter()
                    .map(|(option, text)| {
                        let is_chosen = option == value.get_untracked();
                        view! {
                            <option value=option selected=is_chosen>
                                {text}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
    .into_any()
}
