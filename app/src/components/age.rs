//! Ages that tick with the page's one clock.

use leptos::prelude::*;

use crate::live::Live;
use crate::model::{Freshness, UnixMillis, humanize_ms};

fn words(ms: u64) -> String {
    // Whole seconds: tenths would jump about with a clock that ticks once a second.
    humanize_ms(ms / 1000 * 1000)
}

/// `12 s ago`
#[component]
pub fn Age(#[prop(into)] at: Signal<UnixMillis>) -> impl IntoView {
    let live = Live::expect();
    view! { <span class="age">{move || format!("{} ago", words(live.now().since(at.get())))}</span> }.into_any()
}

/// How old the data of a tile is: `As of now`, `As of 12 s ago`.
#[component]
pub fn DataAge(watch: Memo<Freshness>) -> impl IntoView {
    let live = Live::expect();
    let words = move || match watch.get().age_ms(live.now()) {
        None => "Never seen".to_owned(),
        Some(_) if live.is_fresh(&watch.get()) => "As of now".to_owned(),
        Some(age) => format!("As of {} ago", words(age)),
    };
    view! { <span class="age">{words}</span> }.into_any()
}

/// `12 s`, growing until `until`.
#[component]
pub fn Elapsed(
    since: UnixMillis,
    #[prop(into)] until: Signal<Option<UnixMillis>>,
) -> impl IntoView {
    let live = Live::expect();
    view! {
        <span class="age">
            {move || words(until.get().unwrap_or_else(|| live.now()).since(since))}
        </span>
    }
    .into_any()
}
