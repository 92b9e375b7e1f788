//! Puts a text on the clipboard and says that it did.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

use super::{Button, ButtonKind, Icon, IconShape};

/// `what` completes the name: "Copy command".
#[component]
pub fn CopyButton(
    #[prop(into)] what: String,
    #[prop(into)] text: Callback<(), String>,
    /// The word on it, where several stand side by side.
    #[prop(default = "Copy")]
    idle: &'static str,
) -> impl IntoView {
    let (word, set_word) = signal(idle);
    let copy = move |()| {
        let text = text.run(());
        spawn_local(async move {
            let written = window().navigator().clipboard().write_text(&text);
            let done = JsFuture::from(written).await.is_ok();
            set_word.set(if done {
                "Copied"
            } else {
                "Copying was refused"
            });
            set_timeout(
                move || {
                    set_word.try_set(idle);
                },
                Duration::from_secs(2),
            );
        });
    };
    let label = Signal::derive(move || {
        Some(match word.get() {
            said if said == idle => format!("Copy {what}"),
            said => said.to_owned(),
        })
    });
    view! {
        <Button kind=ButtonKind::Quiet label on_press=copy>
            <Icon shape=IconShape::Copy />
            <span>{word}</span>
        </Button>
    }
    .into_any()
}
