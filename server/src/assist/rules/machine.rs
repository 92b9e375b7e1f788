//! This machine: what the walk needs on it and does not find. The checks of the Setup page say it in
//! words of their own.

use app::model::{CheckState, Finding, Need};

use crate::assist::Facts;

/// The findings of the required checks. Project and cluster have rules of their own.
pub fn required(facts: &Facts<'_>) -> Vec<Finding> {
    facts
        .state
        .checks
        .iter()
        .filter(|check| check.need == Need::Required && !check.muted)
        .filter(|check| !matches!(check.id.as_str(), "project" | "cluster"))
        .filter_map(|check| match &check.state {
            CheckState::Missing { finding } | CheckState::Broken { finding } => {
                Some((**finding).clone())
            }
            CheckState::Checking | CheckState::Ok { .. } => None,
        })
        .collect()
}
