//! A question to the server: pending, then its answer, which is kept until the next one.

use std::future::Future;

use leptos::prelude::*;

use crate::model::Failure;

/// A question that can be asked again and again; copy it freely.
pub struct Ask<I: Send + Sync + 'static, O: Send + Sync + 'static>(Action<I, Result<O, Failure>>);

impl<I: Send + Sync + 'static, O: Send + Sync + 'static> Clone for Ask<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: Send + Sync + 'static, O: Send + Sync + 'static> Copy for Ask<I, O> {}

/// Makes a question out of a server function.
pub fn ask<I, O, F, Fut>(call: F) -> Ask<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Clone + Send + Sync + 'static,
    F: Fn(I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<O, Failure>> + Send + 'static,
{
    Ask(Action::new(move |input: &I| call(input.clone())))
}

impl<I, O> Ask<I, O>
where
    I: Send + Sync + 'static,
    O: Clone + Send + Sync + 'static,
{
    pub fn send(self, input: I) {
        self.0.dispatch(input);
    }

    pub fn is_pending(self) -> Signal<bool> {
        self.0.pending().into()
    }

    /// The newest answer.
    pub fn answer(self) -> Signal<Option<O>> {
        let value = self.0.value();
        Signal::derive(move || value.with(|answer| answer.as_ref()?.as_ref().ok().cloned()))
    }

    /// Why the newest question got none.
    pub fn failure(self) -> Signal<Option<Failure>> {
        let (pending, value) = (self.0.pending(), self.0.value());
        Signal::derive(move || {
            if pending.get() {
                return None;
            }
            value.with(|answer| answer.as_ref()?.as_ref().err().cloned())
        })
    }
}
