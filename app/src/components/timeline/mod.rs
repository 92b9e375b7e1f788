//! The timeline of the probes: a strip for each, what happened on the same axis, and any moment of it
//! read by pointer or keyboard.

mod axis;
mod strips;

use std::time::Duration;

use leptos::prelude::*;

use self::axis::{Window, ZOOMS};
use self::strips::Strips;
use super::FailureNote;
use crate::api::live::read_timeline;
use crate::live::Live;
use crate::model::{Failure, Timeline};
use crate::ui::{Button, ButtonKind, EmptyMessage};

/// While the newest moment is in sight it is read again this often.
const AGAIN: Duration = Duration::from_secs(3);

/// For operators: the server reads it from its journal.
#[component]
pub fn TimelinePanel() -> impl IntoView {
    let live = Live::expect();
    let zoom = RwSignal::new(1_usize);
    // How many windows back from now; none: the end moves along.
    let back = RwSignal::new(0_i64);
    let ask = Action::new(|window: &Window| read_timeline(window.from, window.to));
    let read = move || {
        let window = Window::at(
            live.now_untracked(),
            ZOOMS[zoom.get_untracked()].0,
            back.get_untracked(),
        );
        ask.dispatch(window);
    };
    Effect::new(move |_| {
        zoom.track();
        back.track();
        read();
    });
    let again = set_interval_with_handle(
        move || {
            if back.try_get_untracked() == Some(0) {
                read();
            }
        },
        AGAIN,
    );
    on_cleanup(move || {
        if let Ok(again) = again {
            again.clear();
        }
    });
    let timeline = Memo::new(move |last: Option<&Timeline>| {
        ask.value().with(|answer| match answer {
            Some(Ok(timeline)) => timeline.clone(),
            // What was read before stays until something newer comes.
            _ => last.cloned().unwrap_or_default(),
        })
    });
    let failure: Signal<Option<Failure>> = Signal::derive(move || {
        ask.value().with(|answer| {
            answer
                .as_ref()
                .and_then(|answer| answer.as_ref().err().cloned())
        })
    });
    let is_empty = Memo::new(move |_| timeline.with(|timeline| timeline.spans.is_empty()));
    view! {
        <div class="timeline-tools" role="group" aria-label="Time shown">
            {ZOOMS
                .iter()
                .enumerate()
                .map(|(at, (_, words))| {
                    view! {
                        <Button
                            kind=ButtonKind::Quiet
                            pressed=Signal::derive(move || Some(zoom.get() == at))
                            on_press=move |()| {
                                zoom.set(at);
                                back.set(0);
                            }
                        >
                            {*words}
                        </Button>
                    }
                })
                .collect_view()}
            <span class="timeline-walk">
                <Button kind=ButtonKind::Quiet on_press=move |()| back.update(|back| *back += 1)>
                    "Earlier"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    disabled_why=Signal::derive(move || {
                        (back.get() == 0).then(|| "This is the newest".to_owned())
                    })
                    on_press=move |()| back.update(|back| *back = (*back - 1).max(0))
                >
                    "Later"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(back.get() == 0))
                    on_press=move |()| back.set(0)
                >
                    "Now"
                </Button>
            </span>
        </div>
        <FailureNote failure />
        <Show
            when=move || !is_empty.get()
            fallback=|| {
                view! {
                    <EmptyMessage
                        title="Nothing recorded here"
                        text="Slipway writes down what the probes say while it runs, and keeps it for a week."
                    />
                }
            }
        >
            <Strips timeline />
        </Show>
    }
    .into_any()
}
