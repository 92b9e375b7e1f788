//! A question before something that cannot be taken back. The focus starts on Cancel.

use leptos::html;
use leptos::prelude::*;

use super::{Button, ButtonKind, TextField};

/// The act a dialog asks about: its button's word and how it looks.
#[derive(Clone, Copy, Debug)]
pub struct DialogAct {
    pub word: &'static str,
    pub kind: ButtonKind,
}

/// What stands in every question, whoever asks it; put it into the context.
#[derive(Clone)]
pub struct DialogNote(pub ViewFn);

impl std::fmt::Debug for DialogNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DialogNote")
    }
}

/// Shown while `open`. With `type_to_confirm`, the act waits until exactly that text was typed.
#[component]
pub fn ConfirmDialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    act: DialogAct,
    #[prop(optional, into)] type_to_confirm: Option<String>,
    #[prop(into)] on_confirm: Callback<()>,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let note = use_context::<DialogNote>();
    let typed = RwSignal::new(String::new());
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if open.get() && !dialog.open() {
            typed.set(String::new());
            // Refused only when the dialog is not in the document, and then there is nothing to show.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let wanted = type_to_confirm.clone();
    let not_typed = Signal::derive(move || match &wanted {
        Some(wanted) if typed.with(|typed| typed != wanted) => {
            Some("Type the name first".to_owned())
        }
        _ => None,
    });
    let confirm = move |()| {
        open.set(false);
        on_confirm.run(());
    };
    view! {
        <dialog
            node_ref=dialog
            class="dialog"
            aria-label=move || title.get()
            on:close=move |_| open.set(false)
        >
            <h2 class="dialog-title">{title}</h2>
            {note.map(|note| note.0.run())}
            <div class="dialog-body">{children()}</div>
            {type_to_confirm
                .map(|wanted| {
                    view! {
                        <TextField
                            id=format!("type-{wanted}")
                            label=format!("Type {wanted} to confirm")
                            value=typed
                        />
                    }
                })}
            <div class="dialog-acts">
                <button
                    type="button"
                    class="btn btn-secondary"
                    autofocus=true
                    on:click=move |_| open.set(false)
                >
                    "Cancel"
                </button>
                <Button kind=act.kind disabled_why=not_typed on_press=confirm>
                    {act.word}
                </Button>
            </div>
        </dialog>
    }
    .into_any()
}
