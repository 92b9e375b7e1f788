//! Pods that were started with other secret values than there are now, and their restart.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::secrets::restart_stale;
use crate::live::Live;
use crate::model::Slice;
use crate::ui::{Button, ButtonKind, Notice, Tone};

/// Draws nothing as long as every pod has the present values.
#[component]
pub fn StalePodsCard() -> impl IntoView {
    let live = Live::expect();
    let stale = live.memo(&[Slice::Pods], |state| {
        let mut names: Vec<String> = state
            .pods
            .values()
            .filter(|pod| pod.stale_secrets && !pod.terminating)
            .map(|pod| pod.name.clone())
            .collect();
        names.sort();
        names
    });
    let restart = wish(move |()| restart_stale());
    let title = Signal::derive(move || match stale.with(Vec::len) {
        1 => "1 pod still has an older value".to_owned(),
        many => format!("{many} pods still have older values"),
    });
    view! {
        <Show when=move || stale.with(|stale| !stale.is_empty())>
            <section aria-label="Pods with older values">
                <Notice tone=Tone::Attention title>
                    <p>
                        "They were started before the change: " {move || stale.get().join(", ")}
                        ". A restart makes new pods one by one, so the app stays up if its probes pass."
                    </p>
                    <Show when=move || live.is_operator()>
                        <Button
                            kind=ButtonKind::Primary
                            busy=restart.is_pending()
                            on_press=move |()| restart.send(())
                        >
                            "Restart exactly these"
                        </Button>
                    </Show>
                </Notice>
            </section>
        </Show>
        <FailureNote failure=restart.failure() />
    }
    .into_any()
}
