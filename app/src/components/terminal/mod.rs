//! A terminal in the page: the rows the server sends, and a hidden field that takes the keys.

mod keys;
mod measure;
mod screen;
mod typist;

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::{ev, html};

use self::keys::{Key, Press, paste, press};
use self::measure::Measure;
use self::screen::{Row, Rows, rows};
use self::typist::Typist;
use super::{FailureNote, FindingCard, SeedAnswer};
use crate::api::terminals::{close_terminal, resize_terminal};
use crate::live::{Followed, Following};
use crate::model::{
    Failure, Finding, Terminal, TerminalEnd, TerminalEnding, TerminalFrame, TerminalId,
    TerminalModes, TerminalPlace, TerminalSize, fold_terminal,
};
use crate::ui::{Button, ButtonKind, CopyButton, StatusBadge, Tone};

/// A size that still changes is not sent.
const SETTLED: Duration = Duration::from_millis(150);
/// How often what is new is read out to those who do not see it.
const READ_OUT: Duration = Duration::from_millis(1_500);
const LONGEST_READ_OUT: usize = 400;
/// Keys a phone's keyboard does not have.
const EXTRA_KEYS: [(&str, &str); 9] = [
    ("Esc", "\u{1b}"),
    ("Tab", "\t"),
    ("Ctrl C", "\u{3}"),
    ("Ctrl D", "\u{4}"),
    ("Del", "\u{7f}"),
    ("←", "\u{1b}[D"),
    ("↑", "\u{1b}[A"),
    ("↓", "\u{1b}[B"),
    ("→", "\u{1b}[C"),
];

/// How a session is begun here.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    pub begin: Callback<TerminalSize>,
    pub is_pending: Signal<bool>,
    pub failure: Signal<Option<Failure>>,
    /// Without waiting for the button, when nothing goes on here yet.
    pub at_once: bool,
    /// On the button that begins the first one.
    pub word: &'static str,
    /// What stands where the screen will be.
    pub note: &'static str,
}

/// Of the session, without its rows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Head {
    /// Whether the server has said anything.
    is_known: bool,
    id: Option<TerminalId>,
    ending: Option<TerminalEnding>,
    modes: TerminalModes,
    size: TerminalSize,
    /// Column, and row among all that are kept.
    cursor: Option<(u16, u64)>,
}

impl Head {
    fn of(terminal: Option<&Terminal>) -> Self {
        let Some(Terminal {
            id, screen, ending, ..
        }) = terminal
        else {
            return Self {
                is_known: true,
                ..Self::default()
            };
        };
        let above = screen.top.saturating_sub(screen.first);
        Self {
            is_known: true,
            id: Some(*id),
            ending: ending.clone(),
            modes: screen.modes,
            size: screen.size,
            cursor: screen
                .cursor
                .map(|cursor| (cursor.column, above + u64::from(cursor.row))),
        }
    }

    fn going(&self) -> Option<TerminalId> {
        self.id.filter(|_| self.ending.is_none())
    }
}

