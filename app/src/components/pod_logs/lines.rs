//! Thousands of lines with only those in sight drawn. Not a live region: a log read aloud line by
//! line helps nobody.

use leptos::html;
use leptos::prelude::*;

use super::ring::{Ring, Row, marked};
use crate::model::{LogLevel, UnixMillis};
use crate::ui::{Tone, time_with_millis};

/// The height of a line, as the style sheet has it.
const LINE_PX: usize = 20;
/// Lines drawn beyond what is in sight.
const SPARE: usize = 20;
/// A screen is at most some eighty lines high.
const IN_SIGHT: usize = 80;

/// `version` changes with the lines. `follow` keeps the end in sight, until the reader scrolls away.
#[component]
pub fn LogLines(
    rows: StoredValue<Ring>,
    version: RwSignal<u32>,
    follow: RwSignal<bool>,
    #[prop(into)] searched: Signal<String>,
    #[prop(into)] empty: Signal<String>,
) -> impl IntoView {
    let pane = NodeRef::<html::Div>::new();
    let first = RwSignal::new(0_usize);
    let count = Memo::new(move |_| {
        version.track();
        rows.with_value(Ring::len)
    });
    let look = move || {
        let Some(pane) = pane.get_untracked() else {
            return;
        };
        let line = usize::try_from(pane.scroll_top()).unwrap_or(0) / LINE_PX;
        let step = line / SPARE * SPARE;
        if first.get_untracked() != step {
            first.set(step);
        }
    };
    Effect::new(move |_| {
        version.track();
        if follow.get() && pane.get().is_some() {
            // After the new height is in the document; the tab may be left before.
            request_animation_frame(move || {
                if let Some(pane) = pane.try_get_untracked().flatten() {
                    pane.set_scroll_top(pane.scroll_height());
                    look();
                }
            });
        }
    });
    let scrolled = move |_| {
        if let Some(pane) = pane.get_untracked() {
            let from_end = pane.scroll_height() - pane.scroll_top() - pane.client_height();
            let at_end = from_end < 2 * LINE_PX as i32;
            if follow.get_untracked() != at_end {
                follow.set(at_end);
            }
        }
        look();
    };
    let from = Memo::new(move |_| first.get().saturating_sub(SPARE).min(count.get()));
    let shown = move || {
        version.track();
        let from = from.get();
        rows.with_value(|rows| rows.slice(from, first.get() + IN_SIGHT + SPARE))
    };
    view! {
        <div
            node_ref=pane
            class="log-window"
            role="log"
            aria-live="off"
            aria-label="Container log"
            tabindex="0"
            on:scroll=scrolled
        >
            <div class="log-room" style:height=move || format!("{}px", count.get() * LINE_PX)>
                <div class="log-sight" style:top=move || format!("{}px", from.get() * LINE_PX)>
                    <For
                        each=shown
                        key=move |row| (row.number, searched.get())
                        children=move |row| draw(&row, &searched.get_untracked())
                    />
                </div>
            </div>
            {move || (count.get() == 0).then(|| view! { <p class="log-empty">{empty}</p> })}
        </div>
    }
    .into_any()
}

fn draw(row: &Row, searched: &str) -> AnyView {
    let line = &row.line;
    let words = marked(&line.text, searched)
        .into_iter()
        .map(|(text, is_found)| match is_found {
            true => view! { <mark>{text}</mark> }.into_any(),
            false => text.into_any(),
        })
        .collect_view();
    let tone = match line.level {
        Some(LogLevel::Error) => Tone::Failed.class(),
        Some(LogLevel::Warn) => Tone::Attention.class(),
        _ => Tone::Off.class(),
    };
    let class = if line.note {
        "log-row log-note"
    } else {
        "log-row"
    };
    view! {
        <p class=format!("{class} {tone}") title=line.source.pod.clone()>
            <span class="log-time">{clock(line.at)}</span>
            <span class="log-from">{short(&line.source.pod)}</span>
            <span class="log-level">{line.level.map_or("", LogLevel::word)}</span>
            <span class="log-words" dir="auto">
                {words}
            </span>
        </p>
    }
    .into_any()
}

/// A Deployment's pod without the hash in the middle of its name is short, and still one of a kind.
fn short(pod: &str) -> String {
    let mut parts: Vec<&str> = pod.split('-').collect();
    if parts.len() > 2 {
        parts.remove(parts.len() - 2);
    }
    parts.join("-")
}

/// The time of day where the reader is.
fn clock(at: UnixMillis) -> String {
    if at.0 == 0 {
        return String::new();
    }
    time_with_millis(at)
}
