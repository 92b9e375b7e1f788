//! Follows answers that do not end, logs, the desk and terminals: one connection each, made anew when it breaks,
//! and silent when nobody looks.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::error::FromServerFnError;
use leptos::task::spawn_local;
use serde::Serialize;
use serde::de::DeserializeOwned;
use web_sys::AbortController;

use super::backoff;
use super::fetch::{self, End, sleep_ms};
use crate::model::{DeskFrame, Failure, LogFrame, TerminalFrame};
use crate::token;

/// The server sends a sign of life every two seconds; longer silence means a dead connection.
const SILENCE_MS: f64 = 7_000.0;

/// How the stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    Connecting,
    Following,
    /// It broke and is made anew.
    Broken,
    /// All there was has been read.
    Done,
    Failed(Failure),
}

/// What a followed stream is made of.
pub trait Frame: DeserializeOwned + 'static {
    /// Where it is asked for.
    const PATH: &'static str;
    /// Whether this is the last one.
    fn is_last(&self) -> bool;
}

impl Frame for LogFrame {
    const PATH: &'static str = "/follow/logs";

    fn is_last(&self) -> bool {
        *self == Self::Done
    }
}

impl Frame for DeskFrame {
    const PATH: &'static str = "/follow/desk";

    fn is_last(&self) -> bool {
        false
    }
}

impl Frame for TerminalFrame {
    const PATH: &'static str = "/follow/terminal";

    fn is_last(&self) -> bool {
        false
    }
}

/// A stream that lives as long as this value is kept.
#[derive(Debug)]
pub struct Followed(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    controller: RefCell<Option<AbortController>>,
    is_wanted: Cell<bool>,
}

impl Followed {
    /// Connects, and connects again whenever the stream breaks, and when it was done unless `once`.
    /// `take` gets none when a connection begins: the newest comes again, and then what follows.
    pub fn start<F: Frame>(
        wish: &impl Serialize,
        once: bool,
        status: RwSignal<Following>,
        mut take: impl FnMut(Option<F>) + 'static,
    ) -> Self {
        let inner = Rc::new(Inner {
            controller: RefCell::new(None),
            is_wanted: Cell::new(true),
        });
        let this = Self(Rc::clone(&inner));
        let body = serde_json::to_string(wish);
        spawn_local(async move {
            let mut failed_tries = 0;
            while inner.is_wanted.get() {
                let (Some(authorization), Ok(abort), Ok(body)) =
                    (token::authorization(), AbortController::new(), &body)
                else {
                    return;
                };
                inner.controller.replace(Some(abort.clone()));
                // A request that is never answered is given up like a stream that falls silent.
                let silence = Silence::watch(&abort);
                let mut heard = false;
                let mut is_done = false;
                let on_frame = |frame: Option<&str>| {
                    silence.ends();
                    if !inner.is_wanted.get() {
                        return ControlFlow::Break(());
                    }
                    let Some(frame) = frame else {
                        return ControlFlow::Continue(());
                    };
                    let Some(frame) = fetch::decode::<F>(frame) else {
                        return ControlFlow::Break(());
                    };
                    if !std::mem::replace(&mut heard, true) {
                        take(None);
                    }
                    is_done = frame.is_last();
                    status.try_set(if is_done {
                        Following::Done
                    } else {
                        Following::Following
                    });
                    take(Some(frame));
                    ControlFlow::Continue(())
                };
                let end =
                    fetch::frames(F::PATH, &authorization, Some(body), &abort, on_frame).await;
                drop(silence);
                if !inner.is_wanted.get() || (is_done && once) {
                    return;
                }
                match end {
                    End::Refused => return,
                    End::NoStream(text) => {
                        let why = Failure::de(text.into_bytes().into());
                        status.try_set(Following::Failed(why));
                    }
                    End::Over => {
                        status.try_set(Following::Broken);
                    }
                }
                failed_tries = if heard { 0 } else { failed_tries + 1 };
                sleep_ms(backoff::delay_ms(failed_tries, js_sys::Math::random())).await;
            }
        });
        this
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.0.is_wanted.set(false);
        if let Some(controller) = self.0.controller.take() {
            controller.abort();
        }
    }
}

/// Looks every second whether a connection fell silent, and aborts it then; nobody looks any more once
/// this is dropped.
struct Silence {
    since: Rc<Cell<f64>>,
    look: Option<IntervalHandle>,
}

impl Silence {
    fn watch(connection: &AbortController) -> Self {
        let since = Rc::new(Cell::new(page_ms()));
        let heard = Rc::clone(&since);
        let connection = connection.clone();
        let look = move || {
            if page_ms() - heard.get() > SILENCE_MS {
                connection.abort();
            }
        };
        Self {
            since,
            look: set_interval_with_handle(look, Duration::from_secs(1)).ok(),
        }
    }

    fn ends(&self) {
        self.since.set(page_ms());
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(look) = self.look {
            look.clear();
        }
    }
}

/// The page's own clock, which nobody can set.
fn page_ms() -> f64 {
    window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}