/// The terminal of one place, for as long as it is shown. `label` completes "Type into".
#[component]
pub fn TerminalPane(
    place: TerminalPlace,
    #[prop(into)] label: String,
    beginning: Beginning,
) -> impl IntoView {
    let seed = use_context::<SeedAnswer<Terminal>>().map(|seed| seed.0);
    let head = RwSignal::new(
        seed.as_ref()
            .map(|seed| Head::of(Some(seed)))
            .unwrap_or_default(),
    );
    let all = RwSignal::new(seed.as_ref().map(rows).unwrap_or_default());
    let terminal = StoredValue::new(seed);
    let status = RwSignal::new(Following::Connecting);
    let measure = Measure::new();
    let field = NodeRef::<html::Textarea>::new();
    let typist = Typist::new();
    let sticks = StoredValue::new(true);
    let begun = StoredValue::new(false);
    let begin = move |()| {
        begun.set_value(true);
        sticks.set_value(true);
        beginning.begin.run(measure.size());
    };
    let stream = StoredValue::new_local(None::<Followed>);
    Effect::new(move |_| {
        let take = move |frame: Option<TerminalFrame>| {
            let Some(frame) = frame.filter(|frame| *frame != TerminalFrame::Alive) else {
                return;
            };
            terminal.try_update_value(|terminal| fold_terminal(terminal, frame));
            let now = terminal.try_with_value(|terminal| {
                let rows = terminal.as_ref().map(rows).unwrap_or_default();
                (rows, Head::of(terminal.as_ref()))
            });
            let Some((rows, now)) = now else { return };
            let is_idle = now.going().is_none();
            all.try_set(rows);
            if head.try_get_untracked().is_some_and(|head| head != now) {
                head.try_set(now);
            }
            if is_idle && beginning.at_once && begun.try_get_value() == Some(false) {
                begin(());
            }
        };
        stream.set_value(Some(Followed::start(&place, false, status, take)));
    });
    // The session has the size of the page that shows it, and the page what is new in sight.
    let id = Memo::new(move |_| head.with(Head::going));
    let resize = move || {
        let (wanted, known) = (measure.size(), head.with_untracked(|head| head.size));
        if let Some(id) = id.get_untracked().filter(|_| wanted != known) {
            spawn_local(async move {
                // One that has just ended needs no size.
                let _ = resize_terminal(id, wanted).await;
            });
        }
    };
    Effect::new(move |_| {
        if id.get().is_some() {
            request_animation_frame(resize);
            if let Some(field) = field.get() {
                let _ = field.focus();
            }
        }
    });
    let settling = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let handle = window_event_listener(ev::resize, move |_| {
            settling.update_value(|count| *count = count.wrapping_add(1));
            let this = settling.get_value();
            let look = move || {
                if settling.try_get_value() == Some(this) {
                    resize();
                }
            };
            set_timeout(look, SETTLED);
        });
        on_cleanup(move || handle.remove());
    });
    Effect::new(move |_| {
        all.track();
        if sticks.get_value() {
            request_animation_frame(move || measure.scroll_to_end());
        }
    });
    let send = move |text: &str| {
        if let Some(id) = id.get_untracked() {
            sticks.set_value(true);
            typist.send(id, text);
        }
    };
    let end = move |()| {
        if let Some(id) = id.get_untracked() {
            spawn_local(async move {
                // One that has ended by itself is as good.
                let _ = close_terminal(id).await;
            });
        }
    };
    let out = NodeRef::<html::Div>::new();
    let leave = move || {
        let button = out.get_untracked();
        let button = button.and_then(|out| out.query_selector("button").ok().flatten());
        if let Some(button) = button {
            use wasm_bindgen::JsCast as _;
            let _ = button.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    };
    let badge = Signal::derive(move || standing(&head.get(), &status.get()));
    let is_going = Signal::derive(move || id.get().is_some());
    // One that never said anything has only its end to tell.
    let is_silent = Memo::new(move |_| {
        all.track();
        let is_empty = |one: &Option<Terminal>| {
            one.as_ref()
                .is_some_and(|one| one.screen.text().trim().is_empty())
        };
        head.with(|head| head.ending.is_some()) && terminal.with_value(is_empty)
    });
    view! {
        <div class="term">
            <div class="term-tools" node_ref=out>
                <StatusBadge
                    tone=Signal::derive(move || badge.get().0)
                    word=Signal::derive(move || badge.get().1)
                    quiet=true
                />
                <span class="term-hint" id="term-hint">
                    <kbd>"Ctrl"</kbd>
                    " "
                    <kbd>"Shift"</kbd>
                    " "
                    <kbd>"Enter"</kbd>
                    " leaves the terminal"
                </span>
                <CopyButton
                    what="text of the terminal"
                    idle="Copy text"
                    text=move |()| {
                        terminal
                            .with_value(|one| one.as_ref().map_or_else(String::new, |one| one.screen.text()))
                    }
                />
                <Show when=move || is_going.get()>
                    <Button kind=ButtonKind::Quiet on_press=end>
                        "End session"
                    </Button>
                </Show>
                <Show when=move || head.with(|head| head.ending.is_some())>
                    <Button busy=beginning.is_pending on_press=begin>
                        "Start again"
                    </Button>
                </Show>
            </div>
            <div
                class="term-view"
                class:term-silent=is_silent
                node_ref=measure.pane
                on:scroll=move |_| sticks.set_value(measure.is_at_end())
                on:click=move |_| {
                    if let Some(field) = field.get_untracked().filter(|_| !is_selecting()) {
                        let _ = field.focus();
                    }
                }
            >
                <span class="term-measure" node_ref=measure.ruler aria-hidden="true">
                    {measure::RULER}
                </span>
                <div class="term-sheet" role="region" aria-label=format!("Screen of {label}")>
                    <Rows rows=all terminal />
                    {move || {
                        head.with(|head| head.cursor.filter(|_| head.going().is_some()))
                            .map(|(column, row)| {
                                view! {
                                    <span
                                        class="term-cursor"
                                        aria-hidden="true"
                                        style:left=format!("{column}ch")
                                        style:top=format!("calc({row} * var(--term-row))")
                                    ></span>
                                }
                            })
                    }}
                    <Keys
                        field
                        label=format!("Type into {label}")
                        modes=Signal::derive(move || head.with(|head| head.modes))
                        is_going
                        cursor=Signal::derive(move || head.with(|head| head.cursor))
                        send=Callback::new(move |text: String| send(&text))
                        leave=Callback::new(move |()| leave())
                    />
                </div>
                <Show when=move || head.with(|head| head.is_known && head.id.is_none())>
                    <div class="term-empty">
                        <p>{beginning.note}</p>
                        <Button kind=ButtonKind::Primary busy=beginning.is_pending on_press=begin>
                            {beginning.word}
                        </Button>
                    </div>
                </Show>
            </div>
            <div class="term-keys" role="group" aria-label="Keys">
                {EXTRA_KEYS
                    .map(|(word, text)| {
                        view! {
                            <button
                                type="button"
                                class="term-key"
                                // Else the phone's keyboard would go away.
                                on:mousedown=move |event| event.prevent_default()
                                on:click=move |_| send(text)
                            >
                                {word}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
            <FailureNote failure=beginning.failure />
            <FailureNote failure=typist.failure() />
            {move || head.with(|head| head.ending.clone()).map(|ending| view! { <Ending ending /> })}
            <ReadOut rows=all terminal />
        </div>
    }
    .into_any()
}

/// Whether text is being selected, which a focus elsewhere would undo.
fn is_selecting() -> bool {
    let selected = window().get_selection().ok().flatten();
    selected.is_some_and(|selected| !selected.is_collapsed())
}

/// The hidden field: keys, text from input methods and phones, and what is pasted.
#[component]
fn Keys(
    field: NodeRef<html::Textarea>,
    label: String,
    modes: Signal<TerminalModes>,
    is_going: Signal<bool>,
    cursor: Signal<Option<(u16, u64)>>,
    send: Callback<String>,
    leave: Callback<()>,
) -> impl IntoView {
    let composing = StoredValue::new(false);
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            // Known to some phones only, and to no list of attributes.
            let _ = field.set_attribute("autocorrect", "off");
        }
    });
    let key = move |event: ev::KeyboardEvent| {
        // The panel's own keys have no business here.
        event.stop_propagation();
        if event.is_composing() || composing.get_value() {
            return;
        }
        let key = Key {
            name: event.key(),
            ctrl: event.ctrl_key(),
            alt: event.alt_key(),
            shift: event.shift_key(),
            meta: event.meta_key(),
        };
        match press(&key, modes.get_untracked()) {
            // With nothing to type into, keys are what they are everywhere.
            _ if !is_going.get_untracked() => {}
            Press::Browser => {}
            Press::Leave => {
                event.prevent_default();
                leave.run(());
            }
            Press::Send(text) => {
                event.prevent_default();
                send.run(text);
            }
        }
    };
    let take = move || {
        let Some(field) = field.get_untracked() else {
            return;
        };
        let text = field.value().replace('\n', "\r");
        field.set_value("");
        if !text.is_empty() {
            send.run(text);
        }
    };
    let pasted = move |event: ev::ClipboardEvent| {
        event.prevent_default();
        let data = event.clipboard_data();
        let text = data.and_then(|data| data.get_data("text/plain").ok());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            send.run(paste(&text, modes.get_untracked()));
        }
    };
    view! {
        <textarea
            node_ref=field
            class="term-field"
            aria-label=label
            aria-describedby="term-hint"
            rows="1"
            autocapitalize="off"
            autocomplete="off"
            spellcheck="false"
            style:left=move || cursor.get().map(|(column, _)| format!("{column}ch"))
            style:top=move || cursor.get().map(|(_, row)| format!("calc({row} * var(--term-row))"))
            on:keydown=key
            on:compositionstart=move |_| composing.set_value(true)
            on:compositionend=move |_| {
                composing.set_value(false);
                take();
            }
            on:input=move |_| {
                if !composing.get_value() {
                    take();
                }
            }
            on:paste=pasted
        ></textarea>
    }
    .into_any()
}

