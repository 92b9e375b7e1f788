//! Lines as they come: follows the end unless the reader scrolls away, pauses, copies.
//! Not a live region: a log read aloud line by line helps nobody.

use leptos::html;
use leptos::prelude::*;

use super::{Button, ButtonKind, CopyButton};

/// A line with its place in the whole, which is its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    pub number: u64,
    /// Where it comes from; empty: nothing is shown.
    pub source: String,
    pub text: String,
}

#[component]
pub fn LogView(
    #[prop(into)] label: String,
    #[prop(into)] rows: Signal<Vec<LogRow>>,
    /// Shown in place of lines.
    #[prop(into)]
    empty: String,
) -> impl IntoView {
    let follow = RwSignal::new(true);
    let frozen = RwSignal::new(None::<Vec<LogRow>>);
    let shown = Memo::new(move |_| match frozen.get() {
        Some(rows) => rows,
        None => rows.get(),
    });
    let pane = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        shown.track();
        if let (true, Some(pane)) = (follow.get(), pane.get()) {
            // After the new lines are in the document.
            request_animation_frame(move || pane.set_scroll_top(pane.scroll_height()));
        }
    });
    let scrolled = move |_| {
        if let Some(pane) = pane.get_untracked() {
            let from_end = pane.scroll_height() - pane.scroll_top() - pane.client_height();
            let at_end = from_end < 24;
            if follow.get_untracked() != at_end {
                follow.set(at_end);
            }
        }
    };
    let pause = move |()| {
        frozen.update(|frozen| {
            *frozen = match frozen {
                Some(_) => None,
                None => Some(rows.get_untracked()),
            }
        });
    };
    let whole = move |()| {
        shown.with_untracked(|rows| {
            rows.iter()
                .map(|row| row.text.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        })
    };
    view! {
        <div class="log">
            <div class="log-tools">
                <span class="log-count">
                    {move || match frozen.get() {
                        Some(_) => {
                            let last = |rows: &Vec<LogRow>| rows.last().map_or(0, |row| row.number + 1);
                            let behind = rows.with(last) - shown.with(last).min(rows.with(last));
                            format!("Paused, {behind} new")
                        }
                        None => format!("{} lines", rows.with(|rows| rows.last().map_or(0, |row| row.number + 1))),
                    }}
                </span>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(follow.get()))
                    on_press=move |()| follow.update(|follow| *follow = !*follow)
                >
                    "Follow"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(frozen.with(Option::is_some)))
                    on_press=pause
                >
                    "Pause"
                </Button>
                <CopyButton what="log" text=whole />
            </div>
            <div
                node_ref=pane
                class="log-pane"
                role="log"
                aria-live="off"
                aria-label=label
                tabindex="0"
                on:scroll=scrolled
            >
                <For each=move || shown.get() key=|row| row.number let:row>
                    <p class="log-line">
                        {(!row.source.is_empty())
                            .then(|| view! { <span class="log-source">{row.source}</span> })}
                        <span class="log-text" dir="auto">{row.text}</span>
                    </p>
                </For>
                {move || {
                    shown
                        .with(Vec::is_empty)
                        .then(|| view! { <p class="log-empty">{empty.clone()}</p> })
                }}
            </div>
        </div>
    }
    .into_any()
}
