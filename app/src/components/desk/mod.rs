//! The desk: who can be asked, the question with what goes along, and the answers as they come.

mod assistants;
mod outgoing;
mod own_agent;
mod question;
mod setting;
mod turn;

use leptos::prelude::*;

use self::assistants::AssistantList;
use self::question::{Draft, QuestionForm};
use self::turn::Turns;
use super::{FailureNote, ask, wish};
use crate::api::assistants::{forget_conversation, read_desk};
use crate::live::{Followed, Following, Live};
use crate::model::{AssistantId, AssistantView, DeskFrame, Standing, Turn, fold_desk};
use crate::ui::{Button, ButtonKind, Skeleton};

/// For operators: it sends, and holds more than a viewer is shown.
#[component]
pub fn AssistantDesk() -> impl IntoView {
    let live = Live::expect();
    move || live.is_operator().then(|| view! { <Desk /> })
}

#[component]
fn Desk() -> impl IntoView {
    let read = ask(move |()| read_desk());
    let desk = read.answer();
    let chosen = RwSignal::new(None::<AssistantId>);
    Effect::new(move |_| read.send(()));
    // The first one that can be asked, until a person chooses.
    let active = Memo::new(move |_| {
        chosen.get().or_else(|| {
            desk.with(|desk| {
                let all = &desk.as_ref()?.assistants;
                let ready = all.iter().find(|one| one.standing == Standing::Ready);
                ready.or_else(|| all.first()).map(|one| one.id)
            })
        })
    });
    let view = Memo::new(move |_| {
        let active = active.get()?;
        desk.with(|desk| {
            let all = &desk.as_ref()?.assistants;
            all.iter().find(|one| one.id == active).cloned()
        })
    });
    let turns = followed();
    let draft = Draft::new();
    view! {
        <section class="card desk" aria-label="Ask an assistant">
            <div class="card-head">
                <div>
                    <h2 class="card-title">"Ask an assistant"</h2>
                    <p class="card-hint">
                        "Assistants only look. What they want to change becomes a card above, and runs after your yes."
                    </p>
                </div>
                <div class="card-tools">
                    <Button kind=ButtonKind::Quiet busy=read.is_pending() on_press=move |()| read.send(())>
                        "Look again"
                    </Button>
                </div>
            </div>
            <FailureNote failure=read.failure() />
            <Show when=move || desk.with(Option::is_some) fallback=|| view! { <Skeleton /> }>
                <AssistantList desk chosen active changed=Callback::new(move |()| read.send(())) />
                {move || {
                    view
                        .get()
                        .map(|view| {
                            let saved = desk
                                .with(|desk| desk.as_ref().map(|desk| desk.saved.clone()))
                                .unwrap_or_default();
                            view! {
                                <QuestionForm
                                    view
                                    saved
                                    turns
                                    draft
                                    changed=Callback::new(move |()| read.send(()))
                                />
                            }
                        })
                }}
            </Show>
            <Conversation turns />
        </section>
    }
    .into_any()
}

/// What was said, below the form: the newest first, so that it is next to the question.
#[component]
fn Conversation(turns: RwSignal<Vec<Turn>>) -> impl IntoView {
    let forget = wish(move |()| forget_conversation());
    view! {
        <Show when=move || turns.with(|turns| !turns.is_empty())>
            <div class="desk-said">
                <h3 class="desk-heading">"Conversation"</h3>
                <Button kind=ButtonKind::Quiet busy=forget.is_pending() on_press=move |()| forget.send(())>
                    "New conversation"
                </Button>
            </div>
            <FailureNote failure=forget.failure() />
            <Turns turns />
        </Show>
    }
    .into_any()
}

/// The turns, as long as the page is open.
fn followed() -> RwSignal<Vec<Turn>> {
    let turns = RwSignal::new(
        use_context::<super::SeedAnswer<Vec<Turn>>>().map_or_else(Vec::new, |seed| seed.0),
    );
    let status = RwSignal::new(Following::Connecting);
    let stream = StoredValue::new_local(None::<Followed>);
    Effect::new(move |_| {
        let take = move |frame: Option<DeskFrame>| {
            if let Some(frame) = frame
                && frame != DeskFrame::Alive
            {
                turns.try_update(|turns| fold_desk(turns, frame));
            }
        };
        stream.set_value(Some(Followed::start(&(), false, status, take)));
    });
    turns
}

/// A word about how an assistant stands.
fn standing_word(view: &AssistantView) -> (crate::ui::Tone, &'static str) {
    use crate::ui::Tone;
    match &view.standing {
        Standing::Ready => (Tone::Ok, "Ready"),
        Standing::Unsure => (Tone::Unknown, "Not known"),
        Standing::Missing { .. } => (Tone::ToDo, "Not set up"),
    }
}
