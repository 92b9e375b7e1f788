//! Sharing: the operator's dialog with the link for viewers, its QR code, how many watch, and the way
//! to end it.

use leptos::prelude::*;

use super::{FailureNote, Windows, ask, wish};
use crate::api::share::{open_share, read_share, revoke_share};
use crate::live::Live;
use crate::model::{QrCode, ShareLink, Slice};
use crate::ui::{Button, ButtonKind, CommandBlock, Icon, IconShape, Modal};

/// Nothing for those who may only look.
#[component]
pub fn ShareButton(
    /// The classes of the button where it stands.
    class: &'static str,
) -> impl IntoView {
    let live = Live::expect();
    let open = Windows::expect().share;
    let watching = live.memo(&[Slice::Sharing], |state| {
        state.sharing.as_ref().map(|sharing| sharing.watching)
    });
    view! {
        <Show when=move || live.has_snapshot() && live.is_operator()>
            <button type="button" class=class on:click=move |_| open.set(true)>
                <Icon shape=IconShape::Share />
                <span>
                    {move || match watching.get() {
                        None => "Share".to_owned(),
                        Some(watching) => format!("Shared, {watching} watching"),
                    }}
                </span>
            </button>
        </Show>
    }
    .into_any()
}

/// The dialog; once in the page.
#[component]
pub fn ShareDialog() -> impl IntoView {
    let open = Windows::expect().share;
    view! {
        <Modal open title="Let others watch">
            <Share />
        </Modal>
    }
    .into_any()
}

#[component]
fn Share() -> impl IntoView {
    let live = Live::expect();
    let sharing = live.memo(&[Slice::Sharing], |state| state.sharing.clone());
    let is_open = Memo::new(move |_| sharing.with(Option::is_some));
    // Which link it is; the number of viewers does not matter.
    let since = Memo::new(move |_| sharing.with(|sharing| sharing.as_ref().map(|it| it.since)));
    let link = ask(move |()| read_share());
    let begin = wish(move |()| open_share());
    let end = wish(move |()| revoke_share());
    Effect::new(move |_| {
        if since.get().is_some() {
            link.send(());
        }
    });
    let shown = move || link.answer().get().flatten().filter(|_| is_open.get());
    view! {
        <Show
            when=move || is_open.get()
            fallback=move || {
                view! {
                    <p class="dialog-body">
                        "Whoever has the link can watch the demo screen and every page, and change nothing. "
                        "It opens a second door into your network, without encryption, that no other "
                        "request gets through. You can end the link at any time."
                    </p>
                    <FailureNote failure=begin.failure() />
                    <div class="dialog-acts">
                        <Button
                            kind=ButtonKind::Primary
                            busy=begin.is_pending()
                            on_press=move |()| begin.send(())
                        >
                            "Open a link"
                        </Button>
                    </div>
                }
            }
        >
            {move || shown().map(|link| view! { <OpenLink link /> })}
            <p class="share-count" role="status">
                <Icon shape=IconShape::Eye />
                {move || match sharing.get().map_or(0, |sharing| sharing.watching) {
                    1 => "1 viewer is watching".to_owned(),
                    more => format!("{more} viewers are watching"),
                }}
            </p>
            <FailureNote failure=link.failure() />
            <FailureNote failure=begin.failure() />
            <FailureNote failure=end.failure() />
            <div class="dialog-acts">
                <Button busy=begin.is_pending() on_press=move |()| begin.send(())>
                    "New link"
                </Button>
                <Button
                    kind=ButtonKind::Danger
                    busy=end.is_pending()
                    on_press=move |()| end.send(())
                >
                    "End the link"
                </Button>
            </div>
            <p class="fine-print">"A new link ends this one. Ending it cuts off everybody at once."</p>
        </Show>
    }
    .into_any()
}

#[component]
fn OpenLink(link: ShareLink) -> impl IntoView {
    view! {
        <QrImage code=link.qr />
        <CommandBlock command=link.url />
    }
    .into_any()
}

/// Always dark on light, with its quiet zone: a camera cares about nothing else.
#[component]
fn QrImage(code: QrCode) -> impl IntoView {
    /// Modules that have to stay light around a code.
    const QUIET: u32 = 4;
    let side = code.size + 2 * QUIET;
    view! {
        <svg
            class="share-qr"
            viewBox=format!("0 0 {side} {side}")
            role="img"
            aria-label="QR code of the link"
            shape-rendering="crispEdges"
        >
            <rect class="share-qr-ground" width=side height=side />
            <path class="share-qr-dark" transform=format!("translate({QUIET} {QUIET})") d=code.path />
        </svg>
    }
    .into_any()
}
