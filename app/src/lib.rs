//! Slipway's face: the model both sides share, the ports, the server functions and the screens.

// The view types of the pages nest deeply.
#![recursion_limit = "512"]

pub mod api;
pub mod components;
pub mod live;
pub mod model;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod ports;
mod root;
mod shell;
pub mod theme;
pub mod token;
pub mod ui;

pub use root::App;
pub use shell::shell;

/// Called by the page once its WebAssembly is loaded: takes over the server-rendered shell.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate() {
    console_error_panic_hook::set_once();
    theme::apply_stored();
    let location = leptos::prelude::window().location();
    let path = location.pathname();
    // Without its code the page stays as the server drew it, as it does without any.
    for _ in 0..5 {
        let page = pages::load_page(path.as_deref().unwrap_or("/")).await;
        if page.is_ok() {
            leptos::mount::hydrate_body(App);
            return;
        }
        live::sleep_ms(1_000).await;
    }
    // Another build may answer here by now; all of a page has to be of one.
    let _ = location.reload();
}
