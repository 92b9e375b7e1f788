//! A shell in a container, in a window over the page; its address can be passed on, and opens nothing
//! by itself.

use leptos::prelude::*;

use super::terminal::{Beginning, TerminalPane};
use super::wish;
use crate::api::terminals::open_terminal;
use crate::live::Live;
use crate::model::{LogSource, Slice, TerminalPlace};
use crate::ui::{Modal, WordButton, open_while};

/// Opens a shell; put into the context by the page that has the window.
#[derive(Clone, Copy, Debug)]
pub struct OpenShell(pub Callback<LogSource>);

/// A small button that opens a shell. Draws nothing where there is no window for it, or for somebody
/// who may only look.
#[component]
pub fn ShellButton(source: LogSource) -> impl IntoView {
    let live = Live::expect();
    use_context::<OpenShell>()
        .map(|open| {
            let label = format!("Shell in {} of {}", source.container, source.pod);
            view! {
                <Show when=move || live.is_operator()>
                    <WordButton
                        word="Shell"
                        label=label.clone()
                        on_press={
                            let source = source.clone();
                            move |()| open.0.run(source.clone())
                        }
                    />
                </Show>
            }
        })
        .into_any()
}

/// Open while there is a container to have a shell in. `at_once`: a person has asked for it on this page.
#[component]
pub fn ShellDialog(
    source: Memo<Option<LogSource>>,
    #[prop(into)] at_once: Signal<bool>,
    #[prop(into)] on_change: Callback<Option<LogSource>>,
) -> impl IntoView {
    let open = open_while(source, move || on_change.run(None));
    let title = Signal::derive(move || {
        source.with(|source| {
            source.as_ref().map_or_else(String::new, |source| {
                format!("Shell in {} of {}", source.container, source.pod)
            })
        })
    });
    view! {
        <Modal open title wide=true>
            {move || {
                source
                    .get()
                    .map(|source| {
                        view! { <Shell source at_once=at_once.get_untracked() on_change /> }
                    })
            }}
        </Modal>
    }
    .into_any()
}

#[component]
fn Shell(
    source: LogSource,
    at_once: bool,
    on_change: Callback<Option<LogSource>>,
) -> impl IntoView {
    let live = Live::expect();
    let place = TerminalPlace::Shell {
        source: source.clone(),
    };
    let wanted = place.clone();
    let asked = wish(move |size| open_terminal(wanted.clone(), size));
    let beginning = Beginning {
        begin: Callback::new(move |size| asked.send(size)),
        is_pending: asked.is_pending(),
        failure: asked.failure(),
        at_once,
        word: "Open a shell",
        note: "Commands run in the container with its rights. That it was opened is written to the audit; \
               what is typed is not.",
    };
    let pod = source.pod.clone();
    let containers = live.memo(&[Slice::Pods], move |state| {
        let found = state.pods.values().find(|row| row.name == pod);
        found.map_or_else(Vec::new, |row| {
            row.containers
                .iter()
                .map(|container| container.name.clone())
                .collect::<Vec<_>>()
        })
    });
    let label = format!("the shell in {} of {}", source.container, source.pod);
    view! {
        <div class="term-choice">
            {move || {
                let (names, source) = (containers.get(), source.clone());
                (names.len() > 1).then(|| view! { <Containers names source on_change /> })
            }}
        </div>
        <TerminalPane place label beginning />
    }
    .into_any()
}

/// The other containers of the pod.
#[component]
fn Containers(
    names: Vec<String>,
    source: LogSource,
    on_change: Callback<Option<LogSource>>,
) -> impl IntoView {
    let LogSource { pod, container } = source;
    let choose = move |container: String| {
        on_change.run(Some(LogSource {
            pod: pod.clone(),
            container,
        }));
    };
    view! {
        <label class="field-label" for="shell-container">
            "Container"
        </label>
        <select
            id="shell-container"
            class="input"
            on:change:target=move |event| choose(event.target().value())
        >
            {names
                .into_iter()
                .map(|name| {
                    let selected = name == container;
                    view! {
                        <option value=name.clone() selected=selected>
                            {name.clone()}
                        </option>
                    }
                })
                .collect_view()}
        </select>
    }
    .into_any()
}
