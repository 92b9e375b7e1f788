//! Says when what is on the page is not live any more, and since when.

use leptos::prelude::*;

use crate::live::{Connection, Live};
use crate::model::humanize_ms;
use crate::ui::{StatusIcon, Tone};

#[component]
pub fn ConnectionBanner() -> impl IntoView {
    let live = Live::expect();
    view! {
        <div role="status">
            {move || {
                let Connection::Reconnecting { since } = live.connection() else {
                    return None;
                };
                Some(
                    view! {
                        <div class="banner tone-stale">
                            <StatusIcon tone=Tone::Stale />
                            <p>
                                <strong>"Reconnecting"</strong>
                                " to Slipway. What you see is the last known state"
                                <span aria-hidden="true">
                                    {move || {
                                        let age = live.now().since(since) / 1000 * 1000;
                                        format!(", {} old", humanize_ms(age))
                                    }}
                                </span>
                            </p>
                        </div>
                    },
                )
            }}
        </div>
    }
    .into_any()
}
