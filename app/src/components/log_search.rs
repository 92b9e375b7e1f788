//! Looking for something in the whole log of a run, and taking it home as a file. The journal
//! answers; the page only shows what was found.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{FailureNote, save_file};
use crate::api::runs::{run_log, search_log};
use crate::model::{Failure, LogPage, LogQuestion, RunId};
use crate::ui::{Button, ButtonKind, TextField};

/// For operators: the questions go to the server.
#[component]
pub fn LogSearch(run: RunId) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let found = RwSignal::new(None::<(String, LogPage)>);
    let busy = RwSignal::new(false);
    let failure = RwSignal::new(None::<Failure>);
    let search = move |from: u64| {
        let wanted = text.get_untracked();
        if wanted.is_empty() || busy.get_untracked() {
            found.set(None);
            return;
        }
        busy.set(true);
        spawn_local(async move {
            let question = LogQuestion {
                text: wanted.clone(),
                stage: String::new(),
                from,
            };
            match search_log(run, question).await {
                Ok(page) => {
                    failure.try_set(None);
                    found.try_update(|found| match found {
                        Some((of, shown)) if *of == wanted && from > 0 => {
                            shown.lines.extend(page.lines);
                            shown.next = page.next;
                        }
                        _ => *found = Some((wanted, page)),
                    });
                }
                Err(why) => {
                    failure.try_set(Some(why));
                }
            }
            busy.try_set(false);
        });
    };
    let download = move |()| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        spawn_local(async move {
            match whole(run).await {
                Ok(text) => save_file(&format!("slipway-run-{run}.log"), &text),
                Err(why) => {
                    failure.try_set(Some(why));
                }
            }
            busy.try_set(false);
        });
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        search(0);
    };
    view! {
        <form class="log-search" role="search" on:submit=submit>
            <TextField id=format!("log-search-{run}") label="Search the whole log" value=text />
            <div class="log-search-acts">
                <Button busy on_press=move |()| search(0)>
                    "Search"
                </Button>
                <Button kind=ButtonKind::Quiet busy on_press=download>
                    "Download log"
                </Button>
            </div>
        </form>
        <FailureNote failure />
        {move || found.get().map(|(wanted, page)| results(&wanted, page, busy, search))}
    }
    .into_any()
}

fn results(
    wanted: &str,
    page: LogPage,
    busy: RwSignal<bool>,
    search: impl Fn(u64) + Copy + Send + Sync + 'static,
) -> AnyView {
    let words = match (page.lines.len(), page.next) {
        (0, _) => format!("No line has “{wanted}” in it"),
        (1, None) => format!("1 line has “{wanted}” in it"),
        (count, None) => format!("{count} lines have “{wanted}” in them"),
        (count, Some(_)) => format!("The first {count} lines with “{wanted}” in them"),
    };
    let next = page.next;
    view! {
        <div class="log-found">
            <p class="log-found-count" role="status">
                {words}
            </p>
            {(!page.lines.is_empty())
                .then(|| {
                    view! {
                        <ol class="log-found-lines" tabindex="0" aria-label="Lines found">
                            {page
                                .lines
                                .into_iter()
                                .map(|found| {
                                    view! {
                                        <li class="log-line">
                                            <span class="log-number">{found.number + 1}</span>
                                            <span class="log-text" dir="auto">
                                                {found.line.text}
                                            </span>
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ol>
                    }
                })}
            {next
                .map(|from| {
                    view! {
                        <Button kind=ButtonKind::Quiet busy on_press=move |()| search(from)>
                            "More"
                        </Button>
                    }
                })}
        </div>
    }
    .into_any()
}

/// All lines, page by page.
async fn whole(run: RunId) -> Result<String, Failure> {
    let mut text = String::new();
    let mut from = 0;
    loop {
        let lines = run_log(run, from).await?;
        if lines.is_empty() {
            return Ok(text);
        }
        from += lines.len() as u64;
        for line in lines {
            text.push_str(&line.stage);
            text.push('\t');
            text.push_str(&line.text);
            text.push('\n');
        }
    }
}
