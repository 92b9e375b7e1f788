//! The newest previews, kept so that a page can ask for one object's difference. Only masked text
//! is in here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use app::model::{ObjectDiff, PlanChoices};

use super::Previewed;

/// Pages of several operators may look at plans of different ages.
const KEPT: usize = 6;

/// Clones share what is in it.
#[derive(Clone, Debug, Default)]
pub struct PreviewStore(Arc<Mutex<VecDeque<Kept>>>);

#[derive(Debug)]
struct Kept {
    hash: String,
    choices: PlanChoices,
    objects: BTreeMap<String, (ObjectDiff, ObjectDiff)>,
}

impl PreviewStore {
    /// Keeps a plan's differences under its hash.
    pub fn put(&self, hash: &str, choices: &PlanChoices, objects: &[Previewed]) {
        let kept = Kept {
            hash: hash.to_owned(),
            choices: choices.clone(),
            objects: objects
                .iter()
                .map(|object| {
                    let diffs = (object.diff.clone(), object.everything.clone());
                    (object.planned.key.clone(), diffs)
                })
                .collect(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.hash != hash);
        all.push_front(kept);
        all.truncate(KEPT);
    }

    /// The difference of one object; none when the plan is too old or has no such object.
    pub fn get(&self, hash: &str, key: &str, everything: bool) -> Option<ObjectDiff> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.iter().find(|kept| kept.hash == hash)?;
        let (meant, whole) = kept.objects.get(key)?;
        Some(if everything { whole } else { meant }.clone())
    }

    /// What was chosen in the plan of this hash; nothing for a plan that is not kept.
    pub fn choices(&self, hash: &str) -> PlanChoices {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .find(|kept| kept.hash == hash)
            .map(|kept| kept.choices.clone())
            .unwrap_or_default()
    }
}
