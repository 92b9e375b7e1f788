//! The audit journal: who asked for what, searchable, and to take away as text.

use leptos::prelude::*;

use crate::api::approvals::search_audit;
use crate::components::{Age, FailureNote, ask};
use crate::live::Live;
use crate::model::{AuditEntry, AuditPage, AuditQuestion};
use crate::ui::{Button, CopyButton, TextField};

/// Read when it is opened; for operators alone.
#[component]
pub fn AuditCard() -> impl IntoView {
    let live = Live::expect();
    move || live.is_operator().then(|| view! { <Book /> })
}

#[component]
fn Book() -> impl IntoView {
    let text = RwSignal::new(String::new());
    let read = ask(search_audit);
    let look = move |before| {
        read.send(AuditQuestion {
            text: text.get_untracked().trim().to_owned(),
            before,
        });
    };
    let page = read.answer();
    let is_open = RwSignal::new(false);
    let toggled = move |_| {
        is_open.update(|open| *open = !*open);
        if is_open.get_untracked() {
            look(None);
        }
    };
    let exported = move |()| page.with(|page| page.as_ref().map_or_else(String::new, as_lines));
    view! {
        <section class="card" aria-label="Audit journal">
            <details class="audit" on:toggle=toggled>
                <summary class="audit-summary">"Audit journal"</summary>
                <p class="card-hint">
                    "Who asked for what, written down before it was done. It stays on this machine and holds no secret value."
                </p>
                <form
                    class="audit-search"
                    on:submit=move |event| {
                        event.prevent_default();
                        look(None);
                    }
                >
                    <TextField id="audit-text" label="Search the journal" value=text />
                    <Button busy=read.is_pending() on_press=move |()| look(None)>
                        "Search"
                    </Button>
                    <CopyButton what="as JSON lines" idle="Copy as JSON lines" text=exported />
                </form>
                <FailureNote failure=read.failure() />
                {move || page.get().map(|page| entries(page, look))}
            </details>
        </section>
    }
    .into_any()
}

fn entries(page: AuditPage, look: impl Fn(Option<u64>) + Copy + Send + Sync + 'static) -> AnyView {
    if page.entries.is_empty() {
        return view! { <p class="card-hint">"Nothing fits"</p> }.into_any();
    }
    let older = page
        .has_more
        .then(|| page.entries.last().map(|entry| entry.number))
        .flatten();
    view! {
        <ol class="audit-entries">
            {page
                .entries
                .into_iter()
                .map(|entry| {
                    view! {
                        <li class="audit-entry">
                            <span class="audit-who">{entry.who}</span>
                            <span class="audit-what" dir="auto">
                                {entry.what}
                            </span>
                            <Age at=entry.at />
                        </li>
                    }
                })
                .collect_view()}
        </ol>
        {older
            .map(|older| {
                view! { <Button on_press=move |()| look(Some(older))>"Show older ones"</Button> }
            })}
    }
    .into_any()
}

/// One JSON object a line, oldest last, as shown.
fn as_lines(page: &AuditPage) -> String {
    let line = |entry: &AuditEntry| serde_json::to_string(entry).unwrap_or_default();
    page.entries
        .iter()
        .map(|entry| line(entry) + "\n")
        .collect()
}
