//! The keyboard of the demo screen: arrows go to another scene, Space holds or lets go, F fills the
//! screen.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;

use super::scene::{Scene, Showing};
use crate::components::shortcuts;

/// Listens as long as the page is shown.
pub fn listen(showing: Showing, held: Memo<Option<Scene>>, scene: Memo<Scene>) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let handle = window_event_listener(leptos::ev::keydown, move |event| {
            let has_modifier = event.ctrl_key() || event.alt_key() || event.meta_key();
            if has_modifier || is_elsewhere(&event) {
                return;
            }
            let shown = scene.get_untracked();
            let held = match event.key().as_str() {
                "ArrowRight" | "PageDown" => Some(shown.beside(1)),
                "ArrowLeft" | "PageUp" => Some(shown.beside(-1)),
                " " if held.get_untracked().is_some() => None,
                " " => Some(shown),
                "f" | "F" if shortcuts::are_on() => return toggle_full_screen(),
                _ => return,
            };
            event.prevent_default();
            let replace = NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&showing.path(held), replace);
        });
        on_cleanup(move || handle.remove());
    });
}

/// Whether the key is meant for something that has the focus: a field, a dialog, a button.
fn is_elsewhere(event: &web_sys::KeyboardEvent) -> bool {
    let Some(element) = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
    else {
        return false;
    };
    let inside = |selector: &str| element.closest(selector).ok().flatten().is_some();
    inside("dialog, input, textarea, select")
        || (event.key() == " " && inside("button, a, summary"))
}

/// Refused by browsers that have no full screen; nothing is lost then.
pub fn toggle_full_screen() {
    if document().fullscreen_element().is_some() {
        document().exit_fullscreen();
    } else if let Some(root) = document().document_element() {
        let _ = root.request_fullscreen();
    }
}
