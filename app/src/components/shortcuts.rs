//! The keyboard of the whole panel, and the list of its keys. Single keys can be switched off, for
//! people who speak to their computer.

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;

use super::Windows;
use crate::model::StepId;
use crate::ui::Modal;

const KEY: &str = "slipway.single-keys";

/// What is listed: keys, and what they do.
const KEYS: [(&[&str], &str); 9] = [
    (&["Ctrl", "K"], "Command palette"),
    (&["?"], "This list"),
    (&["1", "…", "6"], "Go to a step of the walk"),
    (&["D"], "Demo screen"),
    (&["←", "→"], "Demo screen: another scene"),
    (
        &["Space"],
        "Demo screen: hold the scene, or follow the action",
    ),
    (&["F"], "Demo screen: full screen"),
    (&["Tab"], "Next control"),
    (&["Esc"], "Close a window"),
];

/// Listens as long as the app lives.
pub fn listen() {
    let windows = Windows::expect();
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        window_event_listener(leptos::ev::keydown, move |event| {
            let is_palette = (event.ctrl_key() || event.meta_key())
                && !event.alt_key()
                && !event.shift_key()
                && event.key().eq_ignore_ascii_case("k");
            if is_palette {
                event.prevent_default();
                windows.palette.update(|open| *open = !*open);
                return;
            }
            let has_modifier = event.ctrl_key() || event.alt_key() || event.meta_key();
            if has_modifier || event.default_prevented() || is_typing(&event) || !are_on() {
                return;
            }
            let path = match event.key().as_str() {
                "?" => {
                    event.prevent_default();
                    return windows.shortcuts.set(true);
                }
                "d" | "D" => "/demo",
                key => {
                    let number = key.parse::<usize>().unwrap_or(0);
                    match number.checked_sub(1).and_then(|at| StepId::ALL.get(at)) {
                        Some(step) => step.path(),
                        None => return,
                    }
                }
            };
            event.prevent_default();
            navigate(path, Default::default());
        });
    });
}

/// Whether the key is meant for a field or for a window that is open.
fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    let target = event.target();
    let element = target.and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let is_field = element.is_some_and(|element| {
        let field =
            "input, textarea, select, [contenteditable], [role=textbox], [role=application]";
        element.closest(field).ok().flatten().is_some()
    });
    is_field
        || document()
            .query_selector("dialog[open]")
            .ok()
            .flatten()
            .is_some()
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Whether single keys do something. Only in a browser.
pub fn are_on() -> bool {
    let stored = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
    stored.as_deref() != Some("off")
}

fn turn(on: bool) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(KEY, if on { "on" } else { "off" });
    }
}

/// The window with the list; once in the page.
#[component]
pub fn ShortcutList() -> impl IntoView {
    let open = Windows::expect().shortcuts;
    view! {
        <Modal open title="Keyboard shortcuts">
            <dl class="keys">
                {KEYS
                    .into_iter()
                    .map(|(keys, what)| {
                        let keys = keys.iter().map(|key| view! { <kbd>{*key}</kbd> }).collect_view();
                        view! {
                            <div class="key-row">
                                <dt>{keys}</dt>
                                <dd>{what}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
            <label class="keys-switch">
                <input
                    type="checkbox"
                    prop:checked=are_on()
                    on:change:target=move |event| turn(event.target().checked())
                />
                "Single keys do something (Ctrl K always does)"
            </label>
        </Modal>
    }
    .into_any()
}
