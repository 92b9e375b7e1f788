//! A wish to the server: pending, then granted or refused. Refusals are shown where they arose.

use std::future::Future;

use leptos::prelude::*;

use crate::model::Failure;

/// A wish that can be sent again and again; copy it freely.
pub struct Wish<I: Send + Sync + 'static>(Action<I, Result<(), Failure>>);

impl<I: Send + Sync + 'static> std::fmt::Debug for Wish<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wish")
    }
}

impl<I: Send + Sync + 'static> Clone for Wish<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: Send + Sync + 'static> Copy for Wish<I> {}

/// Makes a wish out of a server function; what it answers beyond yes or no arrives as events.
pub fn wish<I, T, F, Fut>(call: F) -> Wish<I>
where
    I: Clone + Send + Sync + 'static,
    F: Fn(I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: 'static,
{
    Wish(Action::new(move |input: &I| {
        let answer = call(input.clone());
        async move { answer.await.map(drop) }
    }))
}

impl<I: Send + Sync + 'static> Wish<I> {
    /// Sends it, unless it is already on its way.
    pub fn send(self, input: I) {
        if !self.0.pending().get_untracked() {
            self.0.dispatch(input);
        }
    }

    pub fn is_pending(self) -> Signal<bool> {
        self.0.pending().into()
    }

    /// Why the last one was refused, until the next is sent.
    pub fn failure(self) -> Signal<Option<Failure>> {
        let (pending, value) = (self.0.pending(), self.0.value());
        Signal::derive(move || {
            if pending.get() {
                return None;
            }
            value.with(|answer| {
                answer
                    .as_ref()
                    .and_then(|answer| answer.as_ref().err().cloned())
            })
        })
    }

    /// Whether the last one was granted.
    pub fn was_granted(self) -> Signal<bool> {
        let (pending, value) = (self.0.pending(), self.0.value());
        Signal::derive(move || {
            !pending.get() && value.with(|answer| matches!(answer, Some(Ok(()))))
        })
    }
}
