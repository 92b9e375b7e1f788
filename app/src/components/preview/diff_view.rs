//! A difference on the screen. Long ones draw only the lines that can be seen.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;

use super::lines::{Layout, Line, differing, lines};
use crate::components::diff_line::{Sign, side};
use crate::model::{DiffRow, ObjectDiff};

/// From this many lines on only those in sight are in the document.
const LONG: usize = 400;
/// As `.diff-window .diff-line` is high.
const LINE_PX: usize = 20;
/// Lines drawn beyond both edges of what is in sight.
const SPARE: usize = 30;

#[component]
pub fn DiffView(
    #[prop(into)] label: String,
    diff: Arc<ObjectDiff>,
    #[prop(into)] layout: Signal<Layout>,
) -> impl IntoView {
    let open = RwSignal::new(BTreeSet::new());
    let rows = Arc::clone(&diff);
    let all = Memo::new(move |_| open.with(|open| lines(&rows.rows, layout.get(), open)));
    let more = diff.more_rows;
    let is_long = Memo::new(move |_| all.with(|all| all.len() > LONG));
    view! {
        <div class="diff" class:diff-split=move || layout.get() == Layout::Split>
            {move || {
                let (label, diff) = (label.clone(), Arc::clone(&diff));
                if is_long.get() {
                    view! { <Window label diff all open /> }.into_any()
                } else {
                    view! {
                        <div class="diff-all" role="group" aria-label=label tabindex="0">
                            {move || {
                                all.with(|all| {
                                    all.iter().map(|line| draw(*line, &diff.rows, open)).collect_view()
                                })
                            }}
                        </div>
                    }
                        .into_any()
                }
            }}
            {(more > 0)
                .then(|| view! { <p class="diff-more">{format!("and {more} more lines")}</p> })}
        </div>
    }
    .into_any()
}

/// A window onto very many lines.
#[component]
fn Window(
    label: String,
    diff: Arc<ObjectDiff>,
    all: Memo<Vec<Line>>,
    open: RwSignal<BTreeSet<usize>>,
) -> impl IntoView {
    let pane = NodeRef::<html::Div>::new();
    // In steps, so that most scrolling draws nothing anew.
    let first = RwSignal::new(0_usize);
    let scrolled = move |_| {
        if let Some(pane) = pane.get_untracked() {
            let line = usize::try_from(pane.scroll_top()).unwrap_or(0) / LINE_PX;
            let step = line / SPARE * SPARE;
            if first.get_untracked() != step {
                first.set(step);
            }
        }
    };
    let count = Memo::new(move |_| all.with(Vec::len));
    let from = Memo::new(move |_| first.get().saturating_sub(SPARE).min(count.get()));
    // A screen is at most some eighty lines high.
    let to = Memo::new(move |_| (first.get() + 80 + 2 * SPARE).min(count.get()));
    view! {
        <div
            node_ref=pane
            class="diff-window"
            role="group"
            aria-label=move || format!("{label}, {} lines", count.get())
            tabindex="0"
            on:scroll=scrolled
        >
            <div class="diff-room" style:height=move || format!("{}px", count.get() * LINE_PX)>
                <div class="diff-sight" style:top=move || format!("{}px", from.get() * LINE_PX)>
                    {move || {
                        all.with(|all| {
                            all[from.get().min(all.len())..to.get().min(all.len())]
                                .iter()
                                .map(|line| draw(*line, &diff.rows, open))
                                .collect_view()
                        })
                    }}
                </div>
            </div>
        </div>
    }
    .into_any()
}

fn draw(line: Line, rows: &[DiffRow], open: RwSignal<BTreeSet<usize>>) -> AnyView {
    match line {
        Line::Fold(from, hidden) => view! {
            <button
                type="button"
                class="diff-line diff-fold"
                on:click=move |_| {
                    open.update(|open| {
                        open.insert(from);
                    })
                }
            >
                {format!("Show {hidden} unchanged lines")}
            </button>
        }
        .into_any(),
        Line::One(row, sign) => {
            view! { <div class="diff-line">{half(&rows[row], sign)}</div> }.into_any()
        }
        Line::Both(row) => {
            let row = &rows[row];
            let (left, right) = match row {
                DiffRow::Same(_) => (Sign::Same, Sign::Same),
                _ => (Sign::Removed, Sign::Added),
            };
            view! { <div class="diff-line diff-pair">{half(row, left)} {half(row, right)}</div> }
                .into_any()
        }
    }
}

/// One side of a row, with what differs in it marked.
fn half(row: &DiffRow, sign: Sign) -> AnyView {
    let (before, after) = match row {
        DiffRow::Changed(before, after) => {
            let (before_range, after_range) = differing(before, after);
            (Some(before_range), Some(after_range))
        }
        _ => (None, None),
    };
    let (text, mark) = match sign {
        Sign::Same => (row.after(), None),
        Sign::Removed => (row.before(), before),
        Sign::Added => (row.after(), after),
    };
    match text {
        Some(text) => side(sign, text, mark),
        None => view! { <span class="diff-side diff-nothing"></span> }.into_any(),
    }
}
