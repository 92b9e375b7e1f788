//! The last lines of a container, asked for on wish.

use leptos::prelude::*;

use super::FailureNote;
use crate::api::live::container_logs;
use crate::live::Live;
use crate::model::{Failure, LogQuery, Slice};
use crate::ui::{Button, EmptyMessage, Icon, IconShape, LogRow, LogView, Tone};

const TAIL: u32 = 500;

/// `of` is the pod and the container to show; the reader can pick another.
#[component]
pub fn PodLogs(of: RwSignal<Option<(String, String)>>) -> impl IntoView {
    let live = Live::expect();
    let choices = live.memo(&[Slice::Pods], |state| {
        state
            .pods
            .values()
            .flat_map(|pod| {
                pod.containers
                    .iter()
                    .map(|container| (pod.name.clone(), container.name.clone()))
            })
            .collect::<Vec<_>>()
    });
    let previous = RwSignal::new(false);
    let ask = Action::new(|query: &LogQuery| container_logs(query.clone()));
    let refresh = move || {
        if let Some((pod, container)) = of.get_untracked() {
            ask.dispatch(LogQuery {
                pod,
                container,
                previous: previous.get_untracked(),
                tail: TAIL,
            });
        }
    };
    Effect::new(move |_| {
        of.track();
        previous.track();
        refresh();
    });
    let answer = ask.value();
    let rows = Memo::new(move |_| {
        answer.with(|answer| match answer {
            Some(Ok(lines)) => lines
                .iter()
                .zip(0..)
                .map(|(text, number)| LogRow {
                    number,
                    source: String::new(),
                    text: text.clone(),
                })
                .collect(),
            _ => Vec::new(),
        })
    });
    let failure = Signal::derive(move || {
        answer.with(|answer| {
            answer
                .as_ref()
                .and_then(|answer| answer.as_ref().err().cloned())
        })
    });
    let failure: Signal<Option<Failure>> = failure;
    let chosen = move || {
        of.get()
            .map_or_else(String::new, |(pod, container)| format!("{pod}/{container}"))
    };
    view! {
        <Show
            when=move || choices.with(|choices| !choices.is_empty())
            fallback=|| {
                view! {
                    <EmptyMessage
                        tone=Tone::Off
                        title="No containers"
                        text="Once something is deployed, its logs can be read here."
                    />
                }
            }
        >
            <div class="pod-logs-tools">
                <label class="field-label" for="logs-of">
                    "Container"
                </label>
                <select
                    id="logs-of"
                    class="input"
                    on:change:target=move |event| {
                        let value = event.target().value();
                        of.set(
                            value
                                .split_once('/')
                                .map(|(pod, container)| (pod.to_owned(), container.to_owned())),
                        );
                    }
                >
                    <option value="" selected=move || of.with(Option::is_none)>
                        "Choose a container"
                    </option>
                    {move || {
                        choices
                            .get()
                            .into_iter()
                            .map(|(pod, container)| {
                                let value = format!("{pod}/{container}");
                                let this = value.clone();
                                view! {
                                    <option value=value selected=move || chosen() == this>
                                        {format!("{pod}, {container}")}
                                    </option>
                                }
                            })
                            .collect_view()
                    }}
                </select>
                <Button
                    pressed=Signal::derive(move || Some(previous.get()))
                    on_press=move |()| previous.update(|previous| *previous = !*previous)
                >
                    "Before the last restart"
                </Button>
                <Button
                    busy=ask.pending()
                    disabled_why=Signal::derive(move || {
                        of.with(Option::is_none).then(|| "Choose a container first".to_owned())
                    })
                    on_press=move |()| refresh()
                >
                    <Icon shape=IconShape::Refresh />
                    "Refresh"
                </Button>
            </div>
            <FailureNote failure />
            <LogView label="Container log" rows empty="No lines to show" />
        </Show>
    }
    .into_any()
}
