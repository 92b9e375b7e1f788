//! One labelled line of text.

use leptos::prelude::*;

#[component]
pub fn TextField(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(optional, into)] hint: Option<String>,
    /// What is wrong with the value, shown once there is one.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    let problem_id = format!("{id}-problem");
    let described = match hint {
        Some(_) => format!("{hint_id} {problem_id}"),
        None => problem_id.clone(),
    };
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>
                {label}
            </label>
            <input
                id=id
                class="input"
                type="text"
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=move || problem.with(Option::is_some).then_some("true")
                value=value.get_untracked()
                prop:value=value
                on:input:target=move |event| value.set(event.target().value())
            />
            {hint.map(|hint| view! { <p id=hint_id class="field-hint">{hint}</p> })}
            <p id=problem_id class="field-problem">
                {problem}
            </p>
        </div>
    }
    .into_any()
}
