//! The command palette: every page, every component and every deed that the role allows, by typing.

mod items;

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use self::items::{Deed, Item, items, matching};
use super::{FailureNote, Windows, wish};
use crate::api::images::build_images;
use crate::api::rollouts::steer;
use crate::api::runs::cancel_run;
use crate::api::setup::recheck;
use crate::live::Live;
use crate::model::{Failure, Rebuild, RolloutAct, Slice};
use crate::theme;
use crate::ui::Modal;

#[component]
pub fn Palette() -> impl IntoView {
    let open = Windows::expect().palette;
    view! {
        <Modal open title="Command palette" bare=true>
            <Commands />
        </Modal>
    }
    .into_any()
}

#[component]
fn Commands() -> impl IntoView {
    let live = Live::expect();
    let windows = Windows::expect();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let armed = RwSignal::new(None::<Deed>);
    let found = Memo::new(move |_| {
        let all = live.read(&[Slice::Components, Slice::Runs], |state| {
            items(state, live.is_operator())
        });
        typed.with(|typed| matching(&all, typed))
    });
    let at = Memo::new(move |_| chosen.get().min(found.with(Vec::len).saturating_sub(1)));
    let act = wish(carry_out);
    let navigate = use_navigate();
    let choose = Callback::new(move |item: Item| {
        if item.deed.is_asked_twice() && armed.get_untracked().as_ref() != Some(&item.deed) {
            armed.set(Some(item.deed));
            return;
        }
        armed.set(None);
        match item.deed {
            Deed::Go(path) => navigate(&path, Default::default()),
            Deed::Open(url) => {
                let _ = window().open_with_url_and_target_and_features(&url, "_blank", "noopener");
            }
            Deed::Theme(theme) => theme::choose(theme),
            Deed::Shortcuts => windows.shortcuts.set(true),
            Deed::Share => windows.share.set(true),
            Deed::Drill => windows.drill.set(true),
            // Stays open until it is granted.
            deed => return act.send(deed),
        }
        windows.palette.set(false);
    });
    Effect::new(move |_| {
        if act.was_granted().get() {
            windows.palette.set(false);
        }
    });
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    // The chosen one stays in view.
    Effect::new(move |_| {
        let id = option_id(at.get());
        if let Some(option) = document().get_element_by_id(&id) {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            option.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    let key = move |event: web_sys::KeyboardEvent| {
        let count = found.with_untracked(Vec::len);
        let step = |by: usize| {
            armed.set(None);
            if count > 0 {
                chosen.set((at.get_untracked() + by) % count);
            }
        };
        match event.key().as_str() {
            "ArrowDown" => step(1),
            "ArrowUp" => step(count.saturating_sub(1)),
            "Enter" => {
                let item = found.with_untracked(|found| found.get(at.get_untracked()).cloned());
                if let Some(item) = item {
                    choose.run(item);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <input
            node_ref=input
            class="input palette-input"
            type="text"
            role="combobox"
            autocomplete="off"
            spellcheck="false"
            placeholder="Go to a page, or do something…"
            aria-label="Command"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant=move || found.with(|found| !found.is_empty()).then(|| option_id(at.get()))
            prop:value=typed
            on:input:target=move |event| {
                typed.set(event.target().value());
                chosen.set(0);
                armed.set(None);
            }
            on:keydown=key
        />
        <ul class="palette-list" id="palette-list" role="listbox" aria-label="Commands">
            {move || {
                found
                    .get()
                    .into_iter()
                    .enumerate()
                    .map(|(place, item)| {
                        view! { <Line place item at armed choose /> }
                    })
                    .collect_view()
            }}
        </ul>
        <Show when=move || found.with(Vec::is_empty)>
            <p class="palette-none">"Nothing of that name"</p>
        </Show>
        <FailureNote failure=act.failure() />
        <p class="palette-keys">
            <kbd>"↑"</kbd>
            <kbd>"↓"</kbd>
            " choose, "
            <kbd>"Enter"</kbd>
            " go, "
            <kbd>"Esc"</kbd>
            " close"
        </p>
    }
    .into_any()
}

#[component]
fn Line(
    place: usize,
    item: Item,
    at: Memo<usize>,
    armed: RwSignal<Option<Deed>>,
    choose: Callback<Item>,
) -> impl IntoView {
    let title = item.title.clone();
    let kind = item.kind;
    let deed = item.deed.clone();
    let is_armed = move || armed.with(|armed| armed.as_ref() == Some(&deed));
    view! {
        <li
            class="palette-item"
            id=option_id(place)
            role="option"
            aria-selected=move || (at.get() == place).to_string()
            on:click=move |_| choose.run(item.clone())
        >
            <span class="palette-title">{title}</span>
            <span class="palette-kind">
                {move || if is_armed() { "Enter again to do it" } else { kind }}
            </span>
        </li>
    }
    .into_any()
}

fn option_id(place: usize) -> String {
    format!("palette-{place}")
}

/// Sends the deeds that are the server's.
async fn carry_out(deed: Deed) -> Result<(), Failure> {
    match deed {
        Deed::Recheck => recheck().await,
        Deed::BuildAll => build_images(Vec::new(), Rebuild::IfChanged).await.map(drop),
        Deed::Restart(component) => steer(component, RolloutAct::Restart).await.map(drop),
        Deed::Cancel(run) => cancel_run(run).await,
        // Done in the page.
        Deed::Go(_)
        | Deed::Open(_)
        | Deed::Theme(_)
        | Deed::Shortcuts
        | Deed::Share
        | Deed::Drill => Ok(()),
    }
}
