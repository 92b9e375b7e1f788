//! Reads `GET /events`.
//! One loop per page: connect, read, and on any trouble wait a little and connect anew.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use web_sys::AbortController;

use super::fetch::{self, sleep_ms};
use super::sequence::{Sequence, Verdict};
use super::{Connection, Live, backoff};
use crate::model::LiveMessage;
use crate::token;

/// The panel sends a sign of life more often than this; longer silence means a dead connection.
const SILENCE_MS: u64 = 12_000;

thread_local! {
    /// Stops the stream being read; replaced with every connection.
    static CURRENT: RefCell<Option<AbortController>> = const { RefCell::new(None) };
    /// Counts connections wanted, so that an outdated loop ends itself.
    static GENERATION: RefCell<u32> = const { RefCell::new(0) };
}

enum End {
    /// The token was not taken.
    Refused,
    /// Anything else; `heard` tells whether a message had come before.
    Broken { heard: bool },
}

pub(super) fn start(live: Live) {
    look_at_the_clock(live);
    set_interval(move || look_at_the_clock(live), Duration::from_secs(1));
    // A hidden tab's timers sleep and its connection may be long dead: look at once.
    let on_show = Closure::<dyn FnMut()>::new(move || {
        if document().visibility_state() == web_sys::VisibilityState::Visible {
            look_at_the_clock(live);
        }
    });
    let _ = document()
        .add_event_listener_with_callback("visibilitychange", on_show.as_ref().unchecked_ref());
    // The page listens as long as it lives.
    on_show.forget();
    connect(live);
}

/// Whoever was silent for too long, or slept, is connected anew.
fn look_at_the_clock(live: Live) {
    let slept = live.tick();
    let silent_for = live.local_now().since(live.heard.get_value());
    let is_trying = !matches!(
        live.connection.get_untracked(),
        Connection::NoToken | Connection::Refused
    );
    if is_trying && (slept || silent_for > SILENCE_MS) {
        abort_current();
    }
}

fn abort_current() {
    CURRENT.with_borrow(|current| {
        if let Some(controller) = current {
            controller.abort();
        }
    });
}

/// Starts the loop anew; an older loop ends.
pub(super) fn connect(live: Live) {
    abort_current();
    let generation = GENERATION.with_borrow_mut(|generation| {
        *generation = generation.wrapping_add(1);
        *generation
    });
    spawn_local(async move {
        let mut failed_tries = 0;
        while is_current(generation) {
            let Some(authorization) = token::authorization() else {
                live.set_connection(Connection::NoToken);
                return;
            };
            match read_stream(live, &authorization).await {
                End::Refused => {
                    live.set_connection(Connection::Refused);
                    return;
                }
                End::Broken { heard } => {
                    if !is_current(generation) {
                        return;
                    }
                    failed_tries = if heard { 0 } else { failed_tries + 1 };
                    live.lost();
                    sleep_ms(backoff::delay_ms(failed_tries, js_sys::Math::random())).await;
                }
            }
        }
    });
}

fn is_current(generation: u32) -> bool {
    GENERATION.with_borrow(|current| *current == generation)
}

async fn read_stream(live: Live, authorization: &str) -> End {
    let Ok(controller) = AbortController::new() else {
        return End::Broken { heard: false };
    };
    // A request that is never answered is given up like a stream that falls silent.
    live.heard.set_value(live.local_now());
    CURRENT.set(Some(controller.clone()));
    let mut heard = false;
    let mut sequence = Sequence::default();
    let on_frame = |frame: Option<&str>| {
        live.heard.set_value(live.local_now());
        let Some(frame) = frame else {
            return ControlFlow::Continue(());
        };
        let Some(message) = fetch::decode::<LiveMessage>(frame) else {
            leptos::logging::error!("a message of the panel could not be read; reload the page");
            heard = false;
            return ControlFlow::Break(());
        };
        let verdict = sequence.judge(&message);
        if verdict == Verdict::Gap {
            return ControlFlow::Break(());
        }
        heard = true;
        live.take(message, verdict);
        ControlFlow::Continue(())
    };
    match fetch::frames("/events", authorization, None, &controller, on_frame).await {
        fetch::End::Refused => End::Refused,
        fetch::End::NoStream(_) => End::Broken { heard: false },
        fetch::End::Over => End::Broken { heard },
    }
}
