//! The Helm release: pending with nobody at work on it, or failed.

use app::model::{Finding, ReleaseStatus, Severity};

use super::code::{Code, Layer, NOTHING};
use crate::assist::Facts;

pub const RELEASE_STUCK: Code = Code {
    code: "RELEASE_STUCK",
    layer: Layer::Rollout,
    follows: NOTHING,
    severity: Severity::Failed,
    what: "A release is pending, and helm refuses every upgrade until that is undone; `attention` while somebody may still be at work on it.",
    why: "A helm was killed in the middle of an install, an upgrade or a rollback.",
    next: "Roll back to the last good revision; or unlock, which deletes the pending record alone; or uninstall.",
};

pub const RELEASE_FAILED: Code = Code {
    code: "RELEASE_FAILED",
    layer: Layer::Rollout,
    follows: NOTHING,
    severity: Severity::Attention,
    what: "The newest revision of a release failed.",
    why: "It was deployed without being put back, so what runs is partly of this revision and partly of the one before.",
    next: "Roll back, or mend the cause and deploy again.",
};

/// What the Deploy page knows of a release nobody works on any more.
pub fn stuck(facts: &Facts<'_>) -> Vec<Finding> {
    let release = facts.state.helm.release.as_ref();
    let stuck = release
        .filter(|release| release.lost.is_none())
        .and_then(|release| release.stuck.as_ref())
        .filter(|stuck| stuck.status == ReleaseStatus::Failed || !stuck.holder.is_someone());
    stuck
        .map(|stuck| stuck.finding.clone())
        .into_iter()
        .collect()
}
