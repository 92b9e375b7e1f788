//! Tabs by the ARIA pattern: arrows move, one stop for the keyboard.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

/// `names` are both the words shown and the keys. `id` is unique on the page.
#[component]
pub fn Tabs(
    id: &'static str,
    #[prop(into)] label: String,
    names: &'static [&'static str],
    chosen: RwSignal<usize>,
    /// A count or so after the word; empty: nothing.
    #[prop(into)]
    notes: Callback<usize, String>,
) -> impl IntoView {
    let go = move |event: leptos::ev::KeyboardEvent| {
        let last = names.len() - 1;
        let to = match event.key().as_str() {
            "ArrowRight" => (chosen.get_untracked() + 1) % names.len(),
            "ArrowLeft" => chosen.get_untracked().checked_sub(1).unwrap_or(last),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        chosen.set(to);
        if let Some(tab) = document()
            .get_element_by_id(&format!("{id}-tab-{to}"))
            .and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok())
        {
            let _ = tab.focus();
        }
    };
    view! {
        <div class="tabs" role="tablist" aria-label=label on:keydown=go>
            {names
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    let is_chosen = move || chosen.get() == at;
                    view! {
                        <button
                            type="button"
                            role="tab"
                            class="tab"
                            id=format!("{id}-tab-{at}")
                            aria-controls=format!("{id}-panel-{at}")
                            aria-selected=move || is_chosen().to_string()
                            tabindex=move || if is_chosen() { "0" } else { "-1" }
                            on:click=move |_| chosen.set(at)
                        >
                            {*name}
                            <span class="tab-note">{move || notes.run(at)}</span>
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
    .into_any()
}

#[component]
pub fn TabPanel(
    id: &'static str,
    at: usize,
    chosen: RwSignal<usize>,
    children: ChildrenFn,
) -> impl IntoView {
    view! {
        <div
            role="tabpanel"
            id=format!("{id}-panel-{at}")
            aria-labelledby=format!("{id}-tab-{at}")
            hidden=move || chosen.get() != at
        >
            {move || (chosen.get() == at).then(|| children())}
        </div>
    }
    .into_any()
}
