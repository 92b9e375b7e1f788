//! The question, the prompts to begin with, and what goes along, part by part.

use std::collections::BTreeSet;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::outgoing::OutgoingDialog;
use crate::api::assistants::{
    ask_assistant, open_assistant_terminal, preview_question, read_pack, remove_prompt,
    save_prompt, stop_answer,
};
use crate::components::terminal::{Beginning, TerminalPane};
use crate::components::{FailureNote, ask, wish};
use crate::model::{
    AssistantId, AssistantView, Outgoing, PackPart, PackSection, PromptIdea, Question, Standing,
    TerminalPlace, TerminalSize, Turn, TurnId,
};
use crate::ui::{Button, ButtonKind, CommandBlock, CopyButton};

/// What a person has written so far; it outlives a look at another assistant.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    text: RwSignal<String>,
    left_out: RwSignal<BTreeSet<PackPart>>,
}

impl Draft {
    pub fn new() -> Self {
        Self {
            text: RwSignal::new(String::new()),
            left_out: RwSignal::new(BTreeSet::new()),
        }
    }
}

#[component]
pub fn QuestionForm(
    view: AssistantView,
    saved: Vec<PromptIdea>,
    turns: RwSignal<Vec<Turn>>,
    changed: Callback<()>,
    draft: Draft,
) -> impl IntoView {
    let Draft { text, left_out } = draft;
    let id = view.id;
    let gathered = ask(move |()| read_pack());
    let pack = gathered.answer();
    Effect::new(move |_| gathered.send(()));
    let question = move || Question {
        assistant: id,
        text: text.get_untracked(),
        left_out: left_out.get_untracked(),
    };
    let shown = RwSignal::new(None::<Outgoing>);
    let send = wish(
        move |(question, seen): (Question, Option<String>)| async move {
            let asked = ask_assistant(question, seen).await;
            if asked.is_ok() {
                text.set(String::new());
            }
            asked
        },
    );
    // What goes out is always what was made for showing; only where it leaves this machine for the
    // first time it has to be read.
    let prepare = wish(move |(question, only_show): (Question, bool)| async move {
        let outgoing = preview_question(question.clone()).await?;
        let may_go = outgoing.consented || !outgoing.destination.needs_consent();
        if may_go && !only_show {
            send.send((question, Some(outgoing.hash)));
        } else {
            shown.set(Some(outgoing));
        }
        Ok::<_, crate::model::Failure>(())
    });
    let going = Memo::new(move |_| {
        turns.with(|turns| {
            turns
                .iter()
                .find(|turn| turn.ending.is_none())
                .map(|turn| turn.id)
        })
    });
    let stop = wish(move |turn: TurnId| stop_answer(turn));
    let can_ask = view.standing == Standing::Ready
        || (view.standing == Standing::Unsure && id != AssistantId::Gordon);
    let disabled = Signal::derive(move || {
        if !can_ask {
            Some(format!("{} is not set up", id.title()))
        } else if text.with(|text| text.trim().is_empty()) {
            Some("Write a question first".to_owned())
        } else {
            None
        }
    });
    let send_by_key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            if disabled.with_untracked(Option::is_none) && going.get_untracked().is_none() {
                prepare.send((question(), false));
            }
        }
    };
    let is_terminal = id == AssistantId::Gordon;
    let room = RwSignal::new(TerminalSize::default());
    let open =
        wish(move |seen: String| open_assistant_terminal(question(), seen, room.get_untracked()));
    let confirm = Callback::new(move |hash: String| {
        shown.set(None);
        match is_terminal {
            true => open.send(hash),
            false => send.send((question(), Some(hash))),
        }
    });
    let send_word = match (is_terminal, view.standing == Standing::Unsure) {
        (true, is_installed) => is_installed.then_some("Open in a terminal here"),
        (false, _) => can_ask.then_some("Send it"),
    };
    let beginning = Beginning {
        begin: Callback::new(move |size| {
            room.set(size);
            prepare.send((question(), true));
        }),
        is_pending: Signal::derive(move || prepare.is_pending().get() || open.is_pending().get()),
        failure: open.failure(),
        at_once: false,
        word: "Read what will be sent, then open it here",
        note: "Gordon answers in a terminal, and asks you there before it does something. Nothing is sent \
               before you have read it, and nothing is answered for you.",
    };
    view! {
        <div class="desk-ask">
            <Prompts pack_ideas=Signal::derive(move || pack.with(|pack| pack.as_ref().map(|pack| pack.ideas.clone()).unwrap_or_default())) saved text changed />
            <div class="field">
                <label class="field-label" for="pack-question">
                    "Your question"
                </label>
                <textarea
                    id="pack-question"
                    class="input pack-question"
                    rows="3"
                    aria-keyshortcuts="Control+Enter"
                    prop:value=text
                    on:input:target=move |event| text.set(event.target().value())
                    on:keydown=send_by_key
                >
                    {text.get_untracked()}
                </textarea>
            </div>
            <details class="desk-parts">
                <summary>
                    {move || {
                        let all = pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.sections.len()));
                        let out = left_out.with(BTreeSet::len).min(all);
                        format!("What goes along: {} of {all} parts, redacted", all - out)
                    }}
                </summary>
                <fieldset class="pack-parts">
                    <legend class="sr-only">"What it is told"</legend>
                    {move || {
                        pack.get()
                            .map(|pack| {
                                pack.sections.into_iter().map(|section| part_switch(section, left_out)).collect_view()
                            })
                    }}
                </fieldset>
                <Button kind=ButtonKind::Quiet busy=gathered.is_pending() on_press=move |()| gathered.send(())>
                    "Gather again"
                </Button>
            </details>
            <div class="desk-acts">
                {move || match (is_terminal, going.get()) {
                    (true, _) => None,
                    (false, Some(turn)) => {
                        Some(
                            view! {
                                <Button busy=stop.is_pending() on_press=move |()| stop.send(turn)>
                                    "Stop the answer"
                                </Button>
                            }
                                .into_any(),
                        )
                    }
                    (false, None) => {
                        Some(
                            view! {
                                <Button
                                    kind=ButtonKind::Primary
                                    disabled_why=disabled
                                    busy=Signal::derive(move || prepare.is_pending().get() || send.is_pending().get())
                                    on_press=move |()| prepare.send((question(), false))
                                >
                                    {format!("Ask {}", id.title())}
                                </Button>
                            }
                                .into_any(),
                        )
                    }
                }}
                <Button kind=ButtonKind::Quiet disabled_why=Signal::derive(move || text.with(|text| text.trim().is_empty()).then(|| "Write a question first".to_owned())) on_press=move |()| prepare.send((question(), true))>
                    "Read what will be sent"
                </Button>
            </div>
            {send_word
                .filter(|_| is_terminal)
                .map(|_| view! { <TerminalPane place=TerminalPlace::Gordon label="Gordon" beginning /> })}
            {is_terminal.then(|| terminal(text, pack_text(pack, text, left_out)))}
            <FailureNote failure=gathered.failure() />
            <FailureNote failure=prepare.failure() />
            <FailureNote failure=send.failure() />
            <FailureNote failure=stop.failure() />
            <OutgoingDialog shown send_word name=id.title() confirm />
        </div>
    }
    .into_any()
}

