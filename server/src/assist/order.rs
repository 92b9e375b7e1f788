//! One root cause, one finding: what follows from another problem is left out, the rest is sorted.

use std::collections::BTreeSet;

use app::model::{Finding, Severity};

use super::facts::weight;
use super::rules::known;

/// Leaves out duplicates and consequences and puts the worst first.
pub fn order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(|finding| {
        (weight(finding.severity), rank(&finding.code), finding.key())
    });
    // Of two with the same key the worse one is kept.
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.key()));
    let hidden: BTreeSet<String> = findings
        .iter()
        .filter(|other| findings.iter().any(|cause| explains(cause, other)))
        .map(Finding::key)
        .collect();
    findings.retain(|finding| !hidden.contains(&finding.key()));
    findings
}

/// Findings of other rooms come before those of the rules: they are about the machine.
fn rank(code: &str) -> usize {
    known(code).map_or(0, |(rank, _)| rank + 1)
}

fn explains(cause: &Finding, other: &Finding) -> bool {
    if cause.severity != Severity::Failed || cause.subject != other.subject {
        return false;
    }
    let (Some((_, cause)), Some((_, other))) = (known(&cause.code), known(&other.code)) else {
        return false;
    };
    other.follows.contains(&cause.layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assist::facts::about;

    fn finding(code: &str, component: &str) -> Finding {
        Finding::new(code, code, "").about(about(&component.parse().expect("a name")))
    }

    #[test]
    fn a_consequence_is_left_out_only_for_its_own_component() {
        let ordered = order(vec![
            finding("ROLLOUT_STUCK", "backend"),
            finding("ROLLOUT_STUCK", "frontend"),
            finding("IMAGE_NEVER_PULL", "backend"),
            finding("IMAGE_NEVER_PULL", "backend"),
        ]);
        let keys: Vec<_> = ordered.iter().map(Finding::key).collect();
        assert_eq!(
            keys,
            [
                "IMAGE_NEVER_PULL/component/backend",
                "ROLLOUT_STUCK/component/frontend"
            ]
        );
    }

    #[test]
    fn of_two_findings_with_one_key_the_worse_is_kept() {
        let ordered = order(vec![
            finding("RUNS_AS_ROOT", "backend").attention(),
            finding("RUNS_AS_ROOT", "backend"),
        ]);
        assert_eq!(ordered.len(), 1);
        assert_eq!(ordered[0].severity, Severity::Failed);
    }

    #[test]
    fn a_selector_that_matches_nothing_stays_beside_a_failing_probe() {
        let ordered = order(vec![
            finding("SELECTOR_MATCHES_NOTHING", "backend"),
            finding("PROBE_FAILING", "backend"),
        ]);
        assert_eq!(ordered.len(), 2);
    }

    #[test]
    fn failures_come_before_what_only_needs_attention() {
        let ordered = order(vec![
            finding("IMAGE_OVER_BUDGET", "backend").attention(),
            finding("CRASH_LOOP", "backend"),
        ]);
        assert_eq!(ordered[0].code, "CRASH_LOOP");
        assert_eq!(ordered.len(), 2);
    }
}
