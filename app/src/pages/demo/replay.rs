//! The last walk that went well, for the stage on which the cluster died. It says at every moment that
//! it is not what is now.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Screen;
use super::scene::Showing;
use crate::live::{Live, fetch_recording, play};
use crate::model::{Recording, RecordingView, Slice};
use crate::ui::{StatusIcon, Tone, day_and_time};

/// The store of what is now, for the screen that shows what was.
#[derive(Clone, Copy)]
struct Real(Live);

/// The recording, once it was fetched; copy it freely.
#[derive(Clone, Copy)]
pub struct Tape {
    recording: RwSignal<Option<Arc<Recording>>>,
    is_missing: RwSignal<bool>,
}

impl Tape {
    /// Fetched when it is wanted; on the presenter's page as soon as there is one, so that even the end
    /// of Slipway does not take it away.
    pub fn provide(is_wanted: Memo<bool>) -> Self {
        let live = Live::expect();
        provide_context(Real(live));
        let tape = Self {
            recording: RwSignal::new(None),
            is_missing: RwSignal::new(false),
        };
        let newest = live.memo(&[Slice::Recording], |state| state.recording);
        Effect::new(move |_| {
            let newest = newest.get();
            let is_wanted = is_wanted.get() || (newest.is_some() && live.is_operator());
            let is_here = tape
                .recording
                .with_untracked(|tape| tape.as_ref().map(|tape| tape.view()) == newest);
            if !live.has_snapshot() || !is_wanted || (is_here && newest.is_some()) {
                return;
            }
            spawn_local(async move {
                let recording = fetch_recording().await.map(Arc::new);
                tape.is_missing.try_set(recording.is_none());
                if let Some(recording) = recording {
                    tape.recording.try_set(Some(recording));
                }
            });
        });
        tape
    }
}

#[component]
pub fn Replay(tape: Tape) -> impl IntoView {
    move || {
        match (tape.recording.get(), tape.is_missing.get()) {
        (Some(recording), _) => view! { <Playing recording /> }.into_any(),
        (None, true) => view! {
            <Empty text="No walk has been recorded yet: one is, from the first run until every step is done." />
        }
        .into_any(),
        (None, false) => view! { <Empty text="Fetching the recorded walk." /> }.into_any(),
    }
    }
}

#[component]
fn Playing(recording: Arc<Recording>) -> impl IntoView {
    let showing = Showing::Replay(recording.view());
    play(recording);
    view! { <Screen showing /> }.into_any()
}

#[component]
fn Empty(text: &'static str) -> impl IntoView {
    view! {
        <div class="demo">
            <p class="demo-nothing" role="status">
                {text}
            </p>
            <p class="demo-nothing">
                <a class="demo-tool" href=Showing::Now.path(None)>
                    "Back to now"
                </a>
            </p>
        </div>
    }
    .into_any()
}

/// Says what this is, and how it stands with what is now.
#[component]
pub fn Band(recording: RecordingView) -> impl IntoView {
    let Real(real) = expect_context();
    let is_back = Memo::new(move |_| {
        let watch = real.read(&[Slice::Watch], |state| state.watch);
        real.is_fresh(&watch)
    });
    view! {
        <p class="demo-band" role="note">
            <strong>"Replay"</strong>
            <span class="demo-clip">
                {format!("The walk of {}. Not what is now.", day_and_time(recording.started))}
            </span>
            <a class="demo-tool demo-band-back" href=Showing::Now.path(None)>
                <StatusIcon tone=Signal::derive(move || {
                    if is_back.get() { Tone::Ok } else { Tone::Stale }
                }) />
                {move || {
                    if is_back.get() { "Back to now: the cluster answers" } else { "Back to now" }
                }}
            </a>
        </p>
    }
    .into_any()
}
