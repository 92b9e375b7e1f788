//! How long pods may be in trouble before nobody waits for them any more.

use std::collections::HashMap;
use std::time::Duration;

use app::model::PodRow;
use tokio::time::Instant;

use super::hopeless::{Trouble, trouble};
use crate::engine::StageHandle;

/// Remembers since when each pod is in the same trouble.
#[derive(Default)]
pub(super) struct Patience {
    since: HashMap<String, (Trouble, Instant)>,
    others: HashMap<&'static str, (String, Instant)>,
    said: HashMap<String, String>,
}

impl Patience {
    /// Whether the same trouble of another kind has lasted too long.
    pub fn is_out(&mut self, kind: &'static str, what: &str, patience: Duration) -> bool {
        let now = Instant::now();
        let (said, since) = self
            .others
            .entry(kind)
            .or_insert_with(|| (what.to_owned(), now));
        if said != what {
            *said = what.to_owned();
            *since = now;
        }
        now.duration_since(*since) >= patience
    }

    /// The first pod whose trouble has lasted longer than there is patience for.
    pub fn out_of<'a>(&mut self, pods: &'a [PodRow]) -> Option<(&'a PodRow, Trouble)> {
        let now = Instant::now();
        let mut still = HashMap::new();
        let mut found = None;
        for pod in pods {
            let Some(trouble) = trouble(pod) else {
                continue;
            };
            let since = match self.since.get(&pod.uid) {
                Some((same, since)) if same.reason == trouble.reason => *since,
                _ => now,
            };
            if found.is_none() && now.duration_since(since) >= trouble.patience {
                found = Some((pod, trouble.clone()));
            }
            still.insert(pod.uid.clone(), (trouble, since));
        }
        self.since = still;
        found
    }

    /// Logs why pods are not ready, once for each new reason.
    pub fn tell_reasons(&mut self, stage: &StageHandle, pods: &[PodRow]) {
        for pod in pods {
            if let Some(why) = &pod.why_not_ready
                && self.said.insert(pod.uid.clone(), why.clone()).as_ref() != Some(why)
            {
                stage.log(format!("{}: {why}", pod.name));
            }
        }
    }
}
