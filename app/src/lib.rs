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
pub fn hydrate() {
    console_error_panic_hook::set_once();
    theme::apply_stored();
    leptos::mount::hydrate_body(App);
}
