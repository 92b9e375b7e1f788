//! One question with everything that comes back, as it comes.

use leptos::prelude::*;

use crate::api::approvals::propose;
use crate::components::{FailureNote, FindingCard, wish};
use crate::live::Live;
use crate::model::{ChangeProposal, Turn, TurnEnding, TurnId, TurnItem, TurnOutcome, UnixMillis};
use crate::ui::{Button, ButtonKind, Markdown, StatusBadge, Tone, prose};

#[component]
pub fn Turns(turns: RwSignal<Vec<Turn>>) -> impl IntoView {
    let newest_first =
        move || turns.with(|turns| turns.iter().rev().map(|turn| turn.id).collect::<Vec<_>>());
    view! {
        <ol class="desk-turns" aria-label="Answers, newest first">
            <For each=newest_first key=|id| *id children=move |id| view! { <li><TurnCard id turns /></li> } />
        </ol>
    }
    .into_any()
}

#[component]
fn TurnCard(id: TurnId, turns: RwSignal<Vec<Turn>>) -> impl IntoView {
    let live = Live::expect();
    let turn =
        Memo::new(move |_| turns.with(|turns| turns.iter().find(|turn| turn.id == id).cloned()));
    let with = move |read: fn(&Turn) -> String| {
        turn.with(|turn| turn.as_ref().map(read).unwrap_or_default())
    };
    let ending = Memo::new(move |_| turn.with(|turn| turn.as_ref()?.ending.clone()));
    let count = move || turn.with(|turn| turn.as_ref().map_or(0, |turn| turn.items.len()));
    let facts = move || {
        let now = live.now();
        turn.with(|turn| {
            turn.as_ref()
                .map(|turn| facts(turn, now))
                .unwrap_or_default()
        })
    };
    let failed = move || match ending.get()?.how {
        TurnOutcome::Failed { finding } => Some(*finding),
        _ => None,
    };
    view! {
        <article class="desk-turn" aria-label=move || format!("Answer of {}", with(|turn| turn.assistant.title().to_owned()))>
            <p class="desk-question" dir="auto">
                {move || with(|turn| turn.question.clone())}
            </p>
            <div class="desk-turn-head">
                {move || {
                    let (tone, word) = standing(ending.get().as_ref());
                    view! { <StatusBadge tone word=word.to_owned() quiet=true /> }
                }}
                <span class="card-hint">{facts}</span>
            </div>
            <div class="desk-items" aria-live="polite" aria-busy=move || ending.with(Option::is_none).then_some("true")>
                <For
                    each=move || 0..count()
                    key=|at| *at
                    children=move |at| {
                        let item = Memo::new(move |_| {
                            turn.with(|turn| turn.as_ref()?.items.get(at).cloned())
                        });
                        view! { <Item item /> }
                    }
                />
            </div>
            {move || failed().map(|finding| view! { <FindingCard finding /> })}
        </article>
    }
    .into_any()
}

fn standing(ending: Option<&TurnEnding>) -> (Tone, &'static str) {
    match ending.map(|ending| &ending.how) {
        None => (Tone::Working, "Answering"),
        Some(TurnOutcome::Answered) => (Tone::Ok, "Answered"),
        Some(TurnOutcome::Stopped) => (Tone::Off, "Stopped"),
        Some(TurnOutcome::Failed { .. }) => (Tone::Failed, "Failed"),
    }
}

/// Who, how long, and how many tokens.
fn facts(turn: &Turn, now: UnixMillis) -> String {
    let end = turn.ending.as_ref().map_or(now, |ending| ending.at);
    let seconds = (end.0 - turn.asked.0).max(0) / 1000;
    let mut facts = vec![turn.assistant.title().to_owned()];
    facts.extend(turn.model.clone());
    facts.push(format!("{seconds} s"));
    if let Some(usage) = turn.usage {
        facts.push(format!("{} tokens in, {} out", usage.input, usage.output));
    }
    facts.join(" · ")
}

/// What kind an item is never changes; what is in it may grow.
#[component]
fn Item(item: Memo<Option<TurnItem>>) -> impl IntoView {
    match item.get_untracked() {
        Some(TurnItem::Text { .. }) => {
            let text = Signal::derive(move || match item.get() {
                Some(TurnItem::Text { text }) => text,
                _ => String::new(),
            });
            let after_code = Callback::new(propose_button);
            view! { <Markdown text after_code /> }.into_any()
        }
        Some(TurnItem::Tool {
            name, arguments, ..
        }) => {
            let answer = Memo::new(move |_| match item.get() {
                Some(TurnItem::Tool { answer, .. }) => answer,
                _ => None,
            });
            let state = move || match answer.get() {
                None => "is used",
                Some(answer) if answer.failed => "failed",
                Some(_) => "was used",
            };
            view! {
                <details class="desk-tool">
                    <summary>
                        <code>{name}</code>
                        <span class="desk-arguments">{(arguments != "{}").then_some(arguments)}</span>
                        <span class="card-hint">{state}</span>
                    </summary>
                    <pre dir="auto" tabindex="0">{move || answer.get().map(|answer| answer.text)}</pre>
                </details>
            }
            .into_any()
        }
        Some(TurnItem::Proposed { approval, line }) => view! {
            <p class="desk-proposed">
                <code>{line}</code>
                <a href=format!("#approval-{approval}") rel="external">"Look at the card"</a>
            </p>
        }
        .into_any(),
        Some(TurnItem::Refused { what, why }) => view! {
            <p class="desk-refused">
                <strong>"Refused: "</strong>
                <code>{what}</code>
                <span class="card-hint">{prose(&why)}</span>
            </p>
        }
        .into_any(),
        Some(TurnItem::Notice { text }) => view! { <p class="card-hint">{text}</p> }.into_any(),
        None => ().into_any(),
    }
}

/// For a block of code that is one kubectl command: what an assistant wrote can be proposed by hand.
fn propose_button(code: String) -> AnyView {
    let line = code.trim().to_owned();
    let is_one = line.starts_with("kubectl ") && !line.contains('\n');
    if !is_one {
        return ().into_any();
    }
    let make = wish(move |line: String| {
        propose(ChangeProposal {
            argv: line.split_whitespace().map(str::to_owned).collect(),
            why: "Written by an assistant".to_owned(),
            heals: None,
        })
    });
    view! {
        <Button kind=ButtonKind::Quiet busy=make.is_pending() on_press=move |()| make.send(line.clone())>
            "Make a card of it"
        </Button>
        <FailureNote failure=make.failure() />
    }
    .into_any()
}
