//! The windows that open over any page, each by a button, by a key or from the command palette.

use leptos::prelude::*;

use super::{DrillDialog, Palette, ShareDialog, ShortcutList};
use crate::live::Live;

/// Which of them are open; put into the context by the app.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub share: RwSignal<bool>,
    pub drill: RwSignal<bool>,
    pub palette: RwSignal<bool>,
    pub shortcuts: RwSignal<bool>,
}

impl Windows {
    pub fn provide() {
        let closed = || RwSignal::new(false);
        provide_context(Self {
            share: closed(),
            drill: closed(),
            palette: closed(),
            shortcuts: closed(),
        });
    }

    pub fn expect() -> Self {
        expect_context()
    }
}

/// All of them; once in the page, inside the router.
#[component]
pub fn AllWindows() -> impl IntoView {
    let live = Live::expect();
    view! {
        <Palette />
        <ShortcutList />
        <Show when=move || live.is_operator()>
            <ShareDialog />
            <DrillDialog />
        </Show>
    }
    .into_any()
}
