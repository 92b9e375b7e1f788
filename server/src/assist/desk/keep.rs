//! What is kept from one question to the next, for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::engine::Core;

/// A conversation that nobody goes on with is let go of; the next question starts anew.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// Holds at most one; empty while a question is being answered, so that whoever stops the answer drops
/// what was kept with it, and what was forgotten meanwhile does not come back.
#[derive(Debug)]
pub struct Keep<S> {
    core: Core,
    slot: Arc<Mutex<Slot<S>>>,
}

#[derive(Debug)]
struct Slot<S> {
    kept: Option<S>,
    /// Tells whether it is still the same rest.
    times: u64,
    /// How often it was forgotten.
    forgotten: u64,
}

/// When something was taken: it is kept again unless it was to be forgotten since.
#[derive(Clone, Copy, Debug)]
pub struct Since(u64);

impl<S: Send + 'static> Keep<S> {
    pub fn new(core: Core) -> Self {
        let slot = Slot {
            kept: None,
            times: 0,
            forgotten: 0,
        };
        Self {
            core,
            slot: Arc::new(Mutex::new(slot)),
        }
    }

    pub async fn take(&self) -> (Option<S>, Since) {
        let mut slot = self.slot.lock().await;
        (slot.kept.take(), Since(slot.forgotten))
    }

    /// What is kept, and whatever is out now, is not gone on with.
    pub async fn forget(&self) -> Option<S> {
        let mut slot = self.slot.lock().await;
        slot.forgotten += 1;
        slot.kept.take()
    }

    /// Keeps it until it is taken, idle for too long, or Slipway ends.
    pub async fn put(&self, kept: S, since: Since) {
        let times = {
            let mut slot = self.slot.lock().await;
            if slot.forgotten != since.0 {
                return;
            }
            slot.kept = Some(kept);
            slot.times += 1;
            slot.times
        };
        let (slot, stop) = (Arc::downgrade(&self.slot), self.core.shutdown.clone());
        self.core.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
            let Some(slot) = slot.upgrade() else {
                return;
            };
            let mut slot = slot.lock().await;
            if slot.times == times || stop.is_cancelled() {
                slot.kept = None;
            }
        });
    }
}