fn pack_text(
    pack: Signal<Option<crate::model::ContextPack>>,
    text: RwSignal<String>,
    left_out: RwSignal<BTreeSet<PackPart>>,
) -> Signal<String> {
    Signal::derive(move || {
        pack.with(|pack| {
            let Some(pack) = pack else {
                return text.get();
            };
            text.with(|text| left_out.with(|out| pack.text(text, out)))
        })
    })
}

/// For one that answers in a terminal only: its command, and the text to paste there.
fn terminal(text: RwSignal<String>, whole: Signal<String>) -> impl IntoView {
    let command = move || {
        let question = text.with(|text| text.trim().replace('\'', r"'\''"));
        match question.is_empty() {
            true => "docker ai".to_owned(),
            false => format!("docker ai '{question}'"),
        }
    };
    view! {
        <div class="desk-terminal">
            <p>"Or run it in a terminal of yours, in the project's folder:"</p>
            {move || view! { <CommandBlock command=command() /> }}
            <CopyButton what="the whole text with what goes along" idle="Copy the whole text" text=move |()| whole.get_untracked() />
        </div>
    }
    .into_any()
}

#[component]
fn Prompts(
    pack_ideas: Signal<Vec<PromptIdea>>,
    saved: Vec<PromptIdea>,
    text: RwSignal<String>,
    changed: Callback<()>,
) -> impl IntoView {
    let again = move || changed.run(());
    let save = wish(move |idea: PromptIdea| async move {
        let done = save_prompt(idea).await;
        if done.is_ok() {
            again();
        }
        done
    });
    let remove = wish(move |title: String| async move {
        let done = remove_prompt(title).await;
        if done.is_ok() {
            again();
        }
        done
    });
    let use_it = move |prompt: String| {
        text.set(prompt);
        if let Some(field) = document().get_element_by_id("pack-question")
            && let Ok(field) = field.dyn_into::<web_sys::HtmlElement>()
        {
            // Refused only when it is not there any more.
            let _ = field.focus();
        }
    };
    // The first line is its title.
    let keep = move |()| {
        let prompt = text.get_untracked();
        let title: String = prompt
            .trim()
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        save.send(PromptIdea { title, prompt });
    };
    view! {
        <div class="pack-ideas" role="group" aria-label="Questions to begin with">
            {move || {
                pack_ideas
                    .get()
                    .into_iter()
                    .map(|idea| {
                        let prompt = idea.prompt.clone();
                        view! {
                            <Button kind=ButtonKind::Quiet on_press=move |()| use_it(prompt.clone())>
                                {idea.title}
                            </Button>
                        }
                    })
                    .collect_view()
            }}
        </div>
        <details class="desk-parts">
            <summary>{format!("Saved prompts: {}", saved.len())}</summary>
            <ul class="desk-saved">
                {saved
                    .into_iter()
                    .map(|idea| {
                        let (prompt, title) = (idea.prompt.clone(), idea.title.clone());
                        let name = idea.title.clone();
                        view! {
                            <li>
                                <Button kind=ButtonKind::Quiet on_press=move |()| use_it(prompt.clone())>
                                    {idea.title}
                                </Button>
                                <Button
                                    kind=ButtonKind::Quiet
                                    label=Some(format!("Remove {name}"))
                                    on_press=move |()| remove.send(title.clone())
                                >
                                    "Remove"
                                </Button>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            <Button
                kind=ButtonKind::Quiet
                busy=save.is_pending()
                disabled_why=Signal::derive(move || text.with(|text| text.trim().is_empty()).then(|| "Write a question first".to_owned()))
                on_press=keep
            >
                "Save the question as a prompt"
            </Button>
            <FailureNote failure=save.failure() />
            <FailureNote failure=remove.failure() />
        </details>
    }
    .into_any()
}

fn part_switch(section: PackSection, left_out: RwSignal<BTreeSet<PackPart>>) -> impl IntoView {
    let part = section.part;
    let lines = section.text.lines().count();
    let hidden = match section.hidden {
        0 => String::new(),
        1 => ", 1 value hidden".to_owned(),
        many => format!(", {many} values hidden"),
    };
    view! {
        <label class="pack-part">
            <input
                type="checkbox"
                prop:checked=move || left_out.with(|out| !out.contains(&part))
                on:change=move |_| {
                    left_out
                        .update(|out| {
                            if !out.remove(&part) {
                                out.insert(part);
                            }
                        })
                }
            />
            <span class="pack-part-name">{part.title()}</span>
            <span class="card-hint">{format!("{lines} lines{hidden}")}</span>
        </label>
    }
    .into_any()
}