#[component]
fn Ending(ending: TerminalEnding) -> impl IntoView {
    match ending.how {
        TerminalEnd::Failed { finding } => {
            let finding: Finding = *finding;
            view! { <FindingCard finding /> }.into_any()
        }
        other => view! { <p class="term-ending">{format!("{}.", other.words())}</p> }.into_any(),
    }
}

/// The last lines, for those who do not see the screen: politely, and not with every key.
#[component]
fn ReadOut(rows: RwSignal<Vec<Row>>, terminal: StoredValue<Option<Terminal>>) -> impl IntoView {
    let (text, set_text) = signal(String::new());
    let read = StoredValue::new(Vec::<Row>::new());
    let look = move || {
        let Some(now) = rows.try_get_untracked() else {
            return;
        };
        if read.try_with_value(|read| *read == now) != Some(false) {
            return;
        }
        read.try_set_value(now);
        let last = terminal.try_with_value(|terminal| terminal.as_ref().map(last_lines));
        if let Some(last) = last.flatten() {
            set_text.try_set(last);
        }
    };
    Effect::new(move |_| {
        if let Ok(handle) = set_interval_with_handle(look, READ_OUT) {
            on_cleanup(move || handle.clear());
        }
    });
    view! {
        <p class="sr-only" role="status" aria-live="polite">
            {text}
        </p>
    }
    .into_any()
}

fn last_lines(terminal: &Terminal) -> String {
    let lines = terminal.screen.lines.iter().rev();
    let mut last: Vec<String> = lines
        .map(|line| line.text())
        .filter(|text| !text.trim().is_empty())
        .take(3)
        .collect();
    last.reverse();
    last.join("\n").chars().take(LONGEST_READ_OUT).collect()
}

fn standing(head: &Head, status: &Following) -> (Tone, String) {
    let (tone, word) = match (&head.ending, status) {
        _ if !head.is_known => (Tone::Working, "Connecting"),
        (Some(ending), _) => match &ending.how {
            TerminalEnd::Exited { code: 0 } => (Tone::Off, "Ended"),
            TerminalEnd::Exited { code } => {
                return (Tone::Attention, format!("Ended with exit code {code}"));
            }
            TerminalEnd::Closed { .. } => (Tone::Off, "Closed"),
            TerminalEnd::Failed { .. } => (Tone::Failed, "Failed"),
        },
        (None, _) if head.id.is_none() => (Tone::Off, "Not open"),
        (None, Following::Broken | Following::Failed(_)) => (Tone::Stale, "Reconnecting"),
        (None, _) => (Tone::Ok, "Open"),
    };
    (tone, word.to_owned())
}
