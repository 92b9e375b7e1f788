//! A window over the page: for something to look at or to choose from, closed by Escape.

use leptos::html;
use leptos::prelude::*;

/// Shown while `open`. The page behind it cannot be reached meanwhile; the focus comes back.
#[component]
pub fn Modal(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// Without its own head and closing button.
    #[prop(optional)]
    bare: bool,
    #[prop(optional)] wide: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if open.get() && !dialog.open() {
            // Refused only when the dialog is not in the document, and then there is nothing to show.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let look = match (bare, wide) {
        (true, _) => "dialog modal modal-bare",
        (_, true) => "dialog modal modal-wide",
        _ => "dialog modal",
    };
    view! {
        <dialog
            node_ref=dialog
            class=look
            aria-label=move || title.get()
            on:close=move |_| open.set(false)
        >
            <Show when=move || !bare>
                <div class="modal-head">
                    <h2 class="dialog-title">{title}</h2>
                    <button
                        type="button"
                        class="btn btn-quiet"
                        on:click=move |_| open.set(false)
                    >
                        "Close"
                    </button>
                </div>
            </Show>
            <Show when=move || open.get()>{children()}</Show>
        </dialog>
    }
    .into_any()
}

/// Whether a window is open that shows something: open while there is something to show. `on_close` is
/// called when a person closes it.
pub fn open_while<T: Send + Sync + 'static>(
    shown: Memo<Option<T>>,
    on_close: impl Fn() + 'static,
) -> RwSignal<bool> {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(shown.with(Option::is_some)));
    Effect::new(move |was_open: Option<bool>| {
        let is_open = open.get();
        if was_open == Some(true) && !is_open && shown.with_untracked(Option::is_some) {
            on_close();
        }
        is_open
    });
    open
}
