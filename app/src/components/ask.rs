//! A question to the server: pending, then its answer, which is kept until the next one.

use std::future::Future;

use leptos::prelude::*;

use crate::model::Failure;

/// An answer to show without asking a server; for drawing pages alone. By the answer's type.
#[derive(Clone, Debug)]
pub struct SeedAnswer<O>(pub O);

/// A question that can be asked again and again; copy it freely.
pub struct Ask<I: Send + Sync + 'static, O: Send + Sync + 'static> {
    asked: Action<I, Result<O, Failure>>,
    seed: StoredValue<Option<O>>,
}

impl<I: Send + Sync + 'static, O: Send + Sync + 'static> std::fmt::Debug for Ask<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

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
    Ask {
        asked: Action::new(move |input: &I| call(input.clone())),
        seed: StoredValue::new(use_context::<SeedAnswer<O>>().map(|seed| seed.0)),
    }
}

impl<I, O> Ask<I, O>
where
    I: Send + Sync + 'static,
    O: Clone + Send + Sync + 'static,
{
    pub fn send(self, input: I) {
        self.asked.dispatch(input);
    }

    pub fn is_pending(self) -> Signal<bool> {
        self.asked.pending().into()
    }

    /// The newest answer.
    pub fn answer(self) -> Signal<Option<O>> {
        let (value, seed) = (self.asked.value(), self.seed);
        Signal::derive(move || {
            value
                .with(|answer| answer.as_ref()?.as_ref().ok().cloned())
                .or_else(|| seed.get_value())
        })
    }

    /// Why the newest question got none.
    pub fn failure(self) -> Signal<Option<Failure>> {
        let (pending, value) = (self.asked.pending(), self.asked.value());
        Signal::derive(move || {
            if pending.get() {
                return None;
            }
            value.with(|answer| answer.as_ref()?.as_ref().err().cloned())
        })
    }
}
