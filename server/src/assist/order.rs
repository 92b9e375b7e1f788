//! One root cause, one finding: what follows from another problem is left out, the rest is sorted.

use std::collections::BTreeSet;

use app::model::{Finding, Severity, Subject};

use super::facts::weight;

/// Causes first; what comes later in this list may follow from what comes earlier.
const ORDER: [&str; 19] = [
    "CLUSTER_UNREACHABLE",
    "QUOTA_OR_ADMISSION",
    "UNSCHEDULABLE",
    "IMAGE_NEVER_PULL",
    "IMAGE_PULL",
    "SECRET_KEY_MISSING",
    "CONFIGMAP_MISSING",
    "SECRET_NOT_SET",
    "CONTAINER_CONFIG",
    "RUNS_AS_ROOT",
    "OOM_KILLED",
    "CRASH_LOOP",
    "PORT_MISMATCH",
    "PROBE_FAILING",
    "SELECTOR_MATCHES_NOTHING",
    "ROLLOUT_STUCK",
    "LOAD_BALANCER_PENDING",
    "PODS_STALE_SECRETS",
    "IMAGE_OVER_BUDGET",
];

/// For one component: when the first is there, the others are its consequence.
const EXPLAINS: [(&str, &[&str]); 11] = [
    ("QUOTA_OR_ADMISSION", &["ROLLOUT_STUCK"]),
    ("UNSCHEDULABLE", &["ROLLOUT_STUCK"]),
    ("IMAGE_NEVER_PULL", &["ROLLOUT_STUCK"]),
    ("IMAGE_PULL", &["ROLLOUT_STUCK"]),
    (
        "SECRET_KEY_MISSING",
        &["ROLLOUT_STUCK", "SECRET_NOT_SET", "PODS_STALE_SECRETS"],
    ),
    ("CONFIGMAP_MISSING", &["ROLLOUT_STUCK"]),
    ("CONTAINER_CONFIG", &["ROLLOUT_STUCK"]),
    ("RUNS_AS_ROOT", &["ROLLOUT_STUCK"]),
    (
        "OOM_KILLED",
        &["ROLLOUT_STUCK", "CRASH_LOOP", "PROBE_FAILING"],
    ),
    ("CRASH_LOOP", &["ROLLOUT_STUCK", "PROBE_FAILING"]),
    ("PORT_MISMATCH", &["ROLLOUT_STUCK", "PROBE_FAILING"]),
];

/// Leaves out duplicates and consequences and puts the worst first.
pub fn order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| seen.insert(finding.key()))
        .collect();
    let hidden: BTreeSet<String> = kept
        .iter()
        .filter(|cause| cause.severity == Severity::Failed)
        .flat_map(|cause| {
            kept.iter()
                .filter(|other| explains(cause, other))
                .map(Finding::key)
        })
        .collect();
    kept.retain(|finding| !hidden.contains(&finding.key()));
    kept.sort_by_cached_key(|finding| {
        (weight(finding.severity), rank(&finding.code), finding.key())
    });
    kept
}

fn rank(code: &str) -> usize {
    ORDER
        .iter()
        .position(|known| *known == code)
        .unwrap_or(ORDER.len())
}

fn explains(cause: &Finding, other: &Finding) -> bool {
    if cause.code == "PROBE_FAILING" && other.code == "ROLLOUT_STUCK" {
        return cause.subject == other.subject;
    }
    let known = EXPLAINS.iter().any(|(code, consequences)| {
        *code == cause.code && consequences.contains(&other.code.as_str())
    });
    // A missing key is told about its component, an unset one about the secret itself.
    let same = cause.subject == other.subject || matches!(other.subject, Subject::Secret { .. });
    known && same
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
    fn failures_come_before_what_only_needs_attention() {
        let ordered = order(vec![
            finding("IMAGE_OVER_BUDGET", "backend").attention(),
            finding("CRASH_LOOP", "backend"),
        ]);
        assert_eq!(ordered[0].code, "CRASH_LOOP");
        assert_eq!(ordered.len(), 2);
    }
}
