//! The cluster itself: silent, or not usable.

use app::model::{Finding, NextAction, Remedy, Severity, StepId, Subject, humanize_ms};

use super::code::{Code, Layer, NOTHING};
use crate::assist::Facts;

pub const CLUSTER_UNREACHABLE: Code = Code {
    code: "CLUSTER_UNREACHABLE",
    layer: Layer::Machine,
    follows: NOTHING,
    severity: Severity::Failed,
    what: "The API server does not answer.",
    why: "The cluster is stopped, the network is gone or its credentials ran out. While it is silent, nothing else of it is diagnosed: all that is known is old.",
    next: "Start the cluster, or choose another one on the Setup page. `kubectl get --raw /readyz` asks the same question outside Slipway.",
};

/// Nothing that is known of the cluster is from now. A cluster never heard of is merely not
/// connected yet.
pub fn is_silent(facts: &Facts<'_>) -> bool {
    facts.state.cluster.as_ref().is_some_and(|cluster| {
        cluster.problem.is_some()
            || cluster.freshness.heard.is_some() && !cluster.freshness.is_fresh(facts.now)
    })
}

/// CLUSTER_UNREACHABLE, or what the cluster room knows better.
pub fn unreachable(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(cluster) = facts.state.cluster.as_ref().filter(|_| is_silent(facts)) else {
        return Vec::new();
    };
    if let Some(problem) = &cluster.problem {
        return vec![problem.clone()];
    }
    let age = humanize_ms(cluster.freshness.age_ms(facts.now).unwrap_or(0));
    let finding = CLUSTER_UNREACHABLE
        .finding(
            format!("{} does not answer", cluster.choice.label()),
            format!(
                "The API server at {} was last heard {age} ago. What is shown is from then.",
                cluster.server
            ),
        )
        .about(Subject::Step {
            step: StepId::Setup,
        })
        .next(NextAction::Do {
            action: Remedy::Recheck,
            label: "Check again".to_owned(),
        })
        .next(NextAction::Open {
            step: StepId::Setup,
            label: "Look at the cluster".to_owned(),
        });
    vec![finding]
}
