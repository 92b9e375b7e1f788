//! The builds that are going, each with its own way to be cancelled.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::model::ComponentName;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub struct Going(Mutex<BTreeMap<ComponentName, CancellationToken>>);

impl Going {
    /// A token that is cancelled with the run or alone.
    pub fn begin(&self, component: &ComponentName, run: &CancellationToken) -> CancellationToken {
        let token = run.child_token();
        self.lock().insert(component.clone(), token.clone());
        token
    }

    pub fn end(&self, component: &ComponentName) {
        self.lock().remove(component);
    }

    /// Asks one build to stop; false when it is not going.
    pub fn cancel(&self, component: &ComponentName) -> bool {
        match self.lock().get(component) {
            Some(token) => {
                token.cancel();
                true
            }
            None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ComponentName, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
