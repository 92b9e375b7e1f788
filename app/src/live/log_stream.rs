//! Follows logs: one connection per wish, made anew when it breaks, and silent when nobody looks.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use leptos::prelude::*;
use leptos::server_fn::error::FromServerFnError;
use leptos::task::spawn_local;
use web_sys::AbortController;

use super::backoff;
use super::fetch::{self, End, sleep_ms};
use crate::model::{Failure, LogFrame, LogWish};
use crate::token;

/// How the stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStream {
    Connecting,
    Following,
    /// It broke and is made anew.
    Broken,
    /// All there was has been read.
    Done,
    Failed(Failure),
}

/// A stream that lives as long as this value is kept.
#[derive(Debug)]
pub struct FollowedLogs(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    controller: RefCell<Option<AbortController>>,
    is_wanted: Cell<bool>,
}

impl FollowedLogs {
    /// Connects, and connects again whenever the stream breaks. `take` gets none when a connection
    /// begins: the newest lines come again, and then what follows.
    pub fn start(
        wish: LogWish,
        status: RwSignal<LogStream>,
        mut take: impl FnMut(Option<LogFrame>) + 'static,
    ) -> Self {
        let inner = Rc::new(Inner {
            controller: RefCell::new(None),
            is_wanted: Cell::new(true),
        });
        let this = Self(Rc::clone(&inner));
        spawn_local(async move {
            let mut failed_tries = 0;
            while inner.is_wanted.get() {
                let (Some(authorization), Ok(abort), Ok(body)) = (
                    token::authorization(),
                    AbortController::new(),
                    serde_json::to_string(&wish),
                ) else {
                    return;
                };
                inner.controller.replace(Some(abort.clone()));
                let mut heard = false;
                let mut is_done = false;
                let on_frame = |frame: Option<&str>| {
                    if !inner.is_wanted.get() {
                        return ControlFlow::Break(());
                    }
                    let Some(frame) = frame else {
                        return ControlFlow::Continue(());
                    };
                    let Ok(frame) = serde_json::from_str::<LogFrame>(frame) else {
                        return ControlFlow::Break(());
                    };
                    if !std::mem::replace(&mut heard, true) {
                        take(None);
                    }
                    is_done = frame == LogFrame::Done;
                    status.try_set(if is_done {
                        LogStream::Done
                    } else {
                        LogStream::Following
                    });
                    take(Some(frame));
                    ControlFlow::Continue(())
                };
                let end = fetch::frames(
                    "/follow/logs",
                    &authorization,
                    Some(&body),
                    &abort,
                    on_frame,
                )
                .await;
                if !inner.is_wanted.get() || (is_done && wish.previous) {
                    return;
                }
                match end {
                    End::Refused => return,
                    End::NoStream(text) => {
                        let why = Failure::de(text.into_bytes().into());
                        status.try_set(LogStream::Failed(why));
                    }
                    End::Over => {
                        status.try_set(LogStream::Broken);
                    }
                }
                failed_tries = if heard { 0 } else { failed_tries + 1 };
                sleep_ms(backoff::delay_ms(failed_tries, js_sys::Math::random())).await;
            }
        });
        this
    }
}

impl Drop for FollowedLogs {
    fn drop(&mut self) {
        self.0.is_wanted.set(false);
        if let Some(controller) = self.0.controller.take() {
            controller.abort();
        }
    }
}
