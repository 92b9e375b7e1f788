//! A raised surface with a heading.

use leptos::prelude::*;

/// A section with a heading of the second level. `tools` stand to the right of it.
#[component]
pub fn Card(
    #[prop(into)] title: Signal<String>,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional, into)] tools: ViewFn,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="card" aria-label=move || title.get()>
            <div class="card-head">
                <div>
                    <h2 class="card-title">{title}</h2>
                    {hint.map(|hint| view! { <p class="card-hint">{hint}</p> })}
                </div>
                <div class="card-tools">{tools.run()}</div>
            </div>
            {children()}
        </section>
    }
    .into_any()
}
