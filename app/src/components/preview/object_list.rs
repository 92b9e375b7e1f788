//! The objects of a plan as a list to move through, with a filter.

use leptos::html;
use leptos::prelude::*;

use super::Shared;
use crate::components::words;
use crate::model::PlannedObject;

/// `preview` tells two previews on one page apart.
fn id_of(preview: &str, key: &str) -> String {
    let plain: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("{preview}-{plain}")
}

/// Brings an object of the list into sight.
pub fn scroll_to(preview: &str, key: &str) {
    if let Some(element) = document().get_element_by_id(&id_of(preview, key)) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

#[component]
pub fn ObjectList(
    shared: Shared,
    shown: Memo<Vec<PlannedObject>>,
    list: NodeRef<html::Ul>,
) -> impl IntoView {
    let active = move || {
        shared
            .chosen
            .with(|key| key.as_deref().map(|key| id_of(shared.id, key)))
    };
    let filter = format!("{}-filter", shared.id);
    view! {
        <div class="preview-side">
            <label class="sr-only" for=filter.clone()>
                "Filter objects by kind or name"
            </label>
            <input
                id=filter
                class="input preview-filter"
                type="search"
                placeholder="Filter by kind or name"
                autocomplete="off"
                spellcheck="false"
                prop:value=shared.text
                on:input:target=move |event| shared.text.set(event.target().value())
            />
            <ul
                node_ref=list
                class="preview-list"
                role="listbox"
                aria-label="Objects"
                tabindex="0"
                aria-activedescendant=active
            >
                <For
                    each=move || shown.get()
                    key=|object| (object.key.clone(), object.change, object.added, object.removed, object.chosen)
                    let:object
                >
                    <Row shared object />
                </For>
            </ul>
            {move || {
                shown
                    .with(Vec::is_empty)
                    .then(|| view! { <p class="preview-none">"No object passes the filter"</p> })
            }}
        </div>
    }
    .into_any()
}

#[component]
fn Row(shared: Shared, object: PlannedObject) -> impl IntoView {
    let (tone, word) = words::change(object.change);
    let word = if object.chosen && object.can_be_forced() {
        "Forced".to_owned()
    } else {
        word
    };
    let key = object.key.clone();
    let is_chosen = {
        let key = key.clone();
        Memo::new(move |_| shared.chosen.with(|chosen| chosen.as_ref() == Some(&key)))
    };
    let is_news = {
        let key = key.clone();
        Memo::new(move |_| shared.news.with(|news| news.contains(&key)))
    };
    let count = match (object.added, object.removed) {
        (0, 0) => None,
        (added, removed) => Some(view! {
            <span class="preview-lines">
                {(added > 0).then(|| view! { <span class="preview-plus">{format!("+{added}")}</span> })}
                {(removed > 0)
                    .then(|| view! { <span class="preview-minus">{format!("−{removed}")}</span> })}
            </span>
        }),
    };
    view! {
        <li
            id=id_of(shared.id, &key)
            class=format!("preview-row {}", tone.class())
            role="option"
            aria-selected=move || is_chosen.get().to_string()
            on:click=move |_| shared.chosen.set(Some(key.clone()))
        >
            <span class="preview-sign" aria-hidden="true">
                {words::change_sign(object.change)}
            </span>
            <span class="preview-what">
                <span class="preview-kind">{object.kind}</span>
                <span class="preview-name">{object.name}</span>
            </span>
            <span class="preview-end">
                <Show when=move || is_news.get()>
                    <span class="preview-new">"new"</span>
                </Show>
                <span class="preview-word">
                    {word}
                </span>
                {count}
            </span>
        </li>
    }
    .into_any()
}
